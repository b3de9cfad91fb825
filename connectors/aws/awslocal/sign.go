package awslocal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4, the checking side, after "Create a signed AWS API request" of the IAM user guide.

const signatureAlgorithm = "AWS4-HMAC-SHA256"

// clockSkew is how far the time of a signature may be off.
const clockSkew = 15 * time.Minute

func coralError(kind, code, message string) *apiError {
	return &apiError{namespace: nsCoral, kind: kind, code: code, message: message, status: http.StatusForbidden}
}

func errUnknownKey() *apiError {
	return coralError("UnrecognizedClientException", "InvalidClientTokenId", "The security token included in the request is invalid.")
}

// signingKeys remembers the derived key of each access key, with its secret (which SetKeys may change), and scope.
type signingKeys struct{ derived map[string][]byte }

func (s *signingKeys) of(k Key, date, region, service string) []byte {
	id := k.ID + "/" + k.Secret + "/" + date + "/" + region + "/" + service
	if key, ok := s.derived[id]; ok {
		return key
	}
	key := mac(mac(mac(mac([]byte("AWS4"+k.Secret), date), region), service), "aws4_request")
	if s.derived == nil || len(s.derived) > 1000 {
		s.derived = map[string][]byte{}
	}
	s.derived[id] = key
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// authenticate returns the key that signed the request. Without configured keys it takes every request for the
// endpoint's own account.
func (e *Endpoint) authenticate(r *http.Request, body []byte) (Key, *apiError) {
	e.authMu.Lock()
	defer e.authMu.Unlock()
	if len(e.keys) == 0 {
		return Key{}, nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return Key{}, coralError("MissingAuthenticationTokenException", "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(header, signatureAlgorithm+" ")
	var credential, signed, signature string
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			signed = value
		case "Signature":
			signature = value
		}
	}
	scope := strings.Split(credential, "/")
	if !ok || len(scope) != 5 || signed == "" || signature == "" {
		return Key{}, coralError("IncompleteSignatureException", "IncompleteSignature", "The request signature does not conform to AWS standards.")
	}
	key, ok := e.keys[scope[0]]
	if !ok || key.SessionToken != r.Header.Get("X-Amz-Security-Token") {
		return Key{}, errUnknownKey()
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if err != nil || scope[1] != stamp[:8] {
		return Key{}, coralError("IncompleteSignatureException", "IncompleteSignature", "Date in Credential scope does not match the date of the request.")
	}
	if off := time.Since(at); off > clockSkew || off < -clockSkew {
		return Key{}, coralError("InvalidSignatureException", "SignatureDoesNotMatch", "Signature expired: "+stamp+" is not within 15 minutes of the current time.")
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	names := strings.Split(signed, ";")
	if !slices.Contains(names, "host") {
		return Key{}, coralError("InvalidSignatureException", "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	hashed := sha256.Sum256([]byte(canonicalRequest(r, names, payload)))
	toSign := signatureAlgorithm + "\n" + stamp + "\n" + strings.Join(scope[1:], "/") + "\n" + hex.EncodeToString(hashed[:])
	want := hex.EncodeToString(mac(e.signer.of(key, scope[1], scope[2], scope[3]), toSign))
	if !hmac.Equal([]byte(want), []byte(signature)) {
		return Key{}, coralError("InvalidSignatureException", "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return key, nil
}

func canonicalRequest(r *http.Request, names []string, payload string) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	segments := strings.Split(path, "/")
	for i, s := range segments { // every service but S3 escapes the escaped path once more
		segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	b.WriteString(r.Method + "\n" + strings.Join(segments, "/") + "\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n")
	for _, name := range names {
		b.WriteString(name + ":")
		switch name {
		case "host":
			b.WriteString(r.Host)
		case "content-length":
			b.WriteString(strconv.FormatInt(r.ContentLength, 10))
		default:
			for i, v := range r.Header.Values(http.CanonicalHeaderKey(name)) {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(strings.Join(strings.Fields(v), " "))
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + payload)
	return b.String()
}

// denied says whether a deny rule holds for the call.
func (e *Endpoint) denied(action, queue string) bool {
	e.authMu.Lock()
	defer e.authMu.Unlock()
	for _, r := range e.deny {
		_, name, found := strings.Cut(r.Action, ":")
		if !found {
			name = r.Action
		}
		if (name == "" || name == "*" || strings.EqualFold(name, action)) && (r.Queue == "" || r.Queue == "*" || r.Queue == queue) {
			return true
		}
	}
	return false
}

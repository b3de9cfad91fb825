package aws

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// maxText bounds what an error repeats of a peer's words, and maxWord of one word such as a code, in bytes.
	maxText = 500
	maxWord = 128
)

// What credentials look like. An endpoint, or a proxy before it, may repeat the request that it refuses.
var (
	// keyID is what access key ids look like (IAM user guide, "IAM identifiers").
	keyID = regexp.MustCompile(`(\bA[A-Z]{3}|AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}`)
	// signature is the end of an Authorization header, and token the header of a session's token, or its parameter.
	signature = regexp.MustCompile(`(?i)(signature["']?\s*[:=]\s*["']?)[0-9a-f]{16,}`)
	token     = regexp.MustCompile(`(?i)(security-?token["']?\s*[:=]\s*["']?)[^\s"',;&<]+`)
	// long is what nothing that a person reads looks like: tokens are base64 of some hundred bytes.
	long = regexp.MustCompile(`[A-Za-z0-9+/=%]{100,}`)
)

const hiddenMark = "[REDACTED]"

// secrets are what a call proves its identity with: secret key, session token, signature.
type secrets [3]string

// minSecret is the length from which on text is searched for a secret. AWS's have forty characters and more; the ones of
// local endpoints are words such as "test".
const minSecret = 16

// secretsOf returns what to hide of credentials and of a request's Authorization.
func secretsOf(creds *sdk.Credentials, authorization string) secrets {
	_, signature, _ := strings.Cut(authorization, "Signature=")
	return secrets{creds.SecretAccessKey, creds.SessionToken, signature}
}

// hide replaces the secrets in text, as they are and as URLs escape them. It is to be called before text is cut, for a
// part of a secret is not found.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		if len(secret) < minSecret || len(text) < len(secret) { // a request id, which each answer has, is shorter
			continue
		}
		text = strings.ReplaceAll(text, secret, hiddenMark)
		text = strings.ReplaceAll(text, url.QueryEscape(secret), hiddenMark)
	}
	return text
}

// requestID returns AWS's id of a request as it may be shown.
func (s secrets) requestID(h http.Header) string { return redactWord(s.hide(requestID(h))) }

// redactText takes the first line, without what looks like credentials: what follows it in a SignatureDoesNotMatch is
// the request as it was signed, with the session token.
func redactText(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return clip(printable(redactForms(s)), maxText)
}

// redactWord is redactText for a single word.
func redactWord(s string) string {
	if len(s) <= maxWord && !strings.ContainsFunc(s, notWord) {
		if !strings.Contains(s, "A") {
			return s // what the id of each answer is
		}
		return keyID.ReplaceAllString(s, "$1…")
	}
	return clip(printable(redactForms(s)), maxWord)
}

func notWord(r rune) bool { return r <= ' ' || r > '~' || r == '=' }

func redactForms(s string) string {
	const most = 16 << 10 // nothing beyond it is shown, whatever is redacted, and looking takes time
	s = s[:min(len(s), most)]
	s = token.ReplaceAllString(s, "${1}"+hiddenMark)
	s = signature.ReplaceAllString(s, "${1}"+hiddenMark)
	s = long.ReplaceAllString(s, hiddenMark)
	return keyID.ReplaceAllString(s, "$1…")
}

// printable replaces control characters, which could fake lines where the text is shown.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// clip returns the beginning of a text that is too long, in memory of its own, for the rest may be megabytes.
func clip(s string, most int) string {
	const ellipsis = "…"
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len(ellipsis)], "") + ellipsis
}

// hidden is an error whose text has been redacted; its chain is kept.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

func redacted(err error) error {
	text := err.Error()
	if clean := redactText(text); clean != text {
		return &hidden{clean, err}
	}
	return err
}

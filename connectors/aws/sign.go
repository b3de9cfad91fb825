package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
)

// Signature Version 4, after "Create a signed AWS API request" in the IAM user guide, for the one shape of request that
// a Caller makes. The header's names are in the order that the canonical request wants.

const algorithm = "AWS4-HMAC-SHA256"

// stamp is an instant as requests write it, made once a second.
type stamp struct {
	second int64
	long   string // 20060102T150405Z
}

func (s *stamp) day() string { return s.long[:8] }

// stampOf returns the stamp of an instant.
func (c *Client) stampOf(t time.Time) *stamp {
	if s := c.stamp.Load(); s != nil && s.second == t.Unix() {
		return s
	}
	s := &stamp{second: t.Unix(), long: t.UTC().Format("20060102T150405Z")}
	c.stamp.Store(s)
	return s
}

// signer signs for one region and service. It keeps the key of the day.
type signer struct {
	region, service string
	key             atomic.Pointer[dayKey]
}

type dayKey struct {
	secret, day string
	mac         macKey
}

// macKey is a key of HMAC-SHA256, padded (RFC 2104).
type macKey struct{ inner, outer [sha256.BlockSize]byte }

func newMACKey(key []byte) (k macKey) {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	copy(k.inner[:], key)
	copy(k.outer[:], key)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k
}

// sum returns the code of a text. It allocates nothing for texts of up to some hundred bytes.
func (k *macKey) sum(text []byte) [sha256.Size]byte {
	var room [512]byte
	inner := sha256.Sum256(append(append(room[:0], k.inner[:]...), text...))
	return sha256.Sum256(append(append(room[:0], k.outer[:]...), inner[:]...))
}

// keyOf derives the signing key of a day.
func (s *signer) keyOf(secret, day string) *dayKey {
	if k := s.key.Load(); k != nil && k.day == day && k.secret == secret {
		return k
	}
	mac := newMACKey([]byte("AWS4" + secret))
	for _, text := range [...]string{day, s.region, s.service, "aws4_request"} {
		sum := mac.sum([]byte(text))
		mac = newMACKey(sum[:])
	}
	k := &dayKey{secret: secret, day: day, mac: mac}
	s.key.Store(k)
	return k
}

// authorization returns the Authorization header of a POST of body. head is what of the canonical request is the same
// each time, tail likewise.
func (c *Caller) authorization(creds *sdk.Credentials, at *stamp, body []byte) string {
	var room [2048]byte
	b := append(room[:0], c.head...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, c.middle...)
	b = append(b, at.long...)
	b = append(b, c.between...)
	names := c.signed
	if creds.SessionToken != "" {
		b = append(b, "\nx-amz-security-token:"...)
		b = append(b, creds.SessionToken...)
		names = c.signedToken
	}
	b = append(b, c.tail...)
	b = append(b, names...)
	b = append(b, '\n')
	sum := sha256.Sum256(body)
	b = hex.AppendEncode(b, sum[:])
	sum = sha256.Sum256(b)

	b = append(room[:0], algorithm+"\n"...)
	b = append(b, at.long...)
	b = append(b, '\n')
	scope := len(b)
	b = append(b, at.day()...)
	b = append(b, '/')
	b = append(b, c.signer.region...)
	b = append(b, '/')
	b = append(b, c.signer.service...)
	b = append(b, "/aws4_request"...)
	var scopeRoom [128]byte
	scopeText := append(scopeRoom[:0], b[scope:]...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	sum = c.signer.keyOf(creds.SecretAccessKey, at.day()).mac.sum(b)

	b = append(room[:0], algorithm+" Credential="...)
	b = append(b, creds.AccessKeyID...)
	b = append(b, '/')
	b = append(b, scopeText...)
	b = append(b, ", SignedHeaders="...)
	b = append(b, names...)
	b = append(b, ", Signature="...)
	b = hex.AppendEncode(b, sum[:])
	return string(b)
}

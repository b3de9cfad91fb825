package reply

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// MinKey is the fewest bytes of a key.
const MinKey = 32

// maxToken bounds the text of a token that is opened, and so what a stranger can make us decode.
const maxToken = 16 << 10

// Token is what an answer that comes back over a queue has to tell: where the reply goes, and until when.
type Token struct {
	// Destination is the request's JMSReplyTo.
	Destination bridge.Destination
	// CorrelationID is what the reply carries.
	CorrelationID string
	// RequestKey is the request's idempotency key: the same when it is asked again after a crash. "": it has none.
	RequestKey string
	// Persistent and Priority are the request's.
	Persistent bool
	Priority   uint8
	// Deadline is when nobody waits any more, to the millisecond.
	Deadline time.Time
	// Route and Broker name whose request it was.
	Route, Broker string
}

// exchange names the exchange that an answer with this token belongs to. A request that was asked twice, for the
// bridge died before it could settle it, has two tokens and is still one exchange, with one reply.
func (t *Token) exchange(token string) string {
	if t.RequestKey == "" {
		return token
	}
	return t.RequestKey + "\x00" + t.CorrelationID + "\x00" + t.Destination.String()
}

// Sealer seals and opens tokens: AES-256-GCM under a key that is derived for each token, so that no number of tokens
// wears a key out.
type Sealer struct{ keys [][]byte }

// NewSealer returns a sealer. The first key seals, all open: so a key is rotated by putting the new one in front and
// dropping the old one when no token of its time can come back any more. Every key has at least [MinKey] bytes.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("a reply key is missing")
	}
	s := &Sealer{}
	for i, k := range keys {
		if len(k) < MinKey {
			return nil, fmt.Errorf("reply key %d has %d bytes, and needs at least %d", i+1, len(k), MinKey)
		}
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte("jmsbridge reply token v1"))
		s.keys = append(s.keys, mac.Sum(nil))
	}
	return s, nil
}

const (
	version   = 1
	saltSize  = 16
	nonceSize = 12
)

// cipher derives the key of one token.
func (s *Sealer) cipher(key, salt []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, key)
	mac.Write(salt)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // only a key of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Seal returns the token as text of A-Z a-z 0-9 - and _.
func (s *Sealer) Seal(t *Token) string {
	head := make([]byte, 1+saltSize+nonceSize, 256)
	head[0] = version
	_, _ = rand.Read(head[1:]) // never fails, by its documentation
	var room [256]byte
	plain := t.append(room[:0])
	sealed := s.cipher(s.keys[0], head[1:1+saltSize]).Seal(head, head[1+saltSize:], plain, head[:1])
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// The errors of Open. Neither says more to whoever forged the token.
var (
	// ErrForged says that no key of ours has sealed the text.
	ErrForged error = &bridge.Error{
		Class: bridge.Permanent, Code: "ReplyToken", Err: errors.New("the answer's correlation id is no token of this bridge"),
		Remedy: "the responder has to copy CorrelationID of the request as it is; keys of other replicas have to be the same",
	}
	errMalformed error = &bridge.Error{Class: bridge.Permanent, Code: "ReplyToken", Err: errors.New("the token has another form")}
)

// Open reads a token. The error is of class Permanent.
func (s *Sealer) Open(text string) (*Token, error) {
	if len(text) > maxToken {
		return nil, ErrForged
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < 1+saltSize+nonceSize || raw[0] != version {
		return nil, ErrForged
	}
	salt, nonce, sealed := raw[1:1+saltSize], raw[1+saltSize:1+saltSize+nonceSize], raw[1+saltSize+nonceSize:]
	for _, k := range s.keys {
		if plain, err := s.cipher(k, salt).Open(nil, nonce, sealed, raw[:1]); err == nil {
			return parse(plain)
		}
	}
	return nil, ErrForged
}

func (t *Token) append(b []byte) []byte {
	flags := byte(t.Destination.Kind)
	if t.Persistent {
		flags |= 0x80
	}
	b = append(b, flags, t.Priority)
	b = binary.AppendVarint(b, t.Deadline.UnixMilli())
	for _, s := range [...]string{t.Destination.Name, t.CorrelationID, t.RequestKey, t.Route, t.Broker} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func parse(b []byte) (*Token, error) {
	if len(b) < 2 {
		return nil, errMalformed
	}
	t := &Token{Persistent: b[0]&0x80 != 0, Priority: b[1]}
	t.Destination.Kind = bridge.DestinationKind(b[0] &^ 0x80)
	b = b[2:]
	ms, n := binary.Varint(b)
	if n <= 0 || t.Destination.Kind > bridge.TempTopic {
		return nil, errMalformed
	}
	b = b[n:]
	t.Deadline = time.UnixMilli(ms).UTC()
	for _, s := range [...]*string{&t.Destination.Name, &t.CorrelationID, &t.RequestKey, &t.Route, &t.Broker} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errMalformed
		}
		*s, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	if len(b) > 0 {
		return nil, errMalformed
	}
	return t, nil
}

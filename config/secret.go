package config

import (
	"context"
	"fmt"
	"io"
)

// redacted is all that a Secret ever prints.
const redacted = "[REDACTED]"

// Secret is a password or key: a value, or a reference to one. It prints [REDACTED] in every format. The zero Secret is
// not set. It is safe for concurrent use.
type Secret struct {
	// reveal hides what it needs in a closure, so that even printing by reflection shows no more than an address.
	reveal  func(context.Context) (string, error)
	literal bool
}

// NewSecret returns a Secret of a value that is known already.
func NewSecret(value string) Secret {
	return Secret{reveal: func(context.Context) (string, error) { return value, nil }, literal: true}
}

// Reveal reads the secret: references are looked up again at each call, so that a rotated password is found at the next
// reconnect. It returns "" for a Secret that is not set. The error never holds the value.
func (s Secret) Reveal(ctx context.Context) (string, error) {
	if s.reveal == nil {
		return "", nil
	}
	return s.reveal(ctx)
}

// IsSet tells whether the file names a value or a reference.
func (s Secret) IsSet() bool { return s.reveal != nil }

// IsLiteral tells that the secret stands in the file itself rather than being referred to.
func (s Secret) IsLiteral() bool { return s.literal }

// String returns [REDACTED].
func (Secret) String() string { return redacted }

// Format prints [REDACTED] for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes [REDACTED]; JSON and zap use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML writes [REDACTED].
func (Secret) MarshalYAML() (any, error) { return redacted, nil }

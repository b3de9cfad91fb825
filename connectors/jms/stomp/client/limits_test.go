package client

import (
	"errors"
	"strings"
	"testing"
)

func TestLimitsAreReachedAndNotPassed(t *testing.T) {
	limits := Limits{Headers: 3, Body: 5}
	for name, c := range map[string]struct {
		in      string
		skipped int64
		refused bool
	}{
		"as many headers as there may be": {"MESSAGE\na:1\nb:2\nc:3\n\nx\x00", 0, false},
		"one header more":                 {"MESSAGE\na:1\nb:2\nc:3\nd:4\n\nx\x00", 0, true},
		"a body as long as it may be":     {"MESSAGE\ncontent-length:5\n\n12345\x00", 0, false},
		"a body one byte longer":          {"MESSAGE\ncontent-length:6\n\n123456\x00", 6, false},
	} {
		f, err := NewReader(strings.NewReader(c.in), limits).Next()
		if _, refused := errors.AsType[*ProtocolError](err); refused != c.refused || err != nil && !refused {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err == nil && f.Skipped != c.skipped {
			t.Errorf("%s: %d bytes are skipped", name, f.Skipped)
		}
	}
}

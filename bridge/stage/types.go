package stage

import (
	"math"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// isNamed tells whether property_types or body_types names the type of v, because it does not follow from its JSON.
func isNamed(v *bridge.Value) bool {
	switch v.Type() {
	case bridge.StringType, bridge.BooleanType, bridge.IntType:
		return false
	case bridge.DoubleType:
		f := v.Float64()
		return math.IsNaN(f) || math.IsInf(f, 0)
	default:
		return true
	}
}

// escape makes a name one token of a JSON Pointer (RFC 6901, section 3).
func escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

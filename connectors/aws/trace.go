package aws

import "github.com/jmsbridge/jmsbridge/bridge"

// The properties in which a producer's tracing library left a trace context. The second is X-Amzn-Trace-Id as JMS
// clients escape what is no Java identifier.
var traceProperties = [...]string{"AWSTraceHeader", "X-Amzn-Trace-Id", "X_HYPHEN_Amzn_HYPHEN_Trace_HYPHEN_Id"}

// TraceProperty is the property in which a trace header goes on that came without one.
const TraceProperty = "AWSTraceHeader"

// TraceHeader returns the X-Ray trace header of a message, "" when it has none that is valid: a broken one must not cost
// the message.
func TraceHeader(p bridge.Properties) string {
	for name, v := range p.All() {
		if len(name) < len("traceparent") || v.Type() != bridge.StringType {
			continue
		}
		switch name {
		case traceProperties[0], traceProperties[1], traceProperties[2]:
			if validTrace(v.Str()) {
				return v.Str()
			}
		case "traceparent":
			if t := fromTraceparent(v.Str()); t != "" {
				return t
			}
		}
	}
	return ""
}

// validTrace tells whether s is a tracing header as the X-Ray developer guide has it:
// Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1, of which Root is required.
func validTrace(s string) bool {
	if len(s) > 256 || !plain(s) {
		return false
	}
	root := false
	for s != "" {
		var field string
		field, s = cutField(s)
		name, value := cutAt(field, '=')
		switch name {
		case "Root":
			if len(value) != 35 || value[:2] != "1-" || !isHex(value[2:10]) || value[10] != '-' || !isHex(value[11:]) {
				return false
			}
			root = true
		case "Parent":
			if len(value) != 16 || !isHex(value) {
				return false
			}
		case "Sampled":
			if value != "0" && value != "1" && value != "?" {
				return false
			}
		}
	}
	return root
}

func cutField(s string) (field, rest string) { return cutAt(s, ';') }

func cutAt(s string, sep byte) (before, after string) {
	for i := range len(s) {
		if s[i] == sep {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isHex tells whether s is lower-case hex.
func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func allZero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}

// fromTraceparent turns a W3C traceparent (Trace Context, section 3.2) into X-Ray's form, "" when it is not valid.
func fromTraceparent(s string) string {
	const version, trace, parent, flags = 0, 3, 36, 53 // offsets
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return ""
	}
	// A later version may append fields after another dash; version 00 has none, and ff is forbidden.
	if v := s[version:2]; !isHex(v) || v == "ff" || len(s) > 55 && (v == "00" || s[55] != '-') {
		return ""
	}
	id, span, flag := s[trace:35], s[parent:52], s[flags:55]
	if !isHex(id) || !isHex(span) || !isHex(flag) || allZero(id) || allZero(span) {
		return ""
	}
	sampled := "0"
	if low := flag[1]; (low-'0')&1 == 1 && low <= '9' || low >= 'a' && (low-'a')&1 == 1 {
		sampled = "1"
	}
	return "Root=1-" + id[:8] + "-" + id[8:] + ";Parent=" + span + ";Sampled=" + sampled
}

// plain tells whether s is of printable ASCII alone.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

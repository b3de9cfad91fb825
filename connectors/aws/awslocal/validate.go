package awslocal

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// Limits of the Amazon SQS developer guide ("Amazon SQS message quotas").
const (
	maxBatchEntries = 10
	maxBatchBytes   = 1 << 20
	maxAttributes   = 10
	maxNameLength   = 256
)

func validQueueName(name string) bool {
	base, _ := strings.CutSuffix(name, ".fifo")
	return base != "" && len(name) <= 80 && onlyNameBytes(base, "-_")
}

// validEntryID says whether an id of a batch entry is one.
func validEntryID(id string) bool { return id != "" && len(id) <= 80 && onlyNameBytes(id, "-_") }

// validToken says whether a group or deduplication id is one: alphanumeric and ASCII punctuation, at most 128.
func validToken(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

func onlyNameBytes(text, others string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// badCharacter returns the first character that SQS refuses: it takes those of XML 1.0.
func badCharacter(text string) (rune, bool) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
				return rune(c), true
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if (r == utf8.RuneError && n == 1) || r == 0xFFFE || r == 0xFFFF {
			return r, true
		}
		i += n
	}
	return 0, false
}

func checkBody(body string) *apiError {
	if r, bad := badCharacter(body); bad {
		return plain("InvalidMessageContents", fmt.Sprintf(
			"Invalid binary character '#x%X' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]", r))
	}
	return nil
}

func checkAttributes(attributes map[string]Attribute) *apiError {
	if len(attributes) > maxAttributes {
		return invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attributes), maxAttributes)
	}
	for name, a := range attributes {
		if problem := checkAttributeName(name); problem != nil {
			return problem
		}
		if problem := checkAttributeValue(name, a); problem != nil {
			return problem
		}
	}
	return nil
}

func checkAttributeName(name string) *apiError {
	lower := strings.ToLower(name)
	switch {
	case name == "" || len(name) > maxNameLength:
		return invalidParameter("Length of message attribute name must be between 1 and 256 bytes.")
	case !onlyNameBytes(name, "-_."):
		return invalidParameter("Invalid non-alphanumeric character was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return invalidParameter("You can not use message attribute names that start with 'AWS.' or 'Amazon.'.")
	case name[0] == '.' || name[len(name)-1] == '.':
		return invalidParameter("Invalid message attribute name. A name must not start or end with a dot.")
	case strings.Contains(name, ".."):
		return invalidParameter("Invalid message attribute name. A name must not have dots in succession.")
	}
	return nil
}

func checkAttributeValue(name string, a Attribute) *apiError {
	base, _, _ := strings.Cut(a.DataType, ".")
	if a.DataType == "" {
		return invalidParameter("The message attribute '%s' must contain a non-empty message attribute type.", name)
	}
	if len(a.DataType) > maxNameLength {
		return invalidParameter("Length of message attribute type must be less than or equal to 256 bytes.")
	}
	switch base {
	case "String", "Number":
		if a.StringValue == "" {
			return invalidParameter("Message (user) attribute '%s' must contain a non-empty value of type 'String'.", name)
		}
		if r, bad := badCharacter(a.StringValue); bad {
			return plain("InvalidMessageContents", fmt.Sprintf("Invalid binary character '#x%X' was found in the message attribute '%s'.", r, name))
		}
		if base == "Number" && !validNumber(a.StringValue) {
			return invalidParameter("Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
	case "Binary":
		if len(a.BinaryValue) == 0 {
			return invalidParameter("Message (user) attribute '%s' must contain a non-empty value of type 'Binary'.", name)
		}
	default:
		return invalidParameter("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
	}
	return nil
}

// validNumber holds for up to 38 digits of precision and a magnitude of 10^-128 to 10^126.
func validNumber(text string) bool {
	if len(text) > 300 || strings.ContainsAny(text, "_xXpPbBoO/") {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.Trim(strings.NewReplacer("+", "", "-", "", ".", "").Replace(mantissa), "0")
	if len(digits) > 38 {
		return false
	}
	f, _, err := big.ParseFloat(text, 10, 256, big.ToNearestEven)
	if err != nil || f.IsInf() {
		return false
	}
	if f.Sign() == 0 {
		return true
	}
	exponent := f.MantExp(nil) // in powers of two
	return exponent > -426 && exponent <= 419
}

func messageSize(body string, attributes map[string]Attribute) int {
	n := len(body)
	for name, a := range attributes {
		n += len(name) + a.size()
	}
	return n
}

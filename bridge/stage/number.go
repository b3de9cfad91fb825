package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// number is a number of a pattern, ready to be compared exactly with each numeric type of JMS. A float or a double is
// compared as the envelope writes it, the shortest decimal number that stands for it: 1.1 as a float is 1.1.
//
// Rounding keeps the order of numbers, so a double that is not the constant's nearest one lies on its side of the
// constant. For the nearest one itself the order is worked out beforehand.
type number struct {
	floor     int64 // the greatest whole number that is not greater
	whole     bool  // floor is the number itself
	beyond    int   // -1, 1: below or above every long
	double    float64
	doubleCmp int // how the shortest decimal of double compares with the number
	float     float32
	floatCmp  int
	exact     *big.Rat // for reading the pattern
}

// maxDigits is how long a number in a pattern may be.
const maxDigits = 400

// parseNumber makes a number of what a decoder of YAML or JSON returns for one. ok tells whether v is a number at all.
func parseNumber(v any) (n *number, ok bool, err error) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
		if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid([]byte(text)) {
			return nil, true, fmt.Errorf("%.40q is not a number of JSON", text)
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, true, errors.New("JSON has neither infinities nor NaN")
		}
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		return parseNumber(float64(v))
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	default:
		return nil, false, nil
	}
	n, err = newNumber(text)
	return n, true, err
}

func newNumber(text string) (*number, error) {
	if len(text) > maxDigits {
		return nil, fmt.Errorf("a number of more than %d characters", maxDigits)
	}
	n := new(number)
	var err error
	if n.double, err = strconv.ParseFloat(text, 64); err != nil {
		return nil, fmt.Errorf("%s is too large for a double", text)
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	switch zero := !strings.ContainsAny(mantissa, "123456789"); {
	case zero:
		text = "0" // a rational number would work out the exponent
	case n.double == 0:
		return nil, fmt.Errorf("%s is too small for a double", text)
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	n.exact = exact
	floor := new(big.Int).Div(exact.Num(), exact.Denom()) // Euclid's: the denominator is positive
	n.whole = exact.IsInt()
	switch {
	case floor.IsInt64():
		n.floor = floor.Int64()
	default:
		n.beyond = floor.Sign()
	}
	n.doubleCmp = shortest(n.double, 64).Cmp(exact)
	float, _ := strconv.ParseFloat(text, 32) // beyond a float's range: an infinity, which no message has
	n.float = float32(float)
	if !math.IsInf(float, 0) {
		n.floatCmp = shortest(float, 32).Cmp(exact)
	}
	return n, nil
}

// shortest is the decimal number that the envelope writes for f.
func shortest(f float64, bits int) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, bits))
	return r
}

// compare tells whether a number of a message is smaller (-1), equal (0) or greater (1) than n. v is of a numeric type
// and neither an infinity nor NaN.
func (n *number) compare(v *bridge.Value) int {
	switch v.Type() {
	case bridge.FloatType:
		f := float32(v.Float64())
		switch {
		case f < n.float:
			return -1
		case f > n.float:
			return 1
		default:
			return n.floatCmp
		}
	case bridge.DoubleType:
		f := v.Float64()
		switch {
		case f < n.double:
			return -1
		case f > n.double:
			return 1
		default:
			return n.doubleCmp
		}
	}
	i := v.Int64()
	switch {
	case n.beyond != 0:
		return -n.beyond
	case i < n.floor, i == n.floor && !n.whole:
		return -1
	case i > n.floor:
		return 1
	default:
		return 0
	}
}

// span is a range of numbers; a nil end is open.
type span struct {
	low, high         *number
	lowOpen, highOpen bool // the end itself does not belong to it
}

func (s *span) holds(v *bridge.Value) bool {
	if s.low != nil {
		if c := s.low.compare(v); c < 0 || c == 0 && s.lowOpen {
			return false
		}
	}
	if s.high != nil {
		if c := s.high.compare(v); c > 0 || c == 0 && s.highOpen {
			return false
		}
	}
	return true
}

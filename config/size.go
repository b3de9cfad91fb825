package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with its unit: 512B, 64KiB, 64MiB, 1GiB (powers of 1024), 64kB, 64MB, 1GB (powers
// of 1000).
type Size int64

// The binary units.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// sizeUnits are the units, the longer ones before the ones they end with.
var sizeUnits = [...]struct {
	name  string
	bytes Size
}{
	{"TiB", TiB},
	{"GiB", GiB},
	{"MiB", MiB},
	{"KiB", KiB},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

// ParseSize reads a size with its unit.
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a size: write a whole number and a unit, such as 64MiB", s)
		}
		if n > math.MaxInt64/int64(u.bytes) {
			return 0, fmt.Errorf("%q is more than can be counted", s)
		}
		return Size(n) * u.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size: write a whole number and a unit (B, KiB, MiB, GiB), such as 64MiB", s)
}

// String writes the size with the largest binary unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText writes the size as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

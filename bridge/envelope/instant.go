package envelope

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

const milliseconds = "2006-01-02T15:04:05.000Z"

// appendInstant appends t as a JSON string, to the millisecond.
func appendInstant(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	digits := 4
	if year < 0 || year > 9999 {
		// Java producers do set an expiration of Long.MAX_VALUE milliseconds.
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		dst = append(dst, sign)
		digits = 6
	}
	dst = append(appendPadded(dst, year, digits), '-')
	dst = append(appendPadded(dst, int(month), 2), '-')
	dst = append(appendPadded(dst, day, 2), 'T')
	dst = append(appendPadded(dst, hour, 2), ':')
	dst = append(appendPadded(dst, minute, 2), ':')
	dst = append(appendPadded(dst, second, 2), '.')
	return append(appendPadded(dst, t.Nanosecond()/int(time.Millisecond), 3), 'Z', '"')
}

// appendPadded appends n, which is not negative, with at least so many digits.
func appendPadded(dst []byte, n, digits int) []byte {
	for limit := 10; digits > 1; digits-- {
		if n < limit {
			dst = append(dst, "00000"[:digits-1]...)
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// AppendInstant appends t as the envelope writes it, without quotes.
func AppendInstant(dst []byte, t time.Time) []byte {
	start := len(dst)
	dst = appendInstant(dst, t)
	n := len(dst)
	copy(dst[start:], dst[start+1:n-1])
	return dst[:n-2]
}

var errInstant = errors.New("not an RFC 3339 instant (2006-01-02T15:04:05.000Z)")

// parseInstant reads what appendInstant writes, and any other RFC 3339 form with at most milliseconds.
func parseInstant(s string) (time.Time, error) {
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		return parseFarInstant(s)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errInstant
	}
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		return time.Time{}, errors.New("JMS knows no instants finer than a millisecond")
	}
	return t.UTC(), nil
}

// parseFarInstant reads an instant with a signed year of six to nine digits. The Gregorian calendar repeats every 400
// years, so the rest is read as in a year that time.Parse knows.
func parseFarInstant(s string) (time.Time, error) {
	at := strings.IndexByte(s[1:], '-') + 1
	if at < 7 || at > 10 {
		return time.Time{}, errInstant
	}
	year, err := strconv.Atoi(s[1:at])
	if err != nil || s[1] == '+' {
		return time.Time{}, errInstant
	}
	if s[0] == '-' {
		year = -year
	}
	near := 2000 + (year%400+400)%400
	text := strconv.Itoa(near) + s[at:]
	t, err := time.Parse(milliseconds, text)
	if err != nil || len(text) != len(milliseconds) {
		return time.Time{}, errInstant
	}
	far := time.Date(year, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return far, nil
}

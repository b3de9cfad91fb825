package sqs

import "encoding/json"

// escaped reads the string that began at start and has escapes, with the standard library.
func (r *reader) escaped(start int) (string, error) {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case '"':
			r.at++
			var s string
			if json.Unmarshal([]byte(r.text[start-1:r.at]), &s) != nil {
				return "", errAnswer
			}
			return s, nil
		case '\\':
			r.at++
		}
		r.at++
	}
	r.at = len(r.text)
	return "", errAnswer
}

package file

import (
	"bytes"
	"encoding/json"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Preview is what would be written of one message.
type Preview struct {
	Line json.RawMessage `json:"line"`
}

// Preview returns the line, without opening the file.
func (s *Sink) Preview(o *bridge.Outgoing) (any, error) {
	line, err := appendLine(nil, o)
	if err != nil {
		return nil, err
	}
	return &Preview{bytes.TrimSuffix(line, []byte{'\n'})}, nil
}

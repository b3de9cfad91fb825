package aws

import (
	"encoding/json"
	"strings"
)

// errorFields reads `__type` and `message` of an error's body; both are "" when it is no JSON, as what a proxy says.
func errorFields(body []byte) (code, message string) {
	var fields struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return "", firstWords(body)
	}
	code = fields.Type
	if code == "" {
		code = fields.Code
	}
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	code, _, _ = strings.Cut(code, ":")
	return code, fields.Message
}

// firstWords shows the beginning of an answer that is no JSON. The text is cut later, when no secret is in it any more.
func firstWords(body []byte) string {
	const most = 64 << 10 // nothing beyond it is shown, whatever is redacted
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), most)]), "")), " ")
	if text == "" {
		return ""
	}
	return "the answer is no JSON and begins: " + text
}

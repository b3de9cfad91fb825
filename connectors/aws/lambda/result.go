package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// readResult fills the results of a call that Lambda has answered.
func (f *form) readResult(call *aws.Call, batch []bridge.Outgoing, res []bridge.Result) error {
	if kind := call.Header.Get("X-Amz-Function-Error"); kind != "" {
		return functionError(kind, call, res)
	}
	failed, err := f.itemFailures(call.Answer, batch)
	if err != nil {
		return failure(res, &bridge.Error{
			Code: "BatchItemFailures", RequestID: call.RequestID, Err: err,
			Remedy: "return itemIdentifier of messages of this call, or their places counted from 0",
		})
	}
	for i := range res {
		res[i] = bridge.Result{ID: call.RequestID}
		switch {
		case failed[i]:
			res[i].Err = &bridge.Error{
				Class: bridge.Transient, Code: "BatchItemFailure", RequestID: call.RequestID,
				Err: errors.New("the function names this message in batchItemFailures"),
			}
		case len(batch) == 1 && !f.list:
			res[i].Reply = answer(call.Answer)
		}
	}
	return nil
}

// answer makes a message of a result.
func answer(result []byte) *bridge.Message {
	if text := string(result); utf8.ValidString(text) {
		return &bridge.Message{Body: bridge.NewText(text)}
	}
	return &bridge.Message{Body: bridge.NewBytes(string(result))}
}

// itemFailures reads which messages of a list have failed; none for a result without batchItemFailures. What Lambda's
// other mappings take for a failure of the whole is one here ("Implementing partial batch responses" of the developer
// guide).
func (f *form) itemFailures(result []byte, batch []bridge.Outgoing) (failed []bool, err error) {
	failed = make([]bool, len(batch))
	if !f.list && f.payload != ActiveMQ {
		return failed, nil
	}
	var answer struct {
		Failures json.RawMessage `json:"batchItemFailures"`
	}
	if problem := json.Unmarshal(result, &answer); problem != nil || len(answer.Failures) == 0 {
		return failed, nil //nolint:nilerr // a result of another kind says that all went well
	}
	var list []struct {
		Item *string `json:"itemIdentifier"`
	}
	if json.Unmarshal(answer.Failures, &list) != nil {
		return failed, errors.New("batchItemFailures is no list of objects with an itemIdentifier")
	}
	if len(list) == 0 {
		return failed, nil
	}
	places := make(map[string][]int, len(batch))
	for i := range batch {
		if id := batch[i].Message.ID; id != "" {
			places[id] = append(places[id], i)
		}
	}
	for _, one := range list {
		if one.Item == nil || *one.Item == "" {
			return failed, errors.New("batchItemFailures has an entry without itemIdentifier")
		}
		at, found := places[*one.Item] // more than one where a message came twice
		if n, err := strconv.Atoi(*one.Item); !found && err == nil && n >= 0 && n < len(batch) {
			at, found = []int{n}, true
		}
		if !found {
			return failed, fmt.Errorf("batchItemFailures names %.100q, which is no message of this call", *one.Item)
		}
		for _, i := range at {
			failed[i] = true
		}
	}
	return failed, nil
}

// maxTail bounds what an error repeats of the function's log.
const maxTail = 400

// functionError is an error that the function returned or that ended it. One that keeps it from running at all is no
// message's fault.
func functionError(kind string, call *aws.Call, res []bridge.Result) error {
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	_ = json.Unmarshal(call.Answer, &said) // else there is nothing more to say
	code := said.Type
	if !word.MatchString(code) {
		code = kind
	}
	if !word.MatchString(code) {
		code = "Unhandled"
	}
	text := fmt.Sprintf("the function's error (%s): %s", code, oneLine(said.Message))
	if tail := logTail(call.Header.Get("X-Amz-Log-Result")); tail != "" {
		text += "; its log ends: " + tail
	}
	e := &bridge.Error{Code: "FunctionError." + code, RequestID: call.RequestID, Err: errors.New(text)}
	if unready(code) {
		e.Remedy = remedyCode
		return e
	}
	return failure(res, e)
}

// unready tells whether Lambda could not begin to run the function: its package or its handler is wrong.
func unready(errorType string) bool {
	switch errorType {
	case "Runtime.InitError", "Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError", "Runtime.HandlerNotFound", "Runtime.MalformedHandlerName",
		"Runtime.InvalidEntrypoint", "Runtime.InvalidWorkingDir":
		return true
	}
	return false
}

// failure gives an error of the function its class: with several messages one of them may be the cause. Alone, the
// message has been answered for: as the result of the message, and not of the call, it counts as one of its attempts.
func failure(res []bridge.Result, e *bridge.Error) error {
	if len(res) > 1 {
		e.Class = bridge.Suspect
		return e
	}
	e.Class = bridge.Transient
	res[0] = bridge.Result{ID: e.RequestID, Err: e}
	return nil
}

// logTail returns the last lines of a function's log but for what Lambda itself writes there.
func logTail(encoded string) string {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "START RequestId") || strings.HasPrefix(line, "END RequestId") || strings.HasPrefix(line, "REPORT RequestId") {
			continue
		}
		lines = append(lines, line)
	}
	text := redact(strings.Join(lines, " | "))
	if len(text) > maxTail {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxTail:], "")
	}
	return text
}

// oneLine is a text without line ends, at most as long as a log's tail.
func oneLine(s string) string {
	if len(s) > 4*maxTail {
		s = s[:4*maxTail]
	}
	s = redact(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "))
	if len(s) > maxTail {
		s = strings.ToValidUTF8(s[:maxTail], "") + "…"
	}
	return s
}

// secrets are what functions write into their logs against better knowledge: access key ids (IAM user guide, "IAM
// identifiers"), and what is called a password, a secret or a token.
var secrets = regexp.MustCompile(`\b(A[A-Z]{3})[A-Z0-9]{12,}\b|(?i)((?:password|passwd|secret|token|api_?key|authorization)[\w-]*["']?\s*[:=]\s*(?:(?:bearer|basic)\s+)?["']?)[^\s"',;}|]+`)

func redact(s string) string { return secrets.ReplaceAllString(s, "$1$2…") }

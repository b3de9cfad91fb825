package eventbridge

import (
	"encoding/json"
	"fmt"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// readAnswer fills the results of the messages at these places from the answer, which names each by its place. chosen
// tells that the message chose the bus: then what is wrong with that is the message's fault.
func readAnswer(call *aws.Call, places []int, res []bridge.Result, chosen bool) error {
	var answer struct {
		Entries []struct {
			EventID      string `json:"EventId"`
			ErrorCode    string
			ErrorMessage string
		}
	}
	err := json.Unmarshal(call.Answer, &answer)
	if err == nil && len(answer.Entries) != len(places) {
		err = fmt.Errorf("it answers for %d events of %d", len(answer.Entries), len(places))
	}
	if err != nil {
		return &bridge.Error{Class: bridge.Ambiguous, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	for n, i := range places {
		entry := &answer.Entries[n]
		res[i] = bridge.Result{ID: entry.EventID}
		switch {
		case entry.ErrorCode != "":
			e := refused(entry.ErrorCode, entry.ErrorMessage, chosen)
			e.RequestID = call.RequestID
			res[i].Err = e
		case entry.EventID == "":
			res[i].Err = bridge.ErrUnanswered
		}
	}
	return nil
}

// refused gives an entry's error its class (EventBridge API reference, "PutEvents" and its user guide, "handling
// failures").
func refused(code, message string, chosen bool) *bridge.Error {
	e := aws.Answered(code, message, 0)
	switch code {
	case "MalformedDetail", "InvalidArgument", "InvalidArgumentException":
		e.Class = bridge.Permanent
	case "NotAuthorizedForSource", "NotAuthorizedForDetailType", "NotAuthorizedForSourceException", "NotAuthorizedForDetailTypeException":
		// The rights may name sources and detail-types, and those may come from the message.
		e.Class, e.Remedy = bridge.Permanent, "allow the source and detail-type in the policy's conditions (events:source, events:detail-type)"
	case "AccessDeniedException", "ResourceNotFoundException", "InvalidAccountIdException":
		e.Class = bridge.Fatal
		if chosen {
			e.Class = bridge.Permanent
		}
	}
	return e
}

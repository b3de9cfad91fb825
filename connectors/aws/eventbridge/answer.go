package eventbridge

import (
	"encoding/json"
	"fmt"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// readAnswer fills the results of the messages at these places from the answer, which names each by its place.
func (s *Sink) readAnswer(call *aws.Call, places []int, res []bridge.Result) error {
	var answer struct {
		FailedEntryCount int
		Entries          []struct {
			EventID      string `json:"EventId"`
			ErrorCode    string
			ErrorMessage string
		}
	}
	err := json.Unmarshal(call.Answer, &answer)
	if err == nil && len(answer.Entries) != len(places) {
		err = fmt.Errorf("it answers for %d events of %d", len(answer.Entries), len(places))
	}
	failed := 0
	for i := range answer.Entries {
		if answer.Entries[i].ErrorCode != "" {
			failed++
		}
	}
	if err == nil && answer.FailedEntryCount > failed {
		err = fmt.Errorf("it counts %d failed events and names %d", answer.FailedEntryCount, failed)
	}
	if err != nil {
		return &bridge.Error{Class: bridge.Ambiguous, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	for n, i := range places {
		entry := &answer.Entries[n]
		res[i] = bridge.Result{ID: entry.EventID}
		switch {
		case entry.ErrorCode != "":
			e := s.classed(call.Answered(entry.ErrorCode, entry.ErrorMessage, 0))
			e.RequestID = call.RequestID
			res[i] = bridge.Result{Err: e}
		case entry.EventID == "":
			res[i].Err = bridge.ErrUnanswered
		}
	}
	return nil
}

// classed gives EventBridge's own codes their class, of an entry and of a whole call (EventBridge API reference,
// "PutEvents" and "PutEventsResultEntry"). What is wrong with a bus, source or detail-type is the message's fault where
// the message chose it, and else the route's.
func (s *Sink) classed(e *bridge.Error) *bridge.Error {
	set := &s.settings
	faultOf := func(chosen bool) bridge.Class {
		if chosen {
			return bridge.Permanent
		}
		return bridge.Fatal
	}
	const conditions = "allow the source and detail-type in the policy's conditions (events:source, events:detail-type)"
	switch e.Code {
	case "MalformedDetail", "InvalidArgument", "InvalidArgumentException", "RedactionFailure":
		e.Class = bridge.Permanent
	case "NotAuthorizedForSource", "NotAuthorizedForSourceException":
		e.Class, e.Remedy = faultOf(!set.Source.IsLiteral()), conditions
	case "NotAuthorizedForDetailType", "NotAuthorizedForDetailTypeException":
		e.Class, e.Remedy = faultOf(!set.DetailType.IsLiteral()), conditions
	case "AccessDenied", "AccessDeniedException", "ResourceNotFoundException", "InvalidAccountIdException":
		e.Class = faultOf(!set.Bus.IsLiteral())
	case "OperationDisabledException":
		e.Class, e.Remedy = bridge.Fatal, "use a region in which EventBridge has the operation"
	}
	return e
}

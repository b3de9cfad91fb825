package bridge

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Class says what an error means for the message, the target or the route, and so what the engine does.
type Class uint8

const (
	// Transient may pass: try again. Unknown errors count as Transient, for a duplicate is better than a loss.
	Transient Class = iota
	// Throttled asks for less: slow down and try again; not counted as an attempt.
	Throttled
	// Permanent says that this message can never succeed: dead letter.
	Permanent
	// Suspect says that one message of the batch may be the cause: halve the batch, uncounted, until it is alone.
	Suspect
	// Fatal says that this route can't work as it is configured (credentials, missing queue, access denied): pause it
	// and leave other routes alone.
	Fatal
	// Ambiguous may have happened: try again with the same key, counted as a possible duplicate.
	Ambiguous
)

// String returns the word for logs, metrics and diagnoses: "transient", "throttled", "permanent", ….
func (c Class) String() string {
	switch c {
	case Throttled:
		return "throttled"
	case Permanent:
		return "permanent"
	case Suspect:
		return "suspect"
	case Fatal:
		return "fatal"
	case Ambiguous:
		return "ambiguous"
	default:
		return "transient"
	}
}

var (
	// ErrNotConnected says that Connect has to be called (again).
	ErrNotConnected = errors.New("not connected")
	// ErrSettled says that a delivery has been settled before.
	ErrSettled = errors.New("delivery is already settled")
	// ErrLost says that the connection of a delivery is gone and the message will be delivered again.
	ErrLost = errors.New("delivery is lost with its connection")
	// ErrUnanswered is preset in each Result: the call ended without a word about this message.
	ErrUnanswered error = &Error{Class: Ambiguous, Code: "unanswered", Err: errors.New("the target gave no answer for this message")}
)

// Error is an error with its class. Connectors return it wrapped or bare; [ClassOf] finds it.
type Error struct {
	Class Class
	// Code is the peer's own code or class name ("AccessDenied", "SecurityException"); "" when it has none.
	Code string
	// RequestID is the AWS request id; "" when there is none.
	RequestID string
	// After is how long the peer asked to wait; 0: it did not say.
	After time.Duration
	// Err is the cause. It is not nil.
	Err error
	// OfTarget says that the failure is the target's own, not the message's, although the answer names the message (an
	// internal error for an entry of a batch): it is charged to the message only when others succeed meanwhile.
	OfTarget bool
	// Unsent says that the sink itself found the failure, in the message, before anything was sent: the receiver is not to
	// blame, and may well take another message in its place.
	Unsent bool
	// Remedy says what to do about it, in a sentence for the operator; "" when there is nothing to add.
	Remedy string
}

// Error returns the cause, with the code when the cause does not name it, and the remedy.
func (e *Error) Error() string {
	text := e.Err.Error()
	if e.Code != "" && !strings.Contains(text, e.Code) {
		text = e.Code + ": " + text
	}
	if e.Remedy != "" && !strings.Contains(text, e.Remedy) { // the cause may have said so
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Classed returns err with a class, or nil for nil. The class of an error that has one already is replaced.
func Classed(c Class, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return &Error{Class: c, Code: e.Code, RequestID: e.RequestID, After: e.After, OfTarget: e.OfTarget, Unsent: e.Unsent, Remedy: "", Err: err}
	}
	return &Error{Class: c, Err: err}
}

// Errorf is fmt.Errorf with a class.
func Errorf(c Class, format string, args ...any) error {
	return &Error{Class: c, Err: fmt.Errorf(format, args...)}
}

// AsError returns the outermost *Error in err's chain, or one of class Transient around err. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: Transient, Err: err}
}

// ClassOf returns the class of err; Transient when nothing in its chain has one.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Transient
}

// Explain returns what went wrong and what to do about it apart, for where each has a field of its own.
func Explain(err error) (reason, remedy string) {
	if err == nil {
		return "", ""
	}
	remedy = AsError(err).Remedy
	reason = err.Error()
	if remedy != "" {
		reason = strings.Replace(reason, "; "+remedy, "", 1)
	}
	return reason, remedy
}

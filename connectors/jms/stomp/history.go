package stomp

import (
	"fmt"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
)

// The codes of faults that mean something else when they stay.
const (
	// codeClientID is Classic's answer to a client id that another connection has: perhaps our own, which has died and
	// which the broker has not missed yet.
	codeClientID = "InvalidClientIDException"
	// codeDurableInUse is the same for a durable subscription.
	codeDurableInUse = "durable-in-use"
	// codeUnconvertible is Artemis ending the consumer because it can't turn an AMQP message into a frame.
	codeUnconvertible = "unconvertible"
	// codeArtemisAck is Artemis refusing an acknowledgement. After it has ended a consumer, that is its answer to the
	// acknowledgements under way, and may come before the reason.
	codeArtemisAck = "AMQ339018"
	// codeProtocol is a peer that sends what can't be read.
	codeProtocol = "protocol"
)

const (
	// silentTimes is how many handshakes in a row nobody answers before the port counts as the wrong one: a TLS hello on
	// a plaintext port of Classic, and most bytes on a port of another protocol, are left unanswered.
	silentTimes = 3
	// unconvertibleTimes is how often in a row Artemis may end the consumer for a message before the route stops.
	unconvertibleTimes = 3
	// unreadableTimes is how often in a row a connection may end with the same frame that can't be read.
	unreadableTimes = 3
	// shortLife is how long a connection must have lived so that how it ended says nothing of the next.
	shortLife = 5 * time.Minute
	// inUseFor is how long a name may be in use by a connection that may be our own dead one. Both brokers miss a dead
	// client within about a minute (heart-beats of 10 s; a connection TTL of 60 s where there are none).
	inUseFor = 2 * time.Minute
)

// history is what the last connections came to: some faults show only in repetition.
type history struct {
	mu            sync.Mutex
	silent        int
	unconvertible int
	named         bool      // one of those times Artemis gave the reason
	unreadable    int       // times that fault ended a connection
	fault         string    // what could not be read
	since         time.Time // of the current connection
	inUse         time.Time // since when; zero: not
}

// connected forgets the failed attempts.
func (h *history) connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent, h.inUse, h.since = 0, time.Time{}, time.Now()
}

// refused judges a failed attempt to connect.
func (h *history) refused(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := bridge.AsError(err)
	if e.Code != jms.CodeSilent {
		h.silent = 0
	}
	if e.Code != codeClientID && e.Code != codeDurableInUse {
		h.inUse = time.Time{}
	}
	switch e.Code {
	case jms.CodeSilent:
		if h.silent++; h.silent >= silentTimes {
			return &bridge.Error{
				Class: bridge.Fatal, Code: e.Code, Err: fmt.Errorf("%d times in a row: %w", h.silent, err),
				Remedy: "check host, port and scheme of the broker's URL",
			}
		}
	case codeClientID, codeDurableInUse:
		if h.inUse.IsZero() {
			h.inUse = time.Now()
		}
		if since := time.Since(h.inUse); since >= inUseFor {
			return &bridge.Error{
				Class: bridge.Fatal, Code: e.Code, Err: fmt.Errorf("for %s: %w", since.Round(time.Second), err),
				Remedy: "another client uses this client_id or subscription; stop it, or choose another",
			}
		}
	}
	return err
}

// lost judges the end of a connection.
func (h *history) lost(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := bridge.AsError(err)
	short := time.Since(h.since) < shortLife
	if e.Code != codeProtocol || !short {
		h.unreadable, h.fault = 0, ""
	}
	if e.Code != codeUnconvertible && (e.Code != codeArtemisAck || !short) {
		h.unconvertible, h.named = 0, false
	}
	switch e.Code {
	case codeProtocol:
		if fault := err.Error(); fault != h.fault {
			h.unreadable, h.fault = 0, fault
		}
		if h.unreadable++; h.unreadable >= unreadableTimes {
			return &bridge.Error{
				Class: bridge.Fatal, Code: codeProtocol, Err: fmt.Errorf("%d times in a row: %w", h.unreadable, err),
				Remedy: "the next message of the destination can't be read over STOMP; consume it over OpenWire, or remove it",
			}
		}
	case codeUnconvertible, codeArtemisAck:
		h.named = h.named || e.Code == codeUnconvertible
		if h.unconvertible++; h.unconvertible < unconvertibleTimes {
			return err
		}
		remedy := "the queue holds a message of an AMQP client that Artemis can't pass on over STOMP; use an AMQP source"
		if !h.named {
			remedy = "probably " + remedy
		}
		return &bridge.Error{
			Class: bridge.Fatal, Code: codeUnconvertible, Err: fmt.Errorf("%d times in a row: %w", h.unconvertible, err),
			Remedy: remedy,
		}
	}
	return err
}

package stomp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// Sink produces to a broker over one connection, each message with a receipt, many in flight. It implements
// [bridge.Sink], [bridge.Remarker] and [bridge.Inspector].
type Sink struct {
	set      SinkSettings
	history  history
	lane     atomic.Pointer[lane]
	refusals refusals
}

// ownDestination routes each message to the destination that it names.
func ownDestination(o *bridge.Outgoing) (bridge.Destination, error) {
	if o.Message.Destination.IsZero() {
		return bridge.Destination{}, errors.New("the message names no destination")
	}
	return o.Message.Destination, nil
}

// lane is one connection of a Sink.
type lane struct {
	sink *Sink
	conn *client.Conn
	enc  encoder

	decode decoder       // of answers; the reader's
	ended  chan struct{} // closed with the connection

	mu     sync.Mutex
	oldest map[*call]time.Time // calls that wait, and since when
	strays strays
}

// NewSink returns a sink that is not connected yet. An error says what of the settings can't be.
func NewSink(set SinkSettings) (*Sink, error) {
	if err := set.check(); err != nil {
		return nil, err
	}
	if set.Route == nil && set.Destination.IsZero() {
		set.Route = ownDestination
	}
	if set.Calls <= 0 {
		set.Calls = 8
	}
	if set.Messages <= 0 {
		set.Messages = 64
	}
	if set.Log == nil {
		set.Log = zap.NewNop()
	}
	return &Sink{set: set}, nil
}

// Connect makes one attempt at the broker's endpoints. It follows the contract of [bridge.Sink].
func (s *Sink) Connect(ctx context.Context) error {
	if old := s.lane.Swap(nil); old != nil {
		old.conn.Close()
	}
	maxBody := 64 << 10
	if s.set.Answers != nil {
		maxBody = 0
	}
	var l *lane
	endpoint, err := s.set.Broker.Connect(ctx, func(ctx context.Context, nc net.Conn, e jms.Endpoint) error {
		_, err := dialogue(ctx, s.set.Broker, nc, e, clientConfig(s.set.Broker, s.set.HeartBeat, maxBody), func(c *client.Conn) client.Handler {
			l = newLane(s, c)
			return l
		})
		return err
	})
	if err != nil {
		return s.history.refused(err)
	}
	if s.set.Answers != nil {
		if err := l.hearAnswers(ctx); err != nil {
			l.conn.Close()
			return s.history.refused(err)
		}
	}
	s.history.connected()
	s.lane.Store(l)
	s.set.Log.Info("connected", zap.String(bridge.LogBroker, s.set.Broker.Name), zap.Stringer(bridge.LogEndpoint, endpoint),
		zap.String("server", l.conn.Server()))
	return nil
}

func newLane(s *Sink, c *client.Conn) *lane {
	return &lane{
		sink: s, conn: c, enc: newEncoder(c.Kind(), c.Version()), oldest: map[*call]time.Time{}, ended: make(chan struct{}),
		decode: newDecoder(c.Kind(), c.Version(), SourceSettings{Destination: AnswerQueue(), EmptyBodyText: true}),
	}
}

// Ready tells what a Send would fail with now; nil: there is a connection.
func (s *Sink) Ready() error {
	l := s.lane.Load()
	if l == nil {
		return bridge.ErrNotConnected
	}
	if cause := l.conn.Cause(); cause != nil {
		return fmt.Errorf("%w: %w", bridge.ErrNotConnected, cause)
	}
	return nil
}

// Limits returns what a call may hold. There is no timeout, because the broker withholds receipts while a queue is full
// and stores those messages later: sending them again would double them. The connection's heart-beats end a call whose
// broker is gone.
func (s *Sink) Limits() bridge.Limits {
	return bridge.Limits{
		Messages: s.set.Messages, Bytes: 1 << 20, MessageBytes: maxMessage, Calls: s.set.Calls,
		// Classic goes on after a message that it refuses, so the next of the group would overtake it.
		Run: 1, Dedup: true,
	}
}

// Size returns an upper bound of the frame, or why the message can never be sent.
func (s *Sink) Size(o *bridge.Outgoing) (int, error) {
	l := s.lane.Load()
	if l == nil {
		return encoder{}.size(o)
	}
	return l.enc.size(o)
}

// call is one Send: it waits until each of its receipts has come, or the connection has ended.
type call struct {
	left atomic.Int64
	done chan struct{}
}

func (c *call) answered() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// Send follows the contract of [bridge.Sink]. When ctx ends while receipts are missing, the connection is given up:
// the broker may store those messages later, and sending them again on the same connection would certainly do so.
func (s *Sink) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	l := s.lane.Load()
	if l == nil {
		return fmt.Errorf("sending: %w", bridge.ErrNotConnected)
	}
	s.send(ctx, l, batch, res)
	return nil
}

// send sends over one connection.
func (s *Sink) send(ctx context.Context, l *lane, batch []bridge.Outgoing, res []bridge.Result) {
	c := &call{done: make(chan struct{})}
	c.left.Store(int64(len(batch)) + 1)
	errs := make([]error, len(batch))
	for i := range batch {
		frame, err := l.frame(&batch[i])
		if err != nil {
			errs[i] = err
			c.answered()
			continue
		}
		l.conn.Post(frame.build, func(err error) {
			errs[i] = err
			c.answered()
		})
	}
	c.answered()
	l.waits(c, time.Now())
	defer l.waits(c, time.Time{})
	select {
	case <-c.done:
	case <-ctx.Done():
		l.conn.Close() // fails the receipts that are missing
		<-c.done
	}
	for i := range res {
		res[i].Err = l.classifySend(&batch[i], errs[i])
	}
	if cause := l.conn.Cause(); cause != nil {
		s.lane.CompareAndSwap(l, nil)
	}
}

// frame encodes a message for its destination.
func (l *lane) frame(o *bridge.Outgoing) (*sendFrame, error) {
	to, err := l.destination(o)
	if err != nil {
		return nil, err
	}
	return l.enc.frame(o, to)
}

// destination finds and judges where a message goes.
func (l *lane) destination(o *bridge.Outgoing) (bridge.Destination, error) {
	route := l.sink.set.Route
	if route == nil {
		return l.sink.set.Destination, nil
	}
	to, err := route(o)
	if err != nil {
		var own *bridge.Error
		if errors.As(err, &own) {
			return to, err
		}
		return to, &bridge.Error{Class: bridge.Permanent, Code: "destination", Err: err}
	}
	if err := checkTarget(to); err != nil {
		return to, unsendable("destination", err.Error())
	}
	return to, nil
}

// waits notes since when a call waits; the zero time forgets it.
func (l *lane) waits(c *call, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since.IsZero() {
		delete(l.oldest, c)
		return
	}
	l.oldest[c] = since
}

// classifySend gives the fate of one message its class. What was written and has no answer may have happened.
func (l *lane) classifySend(o *bridge.Outgoing, err error) error {
	var server *client.ServerError
	var lost *client.LostError
	var own *bridge.Error
	switch {
	case err == nil:
		if l.sink.refusals.any() {
			if to, err := l.destination(o); err == nil {
				l.sink.refusals.forget(to)
			}
		}
		return nil
	case errors.As(err, &own):
		return err
	case errors.Is(err, client.ErrNotWritten):
		return &bridge.Error{Class: bridge.Transient, Code: "not-connected", Err: fmt.Errorf("%w: %w", bridge.ErrNotConnected, err)}
	case !errors.As(err, &lost) && errors.As(err, &server): // when lost, the ERROR is another's
		return l.classifyRefusal(o, server, err)
	default:
		return &bridge.Error{Class: bridge.Ambiguous, Code: "lost-connection", Err: fmt.Errorf("sending: %w: %w", bridge.ErrNotConnected, err)}
	}
}

// classifyRefusal reads an ERROR that answers a SEND. Artemis says the same of a full address and of a missing
// permission; a full one recovers, and one that refuses twice in a row counts as forbidden.
func (l *lane) classifyRefusal(o *bridge.Outgoing, server *client.ServerError, err error) error {
	class, code := classifyServer(server, l.conn.Kind())
	if code == codeArtemisSend {
		if to, err := l.destination(o); err == nil && l.sink.refusals.again(to) {
			class = bridge.Fatal
		}
	}
	if class == bridge.Fatal && l.sink.set.Route != nil {
		class = bridge.Permanent // the fault of the message's own destination
	}
	e := &bridge.Error{Class: class, Code: code, Err: fmt.Errorf("sending: %w", err)}
	if l.conn.Kind() != client.Classic { // every ERROR ends the connection
		e.Err = fmt.Errorf("sending: %w: %w", err, bridge.ErrNotConnected)
	}
	return e
}

// refusals are the destinations that refused the last message to them, over connections.
type refusals struct {
	count atomic.Int32
	mu    sync.Mutex
	last  map[bridge.Destination]struct{}
}

// mostRefusals bounds what templates can make; a destination that is forgotten gets one more try.
const mostRefusals = 1000

func (r *refusals) any() bool { return r.count.Load() > 0 }

// again notes a refusal and tells whether the one before it was of the same destination.
func (r *refusals) again(d bridge.Destination) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.last[d]; ok {
		return true
	}
	if r.last == nil || len(r.last) >= mostRefusals {
		r.last = map[bridge.Destination]struct{}{}
	}
	r.last[d] = struct{}{}
	r.count.Store(int32(len(r.last))) //nolint:gosec // mostRefusals is far below
	return false
}

func (r *refusals) forget(d bridge.Destination) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, d)
	r.count.Store(int32(len(r.last))) //nolint:gosec // mostRefusals is far below
}

// codeArtemisSend is Artemis's answer to a message that it does not take, whatever the reason.
const codeArtemisSend = "AMQ339011"

// Remarks tells that the broker withholds receipts, which Classic does while a queue is full.
func (s *Sink) Remarks() []string {
	l := s.lane.Load()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := time.Duration(0)
	for _, since := range l.oldest {
		oldest = max(oldest, time.Since(since))
	}
	if oldest < withheldAfter {
		return nil
	}
	return []string{fmt.Sprintf("target full: the broker has withheld %d receipts, the oldest for %s; it stores those messages when its queue has room",
		l.conn.Pending(), oldest.Round(time.Second))}
}

// withheldAfter is how long a receipt may take before it counts as withheld.
const withheldAfter = 5 * time.Second

// Close disconnects; no Send runs. Each Send has waited for its receipts, so a connection that the broker has ended
// before, or ends meanwhile, leaves nothing open.
func (s *Sink) Close(ctx context.Context) error {
	l := s.lane.Swap(nil)
	if l == nil {
		return nil
	}
	unanswered := l.conn.Pending()
	err := l.conn.Disconnect(ctx)
	var lost *client.LostError
	if unanswered == 0 && (errors.Is(err, client.ErrNotWritten) || errors.As(err, &lost)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("closing the connection to broker %s: %w", s.set.Broker.Name, classify(err, l.conn.Kind()))
	}
	return nil
}

// BeforeRead has nothing to wait for: Message never waits. With Message, Broken, Failed, AppendOutput and Closed it
// implements [client.Handler].
func (l *lane) BeforeRead(<-chan struct{}) {}

// Broken has nothing to hand over.
func (l *lane) Broken(<-chan struct{}) {}

// AppendOutput adds nothing: frames are posted.
func (l *lane) AppendOutput(dst []byte) []byte { return dst }

// Closed tells those who wait for answers; the calls learn it from their receipts.
func (l *lane) Closed(error) {
	l.strays.end(l.sink.set.Log, l.sink.set.Broker.Name)
	close(l.ended)
}

// Failed notes an ERROR frame that answers no receipt.
func (l *lane) Failed(e *client.ServerError) {
	l.strays.note(l.sink.set.Log, l.sink.set.Broker.Name, e)
}

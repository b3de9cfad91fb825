package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const (
	// batchMessages and batchBytes are what one SendMessageBatch takes (SQS developer guide, "message quotas").
	batchMessages = 10
	batchBytes    = 1 << 20
	// safeBytes is the limit to keep to where the queue's own can't be read: what every queue took before 2025.
	safeBytes = 256 << 10

	defaultCalls   = 32
	defaultTimeout = 30 * time.Second
	defaultLinger  = 5 * time.Millisecond
	refreshEvery   = time.Hour
	refreshTimeout = 30 * time.Second
)

// SinkSettings say to which queue a sink sends, and in which form.
type SinkSettings struct {
	// Client reaches AWS. It is shared, and not closed by the sink.
	Client *aws.Client
	// Queue is the queue's name, URL or ARN.
	Queue string
	// Envelope sends the whole message as JSON instead of its body with attributes.
	Envelope bool
	// Attributes are the properties and headers (under their attribute's name) that stay attributes when there are more
	// than ten, the first first; with Envelope, those that become attributes besides.
	Attributes []string
	// ObjectBase64 passes serialised Java objects on in base64. Without it such a message is refused for good; a dead
	// letter takes it all the same.
	ObjectBase64 bool
	// Calls is how many calls may run at once; 0: 32.
	Calls int
	// Timeout is the deadline for one call; 0: 30 s.
	Timeout time.Duration
	// Linger is how long a batch waits for more while calls are in flight; 0: 5 ms.
	Linger time.Duration
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

// Sink sends to one queue. It is a [bridge.Sink], a [bridge.Inspector] and a [bridge.Remarker].
type Sink struct {
	settings SinkSettings
	address  address
	form     form
	works    sync.Pool

	maxSize atomic.Int64 // the queue's limit for one message

	mu      sync.Mutex // guards what follows
	now     *connection
	remarks []string
}

// connection is what Connect found. It is not changed.
type connection struct {
	send   *aws.Caller
	prefix []byte // of each request: the queue's URL, up to the entries
	stop   context.CancelFunc
	done   chan struct{} // closed when the refresher has ended
}

var (
	_ bridge.Sink      = (*Sink)(nil)
	_ bridge.Inspector = (*Sink)(nil)
	_ bridge.Remarker  = (*Sink)(nil)
)

// NewSink returns a sink. It dials nothing yet.
func NewSink(s SinkSettings) (*Sink, error) {
	if s.Client == nil {
		return nil, errors.New("the AWS client is missing")
	}
	a, err := parseAddress(s.Queue)
	if err != nil {
		return nil, err
	}
	if s.Calls <= 0 {
		s.Calls = defaultCalls
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Linger <= 0 {
		s.Linger = defaultLinger
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	sink := &Sink{settings: s, address: a}
	sink.form = form{envelope: s.Envelope, objectBase64: s.ObjectBase64, fifo: strings.HasSuffix(a.name, ".fifo")}
	if len(s.Attributes) > 0 {
		sink.form.rank = make(map[string]int32, len(s.Attributes))
		for i, name := range s.Attributes {
			if _, twice := sink.form.rank[name]; !twice {
				sink.form.rank[name] = int32(rankNamed + i)
			}
		}
	}
	sink.works.New = func() any { return &work{} }
	sink.maxSize.Store(batchBytes)
	return sink, nil
}

// Connect looks up the queue and its limits. Where the right to read them is missing, it goes on with 256 KiB.
func (s *Sink) Connect(ctx context.Context) error {
	s.disconnect()
	found, err := s.look(ctx)
	if err != nil {
		return fmt.Errorf("connecting to queue %s: %w", s.settings.Queue, err)
	}
	send, err := s.settings.Client.Caller(found.lookups.endpoint, "AmazonSQS.SendMessageBatch")
	if err != nil {
		return err
	}
	s.maxSize.Store(int64(found.maxSize))
	for _, remark := range found.remarks {
		s.settings.Log.Warn("the queue can be used, but not looked at", zap.String(bridge.LogTarget, s.settings.Queue), zap.String(bridge.LogReason, remark))
	}
	prefix := append([]byte(`{"QueueUrl":"`), appendEscaped(nil, found.url)...)
	refresh, stop := context.WithCancel(context.Background())
	c := &connection{send: send, prefix: append(prefix, `","Entries":[`...), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		s.refresh(refresh, found)
	}()
	s.mu.Lock()
	s.now, s.remarks = c, found.remarks
	s.mu.Unlock()
	return nil
}

// found is what looking up a queue gave.
type found struct {
	lookups    *lookups
	url        string
	attributes queueAttributes // nil: may not be read
	maxSize    int
	remarks    []string
}

// look asks AWS about the queue.
func (s *Sink) look(ctx context.Context) (*found, error) {
	cfg, err := s.settings.Client.Config(ctx)
	if err != nil {
		return nil, err
	}
	endpoint, err := s.address.endpoint(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f := &found{maxSize: safeBytes}
	if f.lookups, err = newLookups(s.settings.Client, endpoint); err != nil {
		return nil, err
	}
	var remark string
	if f.url, remark, err = f.lookups.findURL(ctx, s.address); err != nil {
		return nil, err
	}
	if remark != "" {
		f.remarks = append(f.remarks, remark)
	}
	f.attributes, err = f.lookups.attributes(ctx, f.url)
	switch {
	case err == nil:
		f.maxSize = min(f.attributes.number("MaximumMessageSize", safeBytes), batchBytes)
	case denied(err):
		f.remarks = append(f.remarks, "sqs:GetQueueAttributes is denied: messages over 256 KiB are taken for too large")
	default:
		return nil, err
	}
	return f, nil
}

// refresh reads the queue's limit every hour, until ctx ends. A failure leaves it as it was.
func (s *Sink) refresh(ctx context.Context, f *found) {
	if f.attributes == nil {
		return
	}
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		once, cancel := context.WithTimeout(ctx, refreshTimeout)
		a, err := f.lookups.attributes(once, f.url)
		cancel()
		if err == nil {
			s.maxSize.Store(int64(min(a.number("MaximumMessageSize", safeBytes), batchBytes)))
		}
	}
}

func (s *Sink) disconnect() {
	s.mu.Lock()
	c := s.now
	s.now = nil
	s.mu.Unlock()
	if c != nil {
		c.stop()
		<-c.done
	}
}

// Limits are ten messages and 1 MiB a call. One message of a group a call, for a FIFO queue may refuse an entry and take
// the next one of the same group.
func (s *Sink) Limits() bridge.Limits {
	return bridge.Limits{
		Messages: batchMessages, Bytes: batchBytes, Calls: s.settings.Calls, Run: 1,
		Timeout: s.settings.Timeout, Linger: s.settings.Linger, Dedup: s.form.fifo, Group: s.form.fifo,
	}
}

// Send makes one SendMessageBatch. AWS's digests of the bodies are not compared: the signature covers the whole
// request, so what AWS took is what was sent.
func (s *Sink) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	s.mu.Lock()
	c := s.now
	s.mu.Unlock()
	if c == nil {
		return bridge.Classed(bridge.Transient, bridge.ErrNotConnected)
	}
	call := c.send.Acquire()
	defer call.Release()
	sent := s.write(call, c.prefix, batch, res)
	if sent == 0 {
		return nil
	}
	err := call.Do(ctx)
	if err == nil {
		if err = readAnswer(call, res); err == nil {
			return nil
		}
	} else {
		err = aws.Alone(bridge.AsError(err), sent)
	}
	if sent == len(batch) {
		return err
	}
	for i := range res { // those that had no form keep their own error
		if errors.Is(res[i].Err, bridge.ErrUnanswered) {
			res[i].Err = err
		}
	}
	return nil
}

// write makes the request of the messages that have a form, and gives the others their error. It returns how many
// have one.
func (s *Sink) write(call *aws.Call, prefix []byte, batch []bridge.Outgoing, res []bridge.Result) (sent int) {
	w, _ := s.works.Get().(*work)
	defer s.works.Put(w)
	b := append(call.Body[:0], prefix...)
	for i := range batch {
		o := &batch[i]
		if err := w.fill(&s.form, o); err != nil {
			res[i].Err = err
			continue
		}
		if sent > 0 {
			b = append(b, ',')
		}
		var group, dedup string
		if s.form.fifo {
			group, dedup = groupID(o), dedupID(o)
		}
		b = w.appendEntry(b, i, group, dedup)
		sent++
	}
	call.Body = append(b, ']', '}')
	w.release()
	return sent
}

// Remarks returns what the connection found that the operator should see.
func (s *Sink) Remarks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remarks
}

// Close ends the sink's own goroutine. The connections belong to the client.
func (s *Sink) Close(context.Context) error {
	s.disconnect()
	return nil
}

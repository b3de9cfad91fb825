package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	ebapi "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	smithy "github.com/aws/smithy-go/endpoints"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const (
	// batchEvents and batchBytes are what one PutEvents takes (EventBridge user guide, "PutEvents": ten entries, less
	// than 1 MB together).
	batchEvents = 10
	batchBytes  = 1<<20 - 1
	// maxEvent is the most that an event may have: EventBridge writes about 200 bytes around it, and accepts and drops an
	// event that is then over the 1 MiB that its targets take.
	maxEvent = 1<<20 - 1<<10

	defaultCalls   = 32
	defaultTimeout = 30 * time.Second
	defaultLinger  = 5 * time.Millisecond
)

// SinkSettings say to which bus a sink puts events, and in which form.
type SinkSettings struct {
	// Client reaches AWS. It is shared, and not closed by the sink.
	Client *aws.Client
	// Bus is the bus's name or ARN. One that depends on the message needs Allows, which judges the name.
	Bus    *stage.Template
	Allows func(bus string) bool
	// Source, DetailType and Resources are those of the events. Time is theirs in RFC 3339; nil: JMSTimestamp.
	Source, DetailType, Time *stage.Template
	Resources                []*stage.Template
	// Body makes the detail of the body alone instead of the envelope.
	Body bool
	// ObjectBase64 passes serialised Java objects on in base64. Without it such a message is refused for good.
	ObjectBase64 bool
	// Calls is how many calls may run at once; 0: 32.
	Calls int
	// Timeout is the deadline for one call; 0: 30 s.
	Timeout time.Duration
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

// Sink puts events on a bus. It is a [bridge.Sink], a [bridge.Inspector] and a [bridge.Remarker].
type Sink struct {
	settings SinkSettings
	form     form

	mu      sync.Mutex // guards what follows
	caller  *aws.Caller
	remarks []string
}

var (
	_ bridge.Sink      = (*Sink)(nil)
	_ bridge.Inspector = (*Sink)(nil)
	_ bridge.Remarker  = (*Sink)(nil)
)

// NewSink returns a sink. It dials nothing yet.
func NewSink(s SinkSettings) (*Sink, error) {
	switch {
	case s.Client == nil:
		return nil, errors.New("the AWS client is missing")
	case s.Bus == nil || s.Source == nil || s.DetailType == nil:
		return nil, errors.New("bus, source and detail-type are required")
	case !s.Bus.IsLiteral() && s.Allows == nil:
		return nil, errors.New("a bus that depends on the message needs a list of those that are allowed")
	}
	if err := judgeLiterals(&s); err != nil {
		return nil, err
	}
	if s.Calls <= 0 {
		s.Calls = defaultCalls
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	return &Sink{settings: s, form: form{&s}}, nil
}

// judgeLiterals refuses settings with which no message could be sent.
func judgeLiterals(s *SinkSettings) error {
	for _, part := range []struct {
		template *stage.Template
		judge    func(string) *bridge.Error
	}{{s.Bus, judgeBus}, {s.Source, judgeSource}, {s.DetailType, judgeDetailType}} {
		if !part.template.IsLiteral() {
			continue
		}
		text, _ := part.template.Expand(&bridge.Message{}) // a literal can't fail
		if e := part.judge(text); e != nil {
			return e.Err
		}
	}
	return nil
}

// bus returns the bus that does not depend on the message; "" where it does.
func (s *Sink) bus() string {
	if !s.settings.Bus.IsLiteral() {
		return ""
	}
	name, _ := s.settings.Bus.Expand(&bridge.Message{}) // a literal can't fail
	return name
}

// Connect looks at the bus. Where the right to do so is missing, or the bus depends on the message, it goes on.
func (s *Sink) Connect(ctx context.Context) error {
	f, err := s.look(ctx)
	if err != nil {
		return fmt.Errorf("connecting to event bus %s: %w", s.settings.Bus, err)
	}
	caller, err := s.settings.Client.CallerOf(f.endpoint, aws.Operation{
		ContentType: "application/x-amz-json-1.1", Headers: map[string]string{"X-Amz-Target": "AWSEvents.PutEvents"},
	})
	if err != nil {
		return err
	}
	for _, remark := range f.remarks {
		s.settings.Log.Warn("the event bus can be used, but not looked at",
			zap.String(bridge.LogTarget, s.settings.Bus.String()), zap.String(bridge.LogReason, remark))
	}
	s.mu.Lock()
	s.caller, s.remarks = caller, f.remarks
	s.mu.Unlock()
	return nil
}

// found is what looking at a bus gave.
type found struct {
	endpoint aws.Endpoint
	bus      *ebapi.DescribeEventBusOutput // nil: may not be read, or depends on the message
	remarks  []string
}

// look asks EventBridge about the bus.
func (s *Sink) look(ctx context.Context) (*found, error) {
	cfg, err := s.settings.Client.Config(ctx)
	if err != nil {
		return nil, err
	}
	bus := s.bus()
	if part := strings.Split(bus, ":"); len(part) == 6 && part[3] != "" {
		cfg.Region = part[3]
	}
	f := &found{}
	if f.endpoint, err = endpoint(ctx, cfg); err != nil || bus == "" {
		return f, err
	}
	if cfg.Region == "" {
		cfg.Region = f.endpoint.Region
	}
	out, err := ebapi.NewFromConfig(cfg).DescribeEventBus(ctx, &ebapi.DescribeEventBusInput{Name: &bus})
	if err == nil {
		f.bus = out
		return f, nil
	}
	switch e := aws.Classify(err); {
	case denied(e.Code):
		f.remarks = append(f.remarks, "events:DescribeEventBus is denied: whether the bus is there is not known, and EventBridge drops events for one that is not")
		return f, nil
	case e.Code == "ResourceNotFoundException":
		e.Class, e.Remedy = bridge.Fatal, "create the event bus, or correct its name, region and account"
		return nil, e
	default:
		return nil, aws.Harmless(e)
	}
}

// endpoint finds where calls go.
func endpoint(ctx context.Context, cfg sdk.Config) (aws.Endpoint, error) {
	o := ebapi.NewFromConfig(cfg).Options()
	return aws.Locate(aws.Endpoint{Region: cfg.Region, Service: "events"}, o.BaseEndpoint, aws.Elsewhere, func(region *string) (smithy.Endpoint, error) {
		return o.EndpointResolverV2.ResolveEndpoint(ctx, ebapi.EndpointParameters{
			Region:       region,
			UseFIPS:      sdk.Bool(o.EndpointOptions.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled),
			UseDualStack: sdk.Bool(o.EndpointOptions.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled),
			Endpoint:     o.BaseEndpoint,
		}.WithDefaults())
	})
}

func denied(code string) bool {
	switch code {
	case "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation":
		return true
	}
	return false
}

// Limits are ten events and 1 MB a call. A bus keeps no order.
func (s *Sink) Limits() bridge.Limits {
	return bridge.Limits{
		Messages: batchEvents, Bytes: batchBytes, Calls: s.settings.Calls, Timeout: s.settings.Timeout, Linger: defaultLinger,
	}
}

// Size is an upper bound of what EventBridge counts for the event: exact where it matters, for one that fills a tenth of
// a call; loose and cheap for the many that are smaller. The error says that EventBridge will never take it.
func (s *Sink) Size(o *bridge.Outgoing) (int, error) {
	w, _ := works.Get().(*work)
	defer works.Put(w)
	if err := w.head(&s.form, o.Message); err != nil {
		return 0, err
	}
	if n := w.size() + s.form.bound(o); n <= batchBytes/batchEvents {
		return n, nil
	}
	if err := w.fill(&s.form, o); err != nil {
		return 0, err
	}
	n := w.size()
	if n > maxEvent {
		e := refuse("TooLarge", "the event is %d bytes as EventBridge counts it, and targets get at most %d", n, maxEvent)
		e.Remedy = "send less, or keep the content elsewhere and send where it is"
		return 0, e
	}
	return n, nil
}

// Send makes one call.
func (s *Sink) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	s.mu.Lock()
	caller := s.caller
	s.mu.Unlock()
	if caller == nil {
		return bridge.Classed(bridge.Transient, bridge.ErrNotConnected)
	}
	call := caller.Acquire()
	defer call.Release()
	w, _ := works.Get().(*work)
	defer works.Put(w)
	s.write(w, call, batch, res)
	if len(w.places) == 0 {
		return nil
	}
	err := call.Do(ctx)
	if err == nil {
		err = s.readAnswer(call, w.places, res)
	} else {
		err = aws.Alone(s.classed(bridge.AsError(err)), len(w.places))
	}
	if err == nil || len(w.places) == len(batch) {
		return err
	}
	for _, i := range w.places { // those that had no form keep their own error
		res[i].Err = err
	}
	return nil
}

// write makes the request of the messages that have a form, whose places it leaves in w, and gives the others their error.
func (s *Sink) write(w *work, call *aws.Call, batch []bridge.Outgoing, res []bridge.Result) {
	b := append(call.Body[:0], `{"Entries":[`...)
	w.places = w.places[:0]
	for i := range batch {
		if err := w.fill(&s.form, &batch[i]); err != nil {
			res[i].Err = err
			continue
		}
		if len(w.places) > 0 {
			b = append(b, ',')
		}
		b = w.appendEntry(b)
		w.places = append(w.places, i)
	}
	call.Body = append(b, ']', '}')
}

// Close forgets the bus. The connections belong to the client.
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caller = nil
	return nil
}

// Remarks returns what the connection found that the operator should see.
func (s *Sink) Remarks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remarks
}

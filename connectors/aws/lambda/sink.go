package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithy "github.com/aws/smithy-go/endpoints"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// Payload is what a function gets.
type Payload uint8

// The payloads; see the package's documentation.
const (
	Envelope Payload = iota
	Body
	ActiveMQ
)

const (
	// syncBytes and asyncBytes are the largest payloads (Lambda developer guide, "Lambda quotas": 6 MB synchronous, 1 MB
	// asynchronous).
	syncBytes  = 6 << 20
	asyncBytes = 1 << 20
	// maxResult bounds a result: 6 MB, and as much again for an error with its stack.
	maxResult = 2 * syncBytes

	longestFunction = 15 * time.Minute
	grace           = 5 * time.Second
	longestCall     = longestFunction + grace
	maxARN          = 2048 // the longest that IAM knows
	eventTimeout    = 30 * time.Second
	defaultCalls    = 10
	overhead        = 1 // a comma
)

// SinkSettings say which function a sink calls, and how.
type SinkSettings struct {
	// Client reaches AWS. It is shared, and not closed by the sink.
	Client *aws.Client
	// Function is the function's name or ARN; Qualifier a version or alias, "" for none.
	Function, Qualifier string
	// Event calls asynchronously: Lambda queues the message, and there is no result.
	Event   bool
	Payload Payload
	// Messages is the most messages in a call; 0: 1. With more than one the payload is a list. Body takes one.
	Messages int
	// Bytes is the largest payload; 0: what Lambda takes.
	Bytes int
	// Window is how long a batch that is not full waits for more.
	Window time.Duration
	// Calls is how many calls may run at once; 0: 10.
	Calls int
	// ObjectBase64 passes serialised Java objects on in base64. Without it such a message is refused for good.
	ObjectBase64 bool
	// SourceARN is eventSourceArn of the payload ActiveMQ.
	SourceARN string
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

// Sink calls one function. It is a [bridge.Sink], a [bridge.Inspector] and a [bridge.Remarker].
type Sink struct {
	settings SinkSettings
	form     form

	mu      sync.Mutex // guards what follows
	caller  *aws.Caller
	timeout time.Duration
	remarks []string
}

var (
	_ bridge.Sink      = (*Sink)(nil)
	_ bridge.Inspector = (*Sink)(nil)
	_ bridge.Remarker  = (*Sink)(nil)
)

// NewSink returns a sink. It dials nothing yet.
func NewSink(s SinkSettings) (*Sink, error) {
	s.Messages = max(s.Messages, 1)
	switch {
	case s.Client == nil:
		return nil, errors.New("the AWS client is missing")
	case s.Function == "":
		return nil, errors.New("the function's name is missing")
	case !functionName.MatchString(s.Function):
		return nil, fmt.Errorf("%.200q is no name or ARN of a function", s.Function)
	case s.Qualifier != "" && !qualifierName.MatchString(s.Qualifier):
		return nil, fmt.Errorf("%.200q is no version or alias", s.Qualifier)
	case s.Qualifier != "" && qualifierOf(s.Function) != "" && qualifierOf(s.Function) != s.Qualifier:
		return nil, fmt.Errorf("the function %s has a qualifier, and another one is set", s.Function)
	case len(s.SourceARN) > maxARN || !utf8.ValidString(s.SourceARN):
		return nil, errors.New("the broker's arn is none")
	case s.Messages > 1 && s.Payload == Body:
		return nil, errors.New("a body alone is for one message a call")
	}
	most := syncBytes
	if s.Event {
		most = asyncBytes
	}
	if s.Bytes <= 0 || s.Bytes > most {
		s.Bytes = most
	}
	if s.Calls <= 0 {
		s.Calls = defaultCalls
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	f := form{payload: s.Payload, list: s.Messages > 1, objectBase64: s.ObjectBase64, sourceARN: s.SourceARN}
	// Also because 0 would be no limit at all for the engine.
	if s.Bytes <= f.frame()+overhead {
		return nil, fmt.Errorf("%d bytes are too few for a payload", s.Bytes)
	}
	return &Sink{settings: s, timeout: longestFunction + grace, form: f}, nil
}

// functionName is what Lambda takes for one (API reference, "Invoke"): a name, an ARN, or the end of one, each with or
// without a qualifier.
var (
	functionName  = regexp.MustCompile(`^(arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:)?[a-zA-Z0-9-_]{1,64}(:(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)
	qualifierName = regexp.MustCompile(`^(\$LATEST|[a-zA-Z0-9-_]{1,128})$`)
)

// qualifierOf returns the qualifier in a function's name; "" for none.
func qualifierOf(function string) string {
	if i := strings.LastIndex(function, ":function:"); i >= 0 {
		function = function[i+len(":function:"):]
	}
	_, qualifier, _ := strings.Cut(function, ":")
	return qualifier
}

// Connect looks at the function. Where the right to do so is missing, it goes on.
func (s *Sink) Connect(ctx context.Context) error {
	f, err := s.look(ctx)
	if err != nil {
		return fmt.Errorf("connecting to function %s: %w", s.settings.Function, err)
	}
	caller, err := s.newCaller(f.endpoint)
	if err != nil {
		return err
	}
	for _, remark := range f.remarks {
		s.settings.Log.Warn("the function can be called, but not looked at",
			zap.String(bridge.LogTarget, s.settings.Function), zap.String(bridge.LogReason, remark))
	}
	s.mu.Lock()
	s.caller, s.timeout, s.remarks = caller, f.timeout, f.remarks
	s.mu.Unlock()
	return nil
}

func (s *Sink) newCaller(e aws.Endpoint) (*aws.Caller, error) {
	kind := "RequestResponse"
	headers := map[string]string{}
	if s.settings.Event {
		kind = "Event"
	} else {
		headers["X-Amz-Log-Type"] = "Tail"
	}
	headers["X-Amz-Invocation-Type"] = kind
	o := aws.Operation{ // escaped as the SDK does it, "$" and ":" too
		Path: "/2015-03-31/functions/" + httpbinding.EscapePath(s.settings.Function, true) + "/invocations", ContentType: "application/json", Headers: headers,
	}
	if s.settings.Qualifier != "" {
		o.Query = "Qualifier=" + url.QueryEscape(s.settings.Qualifier)
	}
	c, err := s.settings.Client.CallerOf(e, o)
	if err == nil {
		c.MaxAnswer, c.Patient = maxResult, true
	}
	return c, err
}

// found is what looking at a function gave.
type found struct {
	endpoint aws.Endpoint
	timeout  time.Duration                             // of a call
	config   *lambdaapi.GetFunctionConfigurationOutput // nil: may not be read
	remarks  []string
}

// look asks Lambda about the function.
func (s *Sink) look(ctx context.Context) (*found, error) {
	cfg, err := s.settings.Client.Config(ctx)
	if err != nil {
		return nil, err
	}
	if region := regionOf(s.settings.Function); region != "" {
		cfg.Region = region
	}
	f := &found{timeout: longestFunction + grace}
	if f.endpoint, err = endpoint(ctx, cfg); err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = f.endpoint.Region
	}
	in := &lambdaapi.GetFunctionConfigurationInput{FunctionName: &s.settings.Function}
	if s.settings.Qualifier != "" {
		in.Qualifier = &s.settings.Qualifier
	}
	out, err := lambdaapi.NewFromConfig(cfg).GetFunctionConfiguration(ctx, in)
	switch e := classify(err); {
	case err == nil:
		f.config = out
		if out.Timeout != nil {
			f.timeout = time.Duration(*out.Timeout)*time.Second + grace
		}
	case denied(e.Code):
		remark := "lambda:GetFunctionConfiguration is denied: a call may take 15 minutes before it counts as lost"
		if s.settings.Event {
			remark = "lambda:GetFunctionConfiguration is denied: whether the function is ready is not known"
		}
		f.remarks = append(f.remarks, remark)
	default:
		return nil, harmless(e)
	}
	if s.settings.Event {
		f.timeout = eventTimeout
	}
	return f, nil
}

// regionOf returns the region in a function's ARN; "" where it is none.
func regionOf(function string) string {
	if part := strings.Split(function, ":"); len(part) >= 7 && part[0] == "arn" && part[2] == "lambda" {
		return part[3]
	}
	return ""
}

// endpoint finds where calls go.
func endpoint(ctx context.Context, cfg sdk.Config) (aws.Endpoint, error) {
	o := lambdaapi.NewFromConfig(cfg).Options()
	return aws.Locate(aws.Endpoint{Region: cfg.Region, Service: "lambda"}, o.BaseEndpoint, aws.Elsewhere, func(region *string) (smithy.Endpoint, error) {
		return o.EndpointResolverV2.ResolveEndpoint(ctx, lambdaapi.EndpointParameters{
			Region:       region,
			UseFIPS:      sdk.Bool(o.EndpointOptions.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled),
			UseDualStack: sdk.Bool(o.EndpointOptions.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled),
			Endpoint:     o.BaseEndpoint,
		}.WithDefaults())
	})
}

// Limits are one call's. Lambda runs a call's messages together, so with order one group a call is all that keeps it.
func (s *Sink) Limits() bridge.Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := bridge.Limits{ // the first message of a call has no comma
		Messages: s.settings.Messages, Bytes: s.settings.Bytes - s.form.frame() + overhead, Overhead: overhead, Calls: s.settings.Calls,
		Run: s.settings.Messages, OneGroup: true, Timeout: s.timeout, Window: s.settings.Window,
	}
	if s.settings.Event {
		l.Run = 0
	}
	return l
}

// Size is the length of the message in a payload.
func (s *Sink) Size(o *bridge.Outgoing) (int, error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	out, err := s.form.appendMessage((*b)[:0], o)
	if err != nil {
		return 0, err
	}
	if cap(out) <= keptBuffer {
		*b = out
	}
	return len(out), nil
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
	var err error
	if call.Body, err = s.form.appendPayload(call.Body[:0], batch); err != nil {
		if len(batch) > 1 { // Size has not been asked, and the others may be sound
			err = bridge.Classed(bridge.Suspect, err)
		}
		return err
	}
	if err := call.Do(ctx); err != nil {
		return aws.Alone(refused(err, reasonOf(call.Answer)), len(batch))
	}
	if s.settings.Event {
		for i := range res {
			res[i] = bridge.Result{ID: call.RequestID}
		}
		return nil
	}
	return s.form.readResult(call, batch, res)
}

// Close forgets the function. The connections belong to the client.
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

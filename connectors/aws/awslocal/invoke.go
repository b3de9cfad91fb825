package awslocal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	functionsPath = "/2015-03-31/functions/"
	// syncPayload and asyncPayload are the largest payloads that Lambda takes.
	syncPayload  = 6 << 20
	asyncPayload = 1 << 20
)

// restRoute is what a method and a path ask for.
type restRoute struct{ action, function string }

// routeOf recognises a call of Lambda.
func routeOf(r *http.Request) (restRoute, bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), functionsPath)
	if !ok {
		return restRoute{}, false
	}
	name, what, _ := strings.Cut(rest, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	switch {
	case r.Method == http.MethodPost && what == "invocations":
		return restRoute{"Invoke", name}, true
	case r.Method == http.MethodGet && what == "configuration":
		return restRoute{"GetFunctionConfiguration", name}, true
	}
	return restRoute{"", name}, true
}

// lambda answers a call of Lambda.
func (c *call) lambda(r *http.Request, route restRoute) (any, *apiError) {
	if route.action == "" {
		return nil, lambdaError("UnknownOperationException", "")
	}
	account, name, qualifier, ok := functionID(route.function)
	if !ok {
		return nil, lambdaError("ValidationException", fmt.Sprintf("1 validation error detected: Value '%.200s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?", route.function))
	}
	c.queue = name
	if asked := r.URL.Query().Get("Qualifier"); asked != "" {
		if qualifier != "" && qualifier != asked {
			return nil, lambdaError("InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
		}
		qualifier = asked
	}
	arn := c.e.FunctionARN(name)
	if qualifier != "" {
		arn += ":" + qualifier
	}
	right := c.action
	if c.action == "Invoke" {
		right = "InvokeFunction" // the name of the permission
	}
	refused := func(problem *apiError) (any, *apiError) {
		c.record(r, qualifier, problem)
		return answerless{}, problem
	}
	if c.e.denied(right, name) || c.e.denied(c.action, name) {
		return refused(errAccessDenied(c.principal(), "lambda:"+right, arn))
	}
	if problem := c.applyFaults(); problem != nil || c.cutBefore() {
		return refused(problem)
	}
	f := c.e.functions.find(name)
	if f == nil || account != "" && account != c.e.opt.Account {
		return refused(errNoFunction(arn))
	}
	version, ok := f.version(qualifier)
	if !ok {
		return refused(errNoFunction(arn))
	}
	if c.action == "GetFunctionConfiguration" {
		c.record(r, qualifier, nil)
		return f.configuration(arn, version), nil
	}
	return c.invoke(r, f, qualifier, &invocation{id: c.id, arn: arn, version: version})
}

// record puts a call into the log.
func (c *call) record(r *http.Request, qualifier string, problem *apiError) *Record {
	c.logged(problem)
	one := c.records[0]
	c.e.log.mu.Lock()
	defer c.e.log.mu.Unlock()
	one.Qualifier = qualifier
	if c.action == "Invoke" {
		one.Invocation, one.BodySize = invocationType(r), len(c.body)
		if !c.e.log.bodiless && c.e.log.limit >= 0 {
			one.Body = string(c.body)
		}
	}
	return one
}

func invocationType(r *http.Request) string {
	if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" {
		return kind
	}
	return "RequestResponse"
}

// invoke answers Invoke.
func (c *call) invoke(r *http.Request, f *function, qualifier string, in *invocation) (any, *apiError) {
	problem := f.refusal(invocationType(r), c.body)
	if problem != nil || invocationType(r) == "DryRun" {
		c.record(r, qualifier, problem)
		return restAnswer{status: http.StatusNoContent}, problem
	}
	in.payload = bytes.Clone(c.body) // whose buffer is used again when the client has gone
	if len(in.payload) == 0 {
		in.payload = []byte("{}")
	}
	if invocationType(r) == "Event" {
		problem := f.enqueue(in)
		c.record(r, qualifier, problem)
		return restAnswer{status: http.StatusAccepted}, problem
	}
	if problem := f.start(in); problem != nil {
		c.record(r, qualifier, problem)
		return nil, problem
	}
	one := c.record(r, qualifier, nil)
	select {
	case <-in.done:
	case <-c.ctx.Done(): // the function goes on
		return answerless{}, nil
	case <-c.e.stop:
		return nil, lambdaError("ServiceException", "The endpoint is closing.")
	}
	a := restAnswer{status: http.StatusOK, body: in.answer.payload, header: map[string]string{"X-Amz-Executed-Version": in.version}}
	if in.answer.failure != "" {
		a.header["X-Amz-Function-Error"] = in.answer.failure
		c.e.log.mu.Lock()
		one.FunctionError = in.answer.failure
		c.e.log.mu.Unlock()
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		a.header["X-Amz-Log-Result"] = base64.StdEncoding.EncodeToString(in.log.bytes())
	}
	return a, nil
}

// refusal says why a call is not begun.
func (f *function) refusal(kind string, payload []byte) *apiError {
	most := syncPayload
	switch kind {
	case "RequestResponse", "DryRun":
	case "Event":
		most = asyncPayload
	default:
		return lambdaError("InvalidParameterValueException", "Unsupported invocation type: "+kind)
	}
	switch {
	case len(payload) > most:
		return lambdaError("RequestTooLargeException", fmt.Sprintf("%d byte payload is too large for the %s invocation type (limit %d bytes)", len(payload), kind, most))
	case len(payload) > 0 && !json.Valid(payload):
		return lambdaError("InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json")
	case f.opt.State == "Pending" || f.opt.State == "Failed":
		return lambdaError("ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: "+f.opt.State)
	}
	return nil
}

// configuration is the answer of GetFunctionConfiguration.
func (f *function) configuration(arn, version string) any {
	out := map[string]any{
		"FunctionName": f.opt.Name, "FunctionArn": arn, "Version": version, "Handler": "bootstrap", "PackageType": "Zip", "Runtime": "provided.al2023",
		"Timeout": int((f.opt.Timeout + 999_999_999) / 1_000_000_000), "MemorySize": f.opt.MemoryMB, "State": f.opt.State, "LastUpdateStatus": "Successful",
		"LastModified": f.made.UTC().Format("2006-01-02T15:04:05.000+0000"), "Role": "arn:aws:iam::" + f.e.opt.Account + ":role/" + f.opt.Name,
		"Architectures": []string{"x86_64"}, "TracingConfig": map[string]string{"Mode": "PassThrough"},
	}
	if f.opt.DeadLetterARN != "" {
		out["DeadLetterConfig"] = map[string]string{"TargetArn": f.opt.DeadLetterARN}
	}
	return out
}

package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// verdict is what a code of AWS's means.
type verdict struct {
	class  bridge.Class
	remedy string
}

const (
	remedyRegion = "set aws.region, or AWS_REGION"
	remedyKeys   = "check the credentials: the access key must exist, be active, and belong to this partition"
	remedyRights = "allow the action for this principal, in its policy, the resource's policy and the endpoint's policy"
	remedyKMS    = "allow kms:GenerateDataKey and kms:Decrypt on the resource's key for this principal, and see that the key is enabled"
	remedyClock  = "set this machine's clock"
	remedyExpiry = "renew the credentials; the process reads them again by itself"
)

var errNoRegion = errors.New("no region is set")

// verdicts are the codes whose meaning does not follow from the status. Sources: the error lists of the SQS, STS and
// KMS API references, and "Common errors" of each.
var verdicts = map[string]verdict{
	// Less, please.
	"RequestThrottled":                       {bridge.Throttled, ""},
	"RequestThrottledException":              {bridge.Throttled, ""},
	"Throttled":                              {bridge.Throttled, ""},
	"Throttling":                             {bridge.Throttled, ""},
	"ThrottlingException":                    {bridge.Throttled, ""},
	"ThrottledException":                     {bridge.Throttled, ""},
	"TooManyRequestsException":               {bridge.Throttled, ""},
	"RequestLimitExceeded":                   {bridge.Throttled, ""},
	"BandwidthLimitExceeded":                 {bridge.Throttled, ""},
	"LimitExceededException":                 {bridge.Throttled, ""},
	"ProvisionedThroughputExceededException": {bridge.Throttled, ""},
	"SlowDown":                               {bridge.Throttled, ""},
	"EC2ThrottledException":                  {bridge.Throttled, ""},
	"PriorRequestNotComplete":                {bridge.Throttled, ""},
	"OverLimit":                              {bridge.Throttled, ""},
	"KmsThrottled":                           {bridge.Throttled, ""},
	"KMS.ThrottlingException":                {bridge.Throttled, ""},

	// The route can't work like this.
	"AccessDenied":                            {bridge.Fatal, remedyRights},
	"AccessDeniedException":                   {bridge.Fatal, remedyRights},
	"AuthorizationError":                      {bridge.Fatal, remedyRights},
	"UnauthorizedOperation":                   {bridge.Fatal, remedyRights},
	"NotAuthorized":                           {bridge.Fatal, remedyRights},
	"InvalidClientTokenId":                    {bridge.Fatal, remedyKeys},
	"UnrecognizedClientException":             {bridge.Fatal, remedyKeys},
	"InvalidAccessKeyId":                      {bridge.Fatal, remedyKeys},
	"SignatureDoesNotMatch":                   {bridge.Fatal, remedyKeys},
	"InvalidSignatureException":               {bridge.Fatal, remedyKeys},
	"IncompleteSignature":                     {bridge.Fatal, remedyKeys},
	"MissingAuthenticationToken":              {bridge.Fatal, remedyKeys},
	"MissingAuthenticationTokenException":     {bridge.Fatal, remedyKeys},
	"AuthFailure":                             {bridge.Fatal, remedyKeys},
	"OptInRequired":                           {bridge.Fatal, "enable the service, or the region, for this account"},
	"InvalidAddress":                          {bridge.Fatal, "check the queue's URL, and that it belongs to this region"},
	"InvalidSecurity":                         {bridge.Fatal, "use https"},
	"UnsupportedOperation":                    {bridge.Fatal, ""},
	"InvalidAction":                           {bridge.Fatal, "check aws.endpoint_url: what answers there does not know the call"},
	"UnknownOperationException":               {bridge.Fatal, "check aws.endpoint_url: what answers there does not know the call"},
	"QueueDoesNotExist":                       {bridge.Fatal, remedyQueue},
	"NonExistentQueue":                        {bridge.Fatal, remedyQueue},
	"AWS.SimpleQueueService.NonExistentQueue": {bridge.Fatal, remedyQueue},
	"QueueDeletedRecently":                    {bridge.Fatal, remedyQueue},
	"KmsAccessDenied":                         {bridge.Fatal, remedyKMS},
	"KmsDisabled":                             {bridge.Fatal, remedyKMS},
	"KmsInvalidKeyUsage":                      {bridge.Fatal, remedyKMS},
	"KmsInvalidState":                         {bridge.Fatal, remedyKMS},
	"KmsNotFound":                             {bridge.Fatal, remedyKMS},
	"KmsOptInRequired":                        {bridge.Fatal, remedyKMS},

	// This message, or one of these.
	"InvalidMessageContents":                              {bridge.Permanent, ""},
	"InvalidParameterValue":                               {bridge.Permanent, ""},
	"InvalidParameterValueException":                      {bridge.Permanent, ""},
	"InvalidParameterCombination":                         {bridge.Permanent, ""},
	"InvalidAttributeValue":                               {bridge.Permanent, ""},
	"MissingParameter":                                    {bridge.Permanent, ""},
	"MissingRequiredParameterException":                   {bridge.Permanent, ""},
	"ValidationError":                                     {bridge.Permanent, ""},
	"ValidationException":                                 {bridge.Permanent, ""},
	"SerializationException":                              {bridge.Permanent, ""},
	"BatchRequestTooLong":                                 {bridge.Suspect, ""},
	"AWS.SimpleQueueService.BatchRequestTooLong":          {bridge.Suspect, ""},
	"RequestEntityTooLarge":                               {bridge.Suspect, ""},
	"RequestEntityTooLargeException":                      {bridge.Suspect, ""},
	"AWS.SimpleQueueService.EmptyBatchRequest":            {bridge.Permanent, ""},
	"AWS.SimpleQueueService.InvalidBatchEntryId":          {bridge.Permanent, ""},
	"AWS.SimpleQueueService.TooManyEntriesInBatchRequest": {bridge.Permanent, ""},

	// It may pass. Expired credentials are looked at by Client.judge too.
	"ExpiredToken":                {bridge.Transient, remedyExpiry},
	"ExpiredTokenException":       {bridge.Transient, remedyExpiry},
	"TokenRefreshRequired":        {bridge.Transient, remedyExpiry},
	"RequestExpired":              {bridge.Transient, remedyClock},
	"RequestTimeTooSkewed":        {bridge.Transient, remedyClock},
	"RequestInTheFuture":          {bridge.Transient, remedyClock},
	"InternalError":               {bridge.Transient, ""},
	"InternalFailure":             {bridge.Transient, ""},
	"InternalServerError":         {bridge.Transient, ""},
	"ServiceUnavailable":          {bridge.Transient, ""},
	"ServiceUnavailableException": {bridge.Transient, ""},
	"RequestTimeout":              {bridge.Transient, ""},
	"RequestTimeoutException":     {bridge.Transient, ""},
}

const remedyQueue = "create the queue, or correct its name, region and account"

// Answered gives an answer that is no success its class. status may be 0 where there is none, as in the entries of a
// batch; the caller's own knowledge of how many messages the call held comes on top ([Alone]). The error shows little of
// what it is given, and no credentials that can be known by their form; for those of a call there is [Call.Answered].
func Answered(code, message string, status int) *bridge.Error {
	bare := code
	if i := strings.LastIndexByte(bare, '#'); i >= 0 {
		bare = bare[i+1:]
	}
	bare = redactWord(bare)
	e := &bridge.Error{Code: bare}
	text := message
	if text == "" {
		text = http.StatusText(status)
	}
	if text == "" {
		text = "no reason given"
	}
	if bare == "" {
		e.Err = fmt.Errorf("status %d: %s", status, redactText(text))
	} else {
		e.Err = errors.New(bare + ": " + redactText(text))
	}
	v, known := verdicts[bare]
	switch {
	case known && !(v.class == bridge.Permanent && status >= 500):
		e.Class, e.Remedy = v.class, v.remedy
	case strings.HasPrefix(bare, "KMS.") || strings.HasPrefix(bare, "Kms"):
		e.Class, e.Remedy = bridge.Fatal, remedyKMS
	case status == http.StatusTooManyRequests:
		e.Class = bridge.Throttled
	case status >= 500:
		e.Class = bridge.Transient
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Class, e.Remedy = bridge.Fatal, remedyRights
	case status == http.StatusProxyAuthRequired:
		e.Class, e.Remedy = bridge.Fatal, "put the proxy's user and password into HTTPS_PROXY"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status/100 == 3:
		e.Class, e.Remedy = bridge.Fatal, "check aws.endpoint_url and the region: what answers there is not the service"
	case status == http.StatusRequestEntityTooLarge:
		e.Class = bridge.Suspect
	default:
		e.Class = bridge.Transient
	}
	e.OfTarget = e.Class == bridge.Transient
	return e
}

// skewed tells whether AWS refused a signature because of its time.
func skewed(code, message string) bool {
	switch code {
	case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
		return true
	case "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure":
		return strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current")
	}
	return false
}

func expired(code string) bool {
	return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "TokenRefreshRequired"
}

// skewTolerance is what AWS takes at least, with a margin: a clock that is nearer than this is not the reason.
const skewTolerance = 4 * time.Minute

// judge gives a refusal its class, and learns from it: AWS's time, and that credentials have expired.
func (c *Client) judge(s *session, res *http.Response, body []byte, known secrets) *bridge.Error {
	code, message := answerOf(res.Header, body)
	e := Answered(known.hide(code), known.hide(message), res.StatusCode)
	e.RequestID = known.requestID(res.Header)
	e.After = retryAfter(res.Header, time.Now())
	switch {
	case skewed(e.Code, message):
		at, err := http.ParseTime(res.Header.Get("Date"))
		if off := time.Until(at); err == nil && (off-c.ClockSkew()).Abs() > skewTolerance {
			c.skew.Store(int64(off))
			e.Class = bridge.Transient
		} else {
			e.Class = bridge.Fatal
		}
		e.Remedy = remedyClock
	case expired(e.Code):
		// Once is what happens in the life of credentials; credentials that are expired when they are fresh stay so.
		if !c.refused(s) {
			e.Class = bridge.Fatal
		}
	case e.Remedy == remedyKeys:
		c.refused(s)
	}
	return e
}

// answerOf finds code and message: SQS says the code of its old protocol in a header, which the SDKs show.
func answerOf(h http.Header, body []byte) (code, message string) {
	code, message = errorFields(body)
	if query, _, ok := strings.Cut(h.Get("X-Amzn-Query-Error"), ";"); ok && query != "" {
		code = query
	} else if kind, _, _ := strings.Cut(h.Get("X-Amzn-Errortype"), ":"); code == "" {
		code = kind
	}
	return code, message
}

// retryAfter reads Retry-After, in seconds or as a date; at most an hour is believed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(max(n, 0), 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}

// Unanswered gives an error of the connection its class. written says that some of the request may have left.
func Unanswered(err error, written bool) *bridge.Error {
	var known *bridge.Error
	if errors.As(err, &known) { // a proxy's refusal
		return known
	}
	e := &bridge.Error{Class: bridge.Transient, Err: redacted(err)}
	var (
		dns       *net.DNSError
		dial      *net.OpError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		e.Class, e.Code, e.Remedy = bridge.Fatal, "TLS", "check the endpoint's host name; a proxy that opens TLS needs aws.ca_bundle"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Class, e.Code, e.Remedy = bridge.Fatal, "TLS", "renew the endpoint's certificate, or set this machine's clock"
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &verify):
		e.Class, e.Code, e.Remedy = bridge.Fatal, "TLS", "name the authority that issued the certificate in aws.ca_bundle"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Class, e.Code, e.Remedy = bridge.Fatal, "TLS", "check aws.endpoint_url: no TLS is spoken at that port"
	case errors.As(err, &dns):
		e.Code = "DNS" // NXDOMAIN too: a resolver that has lost its way says that as well
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dial) && dial.Op == "dial":
		// No connection, so nothing was written.
	case written:
		e.Class, e.Code = bridge.Ambiguous, "unanswered"
		e.Err = fmt.Errorf("waiting for the answer: %w", redacted(err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e.Err = fmt.Errorf("connecting: %w", redacted(err))
	}
	return e
}

// Classify gives an error of the SDK its class, for calls that carry no message.
func Classify(err error) *bridge.Error { return classify(err, secrets{}) }

func classify(err error, proof secrets) *bridge.Error {
	var known *bridge.Error
	if errors.As(err, &known) {
		return known
	}
	var status int
	var after time.Duration
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
		after = retryAfter(answer.Response.Header, time.Now())
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		e := Answered(proof.hide(api.ErrorCode()), proof.hide(api.ErrorMessage()), status)
		e.After = after
		var id interface{ ServiceRequestID() string }
		if errors.As(err, &id) {
			e.RequestID = redactWord(proof.hide(id.ServiceRequestID()))
		}
		return e
	}
	if strings.Contains(err.Error(), "get credentials") || strings.Contains(err.Error(), "refresh cached credentials") {
		return noCredentials(err)
	}
	return Unanswered(err, false)
}

// Alone turns Suspect into Permanent for a call that held one message, and Permanent into Suspect for the whole call of
// several: which of them is meant, nobody knows.
func Alone(e *bridge.Error, messages int) *bridge.Error {
	switch {
	case messages <= 1 && e.Class == bridge.Suspect:
		e.Class = bridge.Permanent
	case messages > 1 && e.Class == bridge.Permanent:
		e.Class = bridge.Suspect
	}
	return e
}

// Known tells whether a code's meaning is known, and not merely guessed from the status.
func Known(code string) bool {
	_, known := verdicts[code]
	return known
}

// Harmless is for calls that change nothing: whether they happened does not matter, and it is no message's fault.
func Harmless(e *bridge.Error) *bridge.Error {
	switch e.Class {
	case bridge.Ambiguous:
		e.Class = bridge.Transient
	case bridge.Permanent, bridge.Suspect:
		e.Class = bridge.Fatal
	}
	return e
}

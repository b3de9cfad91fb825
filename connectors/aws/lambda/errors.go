package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const (
	remedyFunction = "create the function, or correct its name, qualifier, region and account"
	remedyState    = "look at the function's state and last update in the Lambda console"
	remedyCode     = "look at the function's package, handler and initialisation in its log"
	remedyKMS      = "allow kms:Decrypt on the function's key for its role, and see that the key is enabled"
)

type verdict struct {
	class  bridge.Class
	remedy string
}

// verdicts are the codes of Invoke whose meaning is Lambda's own (Lambda API reference, "Invoke", errors). Throttling
// comes with a reason: of the account's or the function's concurrency, or of the rate of calls.
func verdictOf(code string) (verdict, bool) {
	switch code {
	case "TooManyRequestsException", "EC2ThrottledException", "ReservedFunctionConcurrentInvocationLimitExceeded":
		return verdict{bridge.Throttled, ""}, true
	case "ResourceNotFoundException", "InvalidRuntimeException", "InvalidZipFileException", "InvalidParameterValueException":
		return verdict{bridge.Fatal, remedyFunction}, true
	case "ResourceConflictException", "SnapStartException", "InvalidSubnetIDException", "InvalidSecurityGroupIDException", "SubnetIPAddressLimitReachedException":
		return verdict{bridge.Fatal, remedyState}, true
	case "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException":
		return verdict{bridge.Fatal, remedyKMS}, true
	case "ResourceNotReadyException", "SnapStartNotReadyException", "SnapStartTimeoutException", "ServiceException", "EC2AccessDeniedException",
		"EC2UnexpectedException", "ENILimitReachedException", "ENINotReadyException", "EFSIOException", "EFSMountConnectivityException",
		"EFSMountFailureException", "EFSMountTimeoutException", "S3FilesMountConnectivityException", "S3FilesMountFailureException",
		"S3FilesMountTimeoutException":
		return verdict{bridge.Transient, ""}, true
	case "RequestTooLargeException", "SerializedRequestEntityTooLargeException":
		return verdict{bridge.Suspect, ""}, true
	case "InvalidRequestContentException", "UnsupportedMediaTypeException", "RecursiveInvocationException":
		return verdict{bridge.Permanent, ""}, true
	}
	return verdict{}, false
}

// refused gives a refusal of a call its class.
func refused(err error, reason string) *bridge.Error {
	e := bridge.AsError(err)
	if v, known := verdictOf(e.Code); known {
		e.Class, e.Remedy = v.class, v.remedy
	}
	if e.Class == bridge.Throttled && reason != "" {
		e.Err = fmt.Errorf("%w (%s)", e.Err, reason)
		e.Code, e.Remedy = reason, throttled(reason)
	}
	return e
}

// reasonOf finds why Lambda throttles in its answer; "" where it does not say, or says what is no word.
func reasonOf(answer []byte) string {
	var said struct{ Reason string }
	if json.Unmarshal(answer, &said) != nil || !word.MatchString(said.Reason) {
		return ""
	}
	return said.Reason
}

// word is what a code or a reason looks like. They become labels, so nothing else is taken for one.
var word = regexp.MustCompile(`^[A-Za-z][\w.$:-]{0,99}$`)

// throttled says what a reason of throttling means for the operator.
func throttled(reason string) string {
	switch reason {
	case "ReservedFunctionConcurrentInvocationLimitExceeded":
		return "raise the function's reserved concurrency, or lower the target's concurrency"
	case "ConcurrentInvocationLimitExceeded":
		return "the account's concurrency is used up: ask for more, or lower the target's concurrency"
	case "FunctionInvocationRateLimitExceeded", "ReservedFunctionInvocationRateLimitExceeded", "CallerRateLimitExceeded":
		return "calls are too many a second: send batches, or ask for a higher rate"
	}
	return ""
}

func denied(code string) bool {
	switch code {
	case "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation":
		return true
	}
	return false
}

// classify gives an error of the SDK its class; nil for nil.
func classify(err error) *bridge.Error {
	if err == nil {
		return nil
	}
	var limit *types.TooManyRequestsException
	reason := ""
	if errors.As(err, &limit) && word.MatchString(string(limit.Reason)) {
		reason = string(limit.Reason)
	}
	return refused(aws.Classify(err), reason)
}

// harmless is for calls that change nothing: whether they happened does not matter, and it is no message's fault.
func harmless(e *bridge.Error) error {
	switch e.Class {
	case bridge.Ambiguous:
		e.Class = bridge.Transient
	case bridge.Permanent, bridge.Suspect:
		e.Class = bridge.Fatal
	}
	return e
}

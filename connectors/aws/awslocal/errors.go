package awslocal

import (
	"fmt"
	"net/http"
	"strings"
)

// apiError is an error answer. kind is the name in `__type`, code the one of the old query protocol, which the SDKs show
// (header X-Amzn-Query-Error).
type apiError struct {
	namespace string // "": com.amazonaws.sqs
	kind      string
	code      string
	message   string
	status    int
	receiver  bool   // the service's fault
	raw       string // instead of the JSON body
	reason    string // of Lambda's throttling
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

const (
	nsSQS   = "com.amazonaws.sqs"
	nsCoral = "com.amazon.coral.service"
)

func invalidParameter(format string, a ...any) *apiError {
	return &apiError{kind: "InvalidParameterValueException", code: "InvalidParameterValue", message: fmt.Sprintf(format, a...), status: 400}
}

func missingParameter(name string) *apiError {
	return &apiError{
		kind: "MissingRequiredParameterException", code: "MissingParameter", status: 400,
		message: "The request must contain the parameter " + name + ".",
	}
}

func legacy(kind, message string) *apiError { // errors whose query code has the long prefix
	return &apiError{kind: kind, code: "AWS.SimpleQueueService." + kind, message: message, status: 400}
}

func plain(kind, message string) *apiError { // errors with the same name in both protocols
	return &apiError{kind: kind, code: kind, message: message, status: 400}
}

func errNoQueue() *apiError {
	return &apiError{
		kind: "QueueDoesNotExist", code: "AWS.SimpleQueueService.NonExistentQueue",
		message: "The specified queue does not exist.", status: 400,
	}
}

func errInternal() *apiError {
	return &apiError{
		kind: "InternalError", code: "InternalError", status: http.StatusInternalServerError, receiver: true,
		message: "We encountered an internal error. Please try again.",
	}
}

func errUnavailable() *apiError {
	return &apiError{
		namespace: nsCoral, kind: "ServiceUnavailableException", code: "ServiceUnavailable", status: http.StatusServiceUnavailable, receiver: true,
		message: "Service is currently unavailable.",
	}
}

func errThrottled() *apiError {
	return plain("RequestThrottled", "The request was denied due to request throttling.")
}

func errAccessDenied(principal, action, resource string) *apiError {
	return &apiError{
		namespace: nsCoral, kind: "AccessDeniedException", code: "AccessDenied", status: http.StatusForbidden,
		message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
			principal, action, resource, action),
	}
}

// kmsError returns the KMS error of SQS with this name; nil: it is none.
func kmsError(name string) *apiError {
	var query string
	status := http.StatusBadRequest
	switch name {
	case "KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound":
		query = "KMS." + strings.TrimPrefix(name, "Kms") + "Exception"
	case "KmsThrottled":
		query = "KMS.ThrottlingException"
	case "KmsOptInRequired":
		query, status = "KMS.OptInRequired", http.StatusForbidden
	default:
		return nil
	}
	return &apiError{kind: name, code: query, message: "The request was rejected because of the customer master key.", status: status}
}

// named returns the error of a code as tests name it: the `__type` name or the query code.
func named(code, message string, status int) *apiError {
	e := &apiError{kind: code, code: code, message: message, status: status}
	switch code {
	case "", "InternalError", "InternalFailure":
		e = errInternal()
	case "ServiceUnavailable":
		e = errUnavailable()
	case "RequestThrottled":
		e = errThrottled()
	case "ThrottlingException":
		e = &apiError{namespace: nsCoral, kind: code, code: code, message: "Rate exceeded", status: 400}
	case "AccessDenied", "AccessDeniedException":
		e = &apiError{namespace: nsCoral, kind: "AccessDeniedException", code: "AccessDenied", message: "Access to the resource is denied.", status: 403}
	case "ExpiredToken", "ExpiredTokenException":
		e = &apiError{namespace: nsCoral, kind: "ExpiredTokenException", code: "ExpiredToken", message: "The security token included in the request is expired", status: 403}
	case "InvalidClientTokenId", "UnrecognizedClientException":
		e = errUnknownKey()
	case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue":
		e = errNoQueue()
	case "InvalidParameterValue":
		e = invalidParameter("One or more parameters are invalid.")
	default:
		if kms := kmsError(code); kms != nil {
			e = kms
		}
	}
	if message != "" {
		e.message = message
	}
	if status != 0 {
		e.status = status
	}
	if e.status == 0 {
		e.status = 400
	}
	e.receiver = e.status >= 500
	return e
}

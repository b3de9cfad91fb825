package awslocal

import (
	"encoding/json"
	"net/http"
)

// lambdaStatus returns the statuses of Lambda's errors (API reference, "Invoke", errors); what is missing has 400.
func lambdaStatus() map[string]int {
	return map[string]int{
		"DurableExecutionAlreadyStartedException":  http.StatusConflict,
		"EC2AccessDeniedException":                 http.StatusBadGateway,
		"EC2ThrottledException":                    http.StatusBadGateway,
		"EC2UnexpectedException":                   http.StatusBadGateway,
		"EFSIOException":                           http.StatusGone,
		"EFSMountConnectivityException":            http.StatusRequestTimeout,
		"EFSMountFailureException":                 http.StatusForbidden,
		"EFSMountTimeoutException":                 http.StatusRequestTimeout,
		"ENILimitReachedException":                 http.StatusBadGateway,
		"ENINotReadyException":                     http.StatusBadGateway,
		"InvalidRuntimeException":                  http.StatusBadGateway,
		"InvalidSecurityGroupIDException":          http.StatusBadGateway,
		"InvalidSubnetIDException":                 http.StatusBadGateway,
		"InvalidZipFileException":                  http.StatusBadGateway,
		"KMSAccessDeniedException":                 http.StatusBadGateway,
		"KMSDisabledException":                     http.StatusBadGateway,
		"KMSInvalidStateException":                 http.StatusBadGateway,
		"KMSNotFoundException":                     http.StatusBadGateway,
		"RequestTooLargeException":                 http.StatusRequestEntityTooLarge,
		"ResourceConflictException":                http.StatusConflict,
		"ResourceNotFoundException":                http.StatusNotFound,
		"ResourceNotReadyException":                http.StatusBadGateway,
		"S3FilesMountConnectivityException":        http.StatusRequestTimeout,
		"S3FilesMountFailureException":             http.StatusForbidden,
		"S3FilesMountTimeoutException":             http.StatusRequestTimeout,
		"SerializedRequestEntityTooLargeException": http.StatusRequestEntityTooLarge,
		"ServiceException":                         http.StatusInternalServerError,
		"ServiceUnavailableException":              http.StatusServiceUnavailable,
		"SnapStartNotReadyException":               http.StatusConflict,
		"SnapStartTimeoutException":                http.StatusRequestTimeout,
		"SubnetIPAddressLimitReachedException":     http.StatusBadGateway,
		"TooManyRequestsException":                 http.StatusTooManyRequests,
		"UnsupportedMediaTypeException":            http.StatusUnsupportedMediaType,
		"AccessDeniedException":                    http.StatusForbidden,
		"ExpiredTokenException":                    http.StatusForbidden,
		"UnrecognizedClientException":              http.StatusForbidden,
	}
}

const (
	reasonAccount  = "ConcurrentInvocationLimitExceeded"
	reasonReserved = "ReservedFunctionConcurrentInvocationLimitExceeded"
)

// lambdaError is an error of Lambda's.
func lambdaError(kind, message string) *apiError {
	status, ok := lambdaStatus()[kind]
	if !ok {
		status = http.StatusBadRequest
	}
	return &apiError{kind: kind, code: kind, message: message, status: status, receiver: status >= 500}
}

func errConcurrency(reason string) *apiError {
	e := lambdaError("TooManyRequestsException", "Rate Exceeded.")
	e.reason = reason
	return e
}

func errNoFunction(arn string) *apiError {
	return lambdaError("ResourceNotFoundException", "Function not found: "+arn)
}

// lambdaNamed is the error of a fault for a call of Lambda.
func lambdaNamed(f *Fault) *apiError {
	kind, message := f.Code, f.Message
	switch kind {
	case "", "InternalError", "InternalFailure":
		kind = "ServiceException"
	case "ServiceUnavailable":
		kind = "ServiceUnavailableException"
	case "AccessDenied":
		kind = "AccessDeniedException"
	case "ExpiredToken":
		kind = "ExpiredTokenException"
	}
	if message == "" {
		message = map[string]string{
			"TooManyRequestsException":    "Rate Exceeded.",
			"ExpiredTokenException":       "The security token included in the request is expired",
			"ServiceUnavailableException": "Service is currently unavailable.",
			"ServiceException":            "An error occurred and the request cannot be processed.",
		}[kind]
	}
	e := lambdaError(kind, message)
	if kind == "TooManyRequestsException" {
		e.reason = f.Reason
		if e.reason == "" {
			e.reason = reasonAccount
		}
	}
	if f.Status != 0 {
		e.status = f.Status
	}
	e.receiver = e.status >= 500
	return e
}

// restAnswer is an answer whose body stands as it is.
type restAnswer struct {
	status int
	header map[string]string
	body   []byte
}

// encodeREST writes an answer of Lambda's: an error's code is in a header, and its body says whose fault it is.
func encodeREST(header http.Header, answer any, problem *apiError) ([]byte, int) {
	if problem != nil {
		if problem.raw != "" {
			header.Set("Content-Type", "text/html")
			return []byte(problem.raw), problem.status
		}
		header.Set("X-Amzn-Errortype", problem.kind)
		said := map[string]string{"Type": "User", "Message": problem.message}
		if problem.receiver {
			said["Type"] = "Service"
		}
		if problem.reason != "" {
			said["Reason"] = problem.reason
		}
		return marshal(said, problem.status)
	}
	if a, ok := answer.(restAnswer); ok {
		for name, value := range a.header {
			header.Set(name, value)
		}
		return a.body, a.status
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return []byte(err.Error()), http.StatusInternalServerError
	}
	return text, http.StatusOK
}

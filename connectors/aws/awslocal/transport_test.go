package awslocal_test

import (
	"net/http"
	"testing"
)

// transportOf is an HTTP client whose connections end with the test.
func transportOf(t testing.TB) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

package aws

import (
	"fmt"
	"io"
	"net/http"
)

// maxDescription bounds the answers to the SDK's own calls, which describe functions, buses and callers: the SDK reads
// whatever comes. Calls that carry messages have bounds of their own.
const maxDescription = 4 << 20

// bounded ends answers that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil && answer.Body != nil {
		answer.Body = &boundedBody{answer.Body, maxDescription}
	}
	return answer, err
}

// boundedBody is a body that fails once it has given as much as it may.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer has more than %d bytes", maxDescription)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

package aws_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

func TestAnAnswerWithoutEndIsGivenUp(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	var sent atomic.Int64
	const enough = 64 << 20 // whoever takes this much would take anything
	chunk := []byte(strings.Repeat(" ", 64<<10))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for sent.Load() < enough && r.Context().Err() == nil {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	if _, err := client(t, aws.Settings{EndpointURL: server.URL}).CallerIdentity(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	if n := sent.Load(); n >= enough {
		t.Errorf("%d bytes were read", n)
	}
}

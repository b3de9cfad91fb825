package aws_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestMain(m *testing.M) {
	if os.Getenv("JMSBRIDGE_TEST_PROXY") != "" {
		os.Exit(throughEnvironmentProxy())
	}
	goleak.VerifyTestMain(m)
}

// endpoint returns an endpoint with one queue, orders, that knows no signatures unless keys are given.
func endpoint(t testing.TB, o awslocal.Options) *awslocal.Endpoint {
	t.Helper()
	e, err := awslocal.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	return e
}

// environment gives the SDK's chain these credentials and nothing of the machine's.
func environment(t testing.TB, id, secret, token string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token, "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

func client(t testing.TB, s aws.Settings) *aws.Client {
	t.Helper()
	c := aws.NewClient(s)
	t.Cleanup(c.Close)
	return c
}

// post makes one harmless call and returns its error.
func post(t testing.TB, c *aws.Client, url string) *bridge.Error {
	t.Helper()
	caller, err := c.Caller(aws.Endpoint{URL: url, Region: "us-east-1", Service: "sqs"}, "AmazonSQS.GetQueueUrl")
	if err != nil {
		t.Fatal(err)
	}
	call := caller.Acquire()
	defer call.Release()
	call.Body = append(call.Body, `{"QueueName":"orders"}`...)
	err = call.Do(t.Context())
	if err == nil {
		return nil
	}
	var e *bridge.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v has no class", err)
	}
	return e
}

// tlsServer serves an endpoint over TLS and returns a file with the authority of its certificate.
func tlsServer(t testing.TB, h http.Handler) (server *httptest.Server, authority string) {
	t.Helper()
	server = httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = zap.NewStdLog(zap.NewNop()) // refused handshakes are meant
	server.StartTLS()
	t.Cleanup(server.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return server, authority
}

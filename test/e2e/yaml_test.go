//go:build integration

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// brokerYAML is a broker of the configuration.
func brokerYAML(name, url string, u brokers.User, caFile string) string {
	s := fmt.Sprintf("  - name: %s\n    url: %s\n    username: %s\n    password: %s\n", name, url, u.Name, u.Password)
	if caFile != "" {
		s += fmt.Sprintf("    tls:\n      ca_file: %s\n", caFile)
	}
	return s
}

// configuration puts the parts of a bridge.yaml together.
func configuration(e *awslocal.Endpoint, brokerList, routes string) string {
	aws := ""
	if e != nil {
		aws = fmt.Sprintf("aws:\n  region: %s\n  endpoint_url: %s\n", e.Region(), e.URL())
	}
	return "brokers:\n" + brokerList + aws + "routes:\n" + routes
}

// routeYAML is a route from a queue of broker mq to an SQS queue; more are further lines of the route.
func routeYAML(name, from, to string, more ...string) string {
	s := fmt.Sprintf("  - name: %s\n    from:\n      jms:\n        broker: mq\n        queue: %s\n    to:\n      - sqs:\n          queue: %s\n", name, from, to)
	return s + indent(more)
}

func indent(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("    " + l + "\n")
	}
	return b.String()
}

// startAWS starts an endpoint with these queues.
func startAWS(t testing.TB, opt awslocal.Options, queues ...string) *awslocal.Endpoint {
	t.Helper()
	e, err := awslocal.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range queues {
		createQueue(t, e, name, nil)
	}
	return e
}

func createQueue(t testing.TB, e *awslocal.Endpoint, name string, attributes map[string]string) {
	t.Helper()
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: name, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
}

// waitArrived waits until an SQS queue holds n messages.
func waitArrived(t testing.TB, e *awslocal.Endpoint, queue string, n int, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func() (bool, string) {
		have := e.Depth(queue).Total()
		return have >= n, fmt.Sprintf("%s holds %d of %d messages", queue, have, n)
	})
}

// withSource adds lines to the source of the route that consumes a queue.
func withSource(yaml, queue string, more ...string) string {
	line := "        queue: " + queue + "\n"
	return strings.Replace(yaml, line, line+"        "+strings.Join(more, "\n        ")+"\n", 1)
}

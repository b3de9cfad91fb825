package lambdatest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/lambdatest"
)

type seen struct {
	ID, ARN, Name, Home, Extra string
	Left, PID                  int
}

// TestARealFunction runs a program on aws-lambda-go, unchanged.
func TestARealFunction(t *testing.T) {
	program := lambdatest.Build(t)
	const generous = 20 * time.Second // for a machine that has other work
	t.Run("answers, and knows who it is", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous, Environment: []string{"EXTRA=1"}, Aliases: map[string]string{"live": "7"}})
		if out := invoke(t, c, `{"do":"echo","value":{"a":[1,"ü"]}}`); string(out.Payload) != `{"a":[1,"ü"]}` || out.FunctionError != nil {
			t.Errorf("%s", out.Payload)
		}
		var first, second seen
		for _, into := range []*seen{&first, &second} {
			out := invoke(t, c, `{"do":"context"}`, named("f", "live"))
			if err := json.Unmarshal(out.Payload, into); err != nil {
				t.Fatal(err)
			}
		}
		if first.Name != "f" || first.ARN != e.FunctionARN("f")+":live" || first.Left <= 0 || first.Left > 20000 || first.ID == "" || first.ID == second.ID || first.Extra != "1" {
			t.Errorf("%+v", first)
		}
		if first.Home != "" {
			t.Error("the environment of this process is passed on")
		}
		if first.PID != second.PID {
			t.Error("the process is not used again")
		}
		if n := e.FunctionCounts("f"); n.Started != 1 || n.Running != 1 || n.Runs != 3 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("fails with an error of its own", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous})
		out := invoke(t, c, `{"do":"fail","text":"out of stock"}`, withTail)
		var said struct{ ErrorType, ErrorMessage string }
		if err := json.Unmarshal(out.Payload, &said); err != nil {
			t.Fatal(err)
		}
		if aws.ToString(out.FunctionError) != "Unhandled" || said.ErrorType != "customError" || said.ErrorMessage != "out of stock" || !strings.Contains(tail(t, out), "out of stock") {
			t.Errorf("%s, log %s", out.Payload, tail(t, out))
		}
		if n := e.FunctionCounts("f"); n.Started != 1 || n.Errors != 1 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("a panic ends the process, and another one answers", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous, Concurrency: 1})
		out := invoke(t, c, `{"do":"panic","text":"boo"}`)
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "boo") {
			t.Errorf("%s", out.Payload)
		}
		invoke(t, c, `{"do":"echo","value":1}`)
		if n := e.FunctionCounts("f"); n.Started != 2 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("a crash is told with what it wrote", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous})
		out := invoke(t, c, `{"do":"exit","text":"last words"}`, withTail)
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType":"Runtime.ExitError"`) || !strings.Contains(string(out.Payload), "exit status 7") || !strings.Contains(tail(t, out), "last words") {
			t.Errorf("%s, log %s", out.Payload, tail(t, out))
		}
		if out := invoke(t, c, `{"do":"echo","value":1}`); string(out.Payload) != "1" {
			t.Errorf("%s", out.Payload)
		}
	})
	t.Run("a timeout replaces the process", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: 2 * time.Second})
		out := invoke(t, c, fmt.Sprintf(`{"do":"sleep","sleep":%d}`, time.Minute), withTail)
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "Task timed out after 2.00 seconds") {
			t.Errorf("%s", out.Payload)
		}
		if out := invoke(t, c, `{"do":"echo","value":1}`); string(out.Payload) != "1" { // and not the one that still sleeps
			t.Errorf("%s", out.Payload)
		}
		if n := e.FunctionCounts("f"); n.Started != 2 || n.Running != 1 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("its log is complete when it answers", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous})
		for i := range 20 {
			line := fmt.Sprint("line ", i)
			out := invoke(t, c, fmt.Sprintf(`{"do":"log","text":%q}`, line), withTail)
			if got := tail(t, out); !strings.Contains(got, line+"\nand no line end") || i > 0 && strings.Contains(got, fmt.Sprint("line ", i-1, "\n")) {
				t.Fatalf("log %q", got)
			}
		}
		long := invoke(t, c, fmt.Sprintf(`{"do":"log","text":%q}`, strings.Repeat("0123456789", 10<<10)), withTail)
		if got := tail(t, long); len(got) != 4<<10 || !strings.Contains(got, "END RequestId") {
			t.Errorf("%d bytes of log", len(got))
		}
	})
	t.Run("a start that goes wrong is an error of the function", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous, Environment: []string{"FUNCTION_MODE=init"}})
		out := invoke(t, c, `{}`, withTail)
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "exit status 3") || !strings.Contains(tail(t, out), "no database") {
			t.Errorf("%s, log %s", out.Payload, tail(t, out))
		}
		create(t, e, awslocal.FunctionOptions{Command: []string{program + "-missing"}})
		if out := invoke(t, c, `{}`); !strings.Contains(string(out.Payload), "Runtime.InvalidEntrypoint") {
			t.Errorf("%s", out.Payload)
		}
	})
	t.Run("a result that is too large is an error", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous})
		out := invoke(t, c, fmt.Sprintf(`{"do":"large","bytes":%d}`, 7<<20))
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "Function.ResponseSizeTooLarge") {
			t.Errorf("%.200s", out.Payload)
		}
		if out := invoke(t, c, fmt.Sprintf(`{"do":"large","bytes":%d}`, 5<<20)); len(out.Payload) != 5<<20+2 {
			t.Errorf("%d bytes", len(out.Payload))
		}
	})
	t.Run("as many processes as calls at once, and no more", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous, Concurrency: 3})
		var all sync.WaitGroup
		throttled := make(chan struct{}, 100)
		for range 20 {
			all.Go(func() {
				out, err := try(t, c, fmt.Sprintf(`{"do":"sleep","sleep":%d}`, 200*time.Millisecond))
				switch {
				case code(err) == "TooManyRequestsException":
					throttled <- struct{}{}
				case err != nil || out.FunctionError != nil:
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		n := e.FunctionCounts("f")
		if n.Started > 3 || n.Throttled != len(throttled) || n.Runs+n.Throttled != 20 || n.Errors != 0 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("takes the event of the mapping for Amazon MQ", func(t *testing.T) {
		e, c := start(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: generous, Environment: []string{"FUNCTION_MODE=batch"}})
		event, err := json.Marshal(events.ActiveMQEvent{Messages: []events.ActiveMQMessage{
			{MessageID: "ID:1", Data: "Z29vZA=="}, {MessageID: "ID:2", Data: "cG9pc29u"}, {MessageID: "ID:3", Data: "Z29vZA=="},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if out := invoke(t, c, string(event)); string(out.Payload) != `{"batchItemFailures":[{"itemIdentifier":"ID:2"}]}` {
			t.Errorf("%s", out.Payload)
		}
	})
	t.Run("no process outlives the endpoint, or its function", func(t *testing.T) {
		e, c := start(t)
		pid := func(name string) int {
			create(t, e, awslocal.FunctionOptions{Name: name, Command: []string{program}, Timeout: generous})
			var s seen
			if err := json.Unmarshal(invoke(t, c, `{"do":"context"}`, named(name, "")).Payload, &s); err != nil {
				t.Fatal(err)
			}
			return s.PID
		}
		alive := func(pid int) bool {
			p, err := os.FindProcess(pid)
			return err == nil && p.Signal(syscall.Signal(0)) == nil
		}
		kept, removed := pid("kept"), pid("removed")
		if !alive(kept) || !alive(removed) {
			t.Fatal("they do not wait for another call")
		}
		e.DeleteFunction("removed")
		eventually(t, "the removed function's process to end", func() bool { return !alive(removed) })
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if alive(kept) {
			t.Error("the process outlives the endpoint")
		}
	})
}

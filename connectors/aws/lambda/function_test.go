package lambda_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
	"github.com/jmsbridge/jmsbridge/test/lambdatest"
)

// TestARealFunctionIsCalled has a program on aws-lambda-go at the other end.
func TestARealFunctionIsCalled(t *testing.T) {
	program := lambdatest.Build(t)
	run := func(t *testing.T, mode string, change ...func(*lambda.SinkSettings)) *lambda.Sink {
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Command: []string{program}, Timeout: 20 * time.Second, Environment: []string{"FUNCTION_MODE=" + mode}})
		return connected(t, e, change...)
	}
	poisoned := func() []*bridge.Message {
		all := numbered(4)
		all[2].Body = bridge.NewText("poison")
		return all
	}
	t.Run("which reads the event of the mapping", func(t *testing.T) {
		s := run(t, "activemq", payload(lambda.ActiveMQ), withARN)
		res, err := send(t, s, full())
		if err != nil || res[0].Err != nil {
			t.Fatal(err, res[0].Err)
		}
		var got events.ActiveMQEvent
		if err := json.Unmarshal([]byte(res[0].Reply.Body.Data()), &got); err != nil {
			t.Fatal(err)
		}
		if m := got.Messages[0]; got.EventSourceARN != brokerARN || m.MessageID != "ID:host-1:1" || m.Properties["region"] != "EU \"north\"\n<ü>" || m.DeliveryMode != 2 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("which names what failed", func(t *testing.T) {
		s := run(t, "batch", payload(lambda.ActiveMQ), several(10))
		res, err := send(t, s, poisoned()...)
		if err != nil {
			t.Fatal(err)
		}
		var failed []bool
		for i := range res {
			failed = append(failed, res[i].Err != nil)
		}
		if diff := cmp.Diff([]bool{false, false, true, false}, failed); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("which fails as a whole", func(t *testing.T) {
		s := run(t, "strict", payload(lambda.ActiveMQ), several(10))
		for n, want := range map[int]bridge.Class{1: bridge.Transient, 4: bridge.Suspect} {
			_, err := send(t, s, poisoned()[4-max(n, 2):][:n]...)
			if bridge.ClassOf(err) != want || !strings.Contains(err.Error(), "cannot digest message ID:2") || !strings.Contains(bridge.AsError(err).Code, "FunctionError.") {
				t.Errorf("%d: %v is %v, code %q", n, err, bridge.ClassOf(err), bridge.AsError(err).Code)
			}
		}
	})
	t.Run("which crashes", func(t *testing.T) {
		s := run(t, "", payload(lambda.Body))
		_, err := send(t, s, &bridge.Message{Body: bridge.NewText(`{"do":"exit","text":"last words"}`)})
		if bridge.ClassOf(err) != bridge.Transient || bridge.AsError(err).Code != "FunctionError.Runtime.ExitError" || !strings.Contains(err.Error(), "its log ends: last words") {
			t.Errorf("%v is %v", err, bridge.ClassOf(err))
		}
		res, err := send(t, s, &bridge.Message{Body: bridge.NewText(fmt.Sprintf(`{"do":"echo","value":%q}`, "ü"))})
		if err != nil || res[0].Reply.Body.Data() != `"ü"` {
			t.Errorf("%v, %+v", err, res[0])
		}
	})
}

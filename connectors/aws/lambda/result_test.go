package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

func TestTheResultOfOneMessageIsItsReply(t *testing.T) {
	e := local(t)
	for name, tt := range map[string]struct {
		result string
		want   bridge.Body
	}{
		"JSON": {`{"price":12}`, bridge.NewText(`{"price":12}`)}, "text": {"ü", bridge.NewText("ü")}, "nothing": {"", bridge.NewText("")},
		"bytes": {"\x00\xff", bridge.NewBytes("\x00\xff")}, "failures of a batch, which it is not": {`{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`, bridge.NewText(`{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`)},
	} {
		answers(t, e, tt.result)
		res, err := send(t, connected(t, e), numbered(1)...)
		if err != nil || res[0].Err != nil || res[0].Reply == nil || !res[0].Reply.Body.Equal(tt.want) || res[0].ID == "" {
			t.Errorf("%s: %v, %+v", name, err, res[0])
		}
	}
	answers(t, e, `{}`)
	res, err := send(t, connected(t, e, several(10)), numbered(1)...)
	if err != nil || res[0].Err != nil || res[0].Reply != nil {
		t.Errorf("in a list: %v, %+v", err, res[0])
	}
}

func TestAFunctionNamesTheMessagesThatFailed(t *testing.T) {
	e := local(t)
	mq := []func(*lambda.SinkSettings){payload(lambda.ActiveMQ), several(10)}
	list := []func(*lambda.SinkSettings){several(10)}
	named := func(items string) string { return `{"batchItemFailures":[` + items + `]}` }
	for name, tt := range map[string]struct {
		result string
		failed string // places
		whole  bool
	}{
		"by id":              {named(`{"itemIdentifier":"ID:1"}`), "1", false},
		"by place":           {named(`{"itemIdentifier":"0"},{"itemIdentifier":"2"}`), "02", false},
		"both, and twice":    {named(`{"itemIdentifier":"2"},{"itemIdentifier":"ID:2"}`), "2", false},
		"all":                {named(`{"itemIdentifier":"0"},{"itemIdentifier":"1"},{"itemIdentifier":"2"}`), "012", false},
		"more fields":        {`{"x":1,"batchItemFailures":[{"itemIdentifier":"1","why":"no"}]}`, "1", false},
		"none":               {named(""), "", false},
		"null list":          {`{"batchItemFailures":null}`, "", false},
		"empty object":       {`{}`, "", false},
		"null":               {`null`, "", false},
		"another result":     {`{"statusCode":200}`, "", false},
		"a list":             {`[1,2]`, "", false},
		"text":               {`"done"`, "", false},
		"nothing":            {``, "", false},
		"no JSON":            {`done`, "", false},
		"an unknown id":      {named(`{"itemIdentifier":"ID:9"}`), "", true},
		"a place outside":    {named(`{"itemIdentifier":"3"}`), "", true},
		"a negative place":   {named(`{"itemIdentifier":"-1"}`), "", true},
		"an empty id":        {named(`{"itemIdentifier":""}`), "", true},
		"a null id":          {named(`{"itemIdentifier":null}`), "", true},
		"another key":        {named(`{"id":"ID:1"}`), "", true},
		"a number":           {named(`{"itemIdentifier":1}`), "", true},
		"no list":            {`{"batchItemFailures":"ID:1"}`, "", true},
		"a list of texts":    {`{"batchItemFailures":["ID:1"]}`, "", true},
		"one known, one not": {named(`{"itemIdentifier":"1"},{"itemIdentifier":"ID:9"}`), "", true},
	} {
		answers(t, e, tt.result)
		for kind, change := range map[string][]func(*lambda.SinkSettings){"envelopes": list, "event": mq} {
			res, err := send(t, connected(t, e, change...), numbered(3)...)
			if tt.whole {
				if bridge.ClassOf(err) != bridge.Suspect || bridge.AsError(err).Code != "BatchItemFailures" || bridge.AsError(err).Remedy == "" {
					t.Errorf("%s, %s: %v is %v", name, kind, err, bridge.ClassOf(err))
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			for i := range res {
				failed := strings.Contains(tt.failed, fmt.Sprint(i))
				if (res[i].Err != nil) != failed || failed && (bridge.ClassOf(res[i].Err) != bridge.Transient || bridge.AsError(res[i].Err).Code != "BatchItemFailure") {
					t.Errorf("%s, %s: message %d: %v", name, kind, i, res[i].Err)
				}
				if res[i].Reply != nil {
					t.Errorf("%s, %s: message %d has a reply", name, kind, i)
				}
			}
		}
	}
}

func TestAnIDIsLookedForBeforeAPlace(t *testing.T) {
	e := local(t)
	answers(t, e, `{"batchItemFailures":[{"itemIdentifier":"0"}]}`)
	messages := numbered(3)
	messages[1].ID = "0"
	res, err := send(t, connected(t, e, several(10)), messages...)
	if err != nil || res[0].Err != nil || res[1].Err == nil || res[2].Err != nil {
		t.Errorf("%v, %+v", err, res)
	}
}

func TestAnEventOfOneMessageCanNameItAsFailed(t *testing.T) {
	e := local(t)
	answers(t, e, `{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`)
	if _, err := send(t, connected(t, e, payload(lambda.ActiveMQ)), numbered(1)...); bridge.AsError(err) == nil || bridge.AsError(err).Code != "BatchItemFailure" {
		t.Errorf("%v", err)
	}
}

// What is shown of a log is its end, without the lines that Lambda itself writes.
func TestTheEndOfTheFunctionsLogIsShown(t *testing.T) {
	e := local(t)
	create(t, e, awslocal.FunctionOptions{Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
		log := awslocal.FunctionLog(ctx)
		fmt.Fprintln(log, "at the beginning")
		for range 100 {
			fmt.Fprintln(log, "in the middle")
		}
		fmt.Fprintln(log, "at the end")
		fmt.Fprintln(log, "END RequestId: 1")
		fmt.Fprintln(log, "REPORT RequestId: 1 Duration: 2 ms")
		return nil, errors.New("no")
	}})
	_, err := send(t, connected(t, e, several(10)), numbered(1)...)
	if err == nil || !strings.HasSuffix(err.Error(), "| at the end") || strings.Contains(err.Error(), "beginning") {
		t.Errorf("%v", err)
	}
}

func TestMessagesOfOneIDFailTogether(t *testing.T) {
	e := local(t)
	answers(t, e, `{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`)
	all := append(numbered(2), numbered(1)...)
	res, err := send(t, connected(t, e, several(10)), all...)
	if err != nil || res[0].Err == nil || res[1].Err != nil || res[2].Err == nil {
		t.Errorf("%v, %+v", err, res)
	}
}

func TestAnErrorOfTheFunctionIsNoReply(t *testing.T) {
	e := local(t)
	log := func(ctx context.Context, text string) { fmt.Fprintln(awslocal.FunctionLog(ctx), text) }
	for name, tt := range map[string]struct {
		handler    func(context.Context, []byte) ([]byte, error)
		code, text string
	}{
		"unhandled": {func(ctx context.Context, _ []byte) ([]byte, error) {
			log(ctx, "looking for it")
			log(ctx, "not there")
			return nil, errors.New("no such\norder")
		}, "FunctionError.errorString", "no such order; its log ends: looking for it | not there"},
		"handled": {func(context.Context, []byte) ([]byte, error) {
			return nil, &awslocal.FunctionError{Handled: true, Type: "OutOfStock", Message: "none left"}
		}, "FunctionError.OutOfStock", "none left"},
		"a panic": {func(context.Context, []byte) ([]byte, error) { panic("boo") }, "FunctionError.Runtime.Panic", "boo"},
		"no JSON": {func(context.Context, []byte) ([]byte, error) {
			return nil, &awslocal.FunctionError{Payload: []byte("<html>")}
		}, "FunctionError.Unhandled", "Unhandled"},
		"a type that is none": {func(context.Context, []byte) ([]byte, error) {
			return nil, &awslocal.FunctionError{Type: strings.Repeat("x y", 100), Message: "no"}
		}, "FunctionError.Unhandled", "no"},
		"secrets": {func(ctx context.Context, _ []byte) ([]byte, error) {
			log(ctx, "using "+keyID+" with password: hunter2-of-mine")
			return nil, errors.New(`login of ` + keyID + ` refused, {"secretAccessKey":"` + secret + `","SessionToken": "` + token + `"} Authorization: Bearer abc.def`)
		}, "FunctionError.errorString", "AKID…"},
		"much": {func(ctx context.Context, _ []byte) ([]byte, error) {
			for range 1000 {
				log(ctx, strings.Repeat("ü", 100))
			}
			return nil, errors.New(strings.Repeat("ü", 100_000))
		}, "FunctionError.errorString", "…"},
	} {
		create(t, e, awslocal.FunctionOptions{Handler: tt.handler})
		for _, n := range []int{1, 3} {
			res, err := send(t, connected(t, e, several(10)), numbered(n)...)
			got := bridge.AsError(err)
			want := bridge.Transient
			if n > 1 {
				want = bridge.Suspect
			}
			if err == nil || got.Class != want || got.Code != tt.code || got.RequestID == "" || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s, %d: %v is %v, code %q", name, n, err, bridge.ClassOf(err), got.Code)
				continue
			}
			if len(err.Error()) > 1200 || strings.Contains(err.Error(), "\n") || !utf8.ValidString(err.Error()) || strings.Contains(err.Error(), "START RequestId") {
				t.Errorf("%s: %d bytes: %q", name, len(err.Error()), err)
			}
			for _, hidden := range []string{"hunter2", "abc.def"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("%s: %q shows %s", name, err, hidden)
				}
			}
			if res[0].Reply != nil {
				t.Errorf("%s: there is a reply", name)
			}
		}
	}
}

func TestAFunctionThatTimesOutHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Timeout: 30 * time.Second, Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		s := connected(t, e, several(10))
		if got := s.Limits().Timeout; got != 35*time.Second {
			t.Errorf("a call may take %v", got)
		}
		for n, want := range map[int]bridge.Class{1: bridge.Transient, 2: bridge.Suspect} {
			began := time.Now()
			_, err := send(t, s, numbered(n)...)
			if bridge.ClassOf(err) != want || bridge.AsError(err).Code != "FunctionError.Sandbox.Timedout" || !strings.Contains(err.Error(), "timed out after 30.00 seconds") {
				t.Errorf("%d: %v is %v", n, err, bridge.ClassOf(err))
			}
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("took %v", took)
			}
		}
	})
}

// TestAFailureAloneIsTheMessagesOwn is what the engine counts as an attempt: a call that fails as a whole is a fault of the
// target, which spends nothing.
func TestAFailureAloneIsTheMessagesOwn(t *testing.T) {
	e := local(t)
	for name, tt := range map[string]struct {
		handler func(context.Context, []byte) ([]byte, error)
		own     bool
	}{
		"an error":           {func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") }, true},
		"a malformed answer": {func(context.Context, []byte) ([]byte, error) { return []byte(`{"batchItemFailures":[{}]}`), nil }, true},
		"a named message": {func(context.Context, []byte) ([]byte, error) {
			return []byte(`{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`), nil
		}, true},
		"no handler": {func(context.Context, []byte) ([]byte, error) {
			return nil, &awslocal.FunctionError{Type: "Runtime.HandlerNotFound", Message: "index.handler is undefined"}
		}, false},
		"no program": {nil, false},
	} {
		o := awslocal.FunctionOptions{Handler: tt.handler}
		if tt.handler == nil {
			o.Command = []string{"/no/such/program"}
		}
		create(t, e, o)
		s := connected(t, e, payload(lambda.ActiveMQ), several(10))
		for _, n := range []int{1, 3} {
			res := unanswered(n)
			batch := make([]bridge.Outgoing, n)
			for i, m := range numbered(n) {
				batch[i].Message = m
			}
			err := s.Send(t.Context(), batch, res)
			switch {
			case !tt.own:
				if bridge.ClassOf(err) != bridge.Transient || err == nil || bridge.AsError(err).Remedy == "" {
					t.Errorf("%s, %d: %v is %v", name, n, err, bridge.ClassOf(err))
				}
			case n == 1:
				if err != nil || bridge.ClassOf(res[0].Err) != bridge.Transient || errors.Is(res[0].Err, bridge.ErrUnanswered) || res[0].ID == "" {
					t.Errorf("%s: %v, %+v", name, err, res[0])
				}
			}
		}
	}
}

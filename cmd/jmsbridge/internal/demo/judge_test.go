package demo

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The judge must find each kind of damage, or the demo's verdict is worth nothing.
func TestJudgeFindsDamage(t *testing.T) {
	const n = 40
	swap := func(all []bridge.Outgoing, change func(m *bridge.Message)) {
		m := *all[7].Message
		change(&m)
		all[7].Message = &m
	}
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, w *world, all []bridge.Outgoing) []bridge.Outgoing
		check  string // that must fail; "": none
		report Report // Sent, Delivered, Lost, Duplicated
	}{
		{"none", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing { return all }, "", Report{Sent: n, Delivered: n}},
		{"a message lost", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			return append(all[:7:7], all[8:]...)
		}, "", Report{Sent: n, Delivered: n - 1, Lost: 1}},
		{"a message that nobody sent", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			e := expect(n, 2)
			return append(all, outgoing(e.message(n), e.account, "new"))
		}, "every message in SQS was sent, and is there once", Report{Sent: n, Delivered: n}},
		{"a changed body", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			swap(all, func(m *bridge.Message) { m.Body = bridge.NewText(m.Body.Data() + " ") })
			return all
		}, "every body is unchanged", Report{Sent: n, Delivered: n}},
		{"a property of another type", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			swap(all, func(m *bridge.Message) { m.Properties = m.Properties.With("seq", bridge.Long(7)) })
			return all
		}, "every property has its value and its type", Report{Sent: n, Delivered: n}},
		{"a property of another value", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			swap(all, func(m *bridge.Message) { m.Properties = m.Properties.With("rate", bridge.Double(0.8750001)) })
			return all
		}, "every property has its value and its type", Report{Sent: n, Delivered: n}},
		{"another group", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			all[7].Group = "another"
			return all
		}, "every message is in its group", Report{Sent: n, Delivered: n}},
		{"another order", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			for i := range all {
				for j := i + 1; j < n; j++ {
					if all[i].Group == all[j].Group {
						all[i], all[j] = all[j], all[i]
						return all
					}
				}
			}
			return all
		}, "the order holds in every group", Report{Sent: n, Delivered: n}},
		{"a duplicate that SQS recognises", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			return append(all, all[7])
		}, "", Report{Sent: n, Delivered: n, Duplicated: 1}},
		{"a duplicate with another deduplication id", func(_ *testing.T, _ *world, all []bridge.Outgoing) []bridge.Outgoing {
			again := all[n-1]
			again.DedupID = "another"
			return append(all, again)
		}, "every duplicate carries the same deduplication id", Report{Sent: n, Delivered: n, Duplicated: 1}},
		{"a message left on the broker", func(t *testing.T, w *world, all []bridge.Outgoing) []bridge.Outgoing {
			if _, err := w.broker.Publish("/queue/"+brokerQueue, stomplocal.Message{CorrelationID: all[7].Message.CorrelationID}); err != nil {
				t.Fatal(err)
			}
			return append(all[:7:7], all[8:]...)
		}, "", Report{Sent: n, Delivered: n - 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, err := build(t.Context(), zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			var all []bridge.Outgoing
			for i := range n {
				e := expect(i, 2)
				all = append(all, outgoing(e.message(i), e.account, e.id))
			}
			deliver(t, w, tc.damage(t, w, all))
			r := &run{world: w, opt: Options{Messages: n}, groups: 2}
			r.sent.Store(n)
			got := r.judge(1)
			var wrong []string
			for _, c := range got.Checks {
				if c.Wrong > 0 {
					wrong = append(wrong, c.Name)
				}
			}
			found := false
			for _, name := range wrong {
				found = found || name == tc.check
			}
			if tc.check == "" && len(wrong) > 0 || tc.check != "" && !found {
				t.Errorf("wrong: %q, want %q", strings.Join(wrong, "; "), tc.check)
			}
			want := tc.report
			if got.Sent != want.Sent || got.Delivered != want.Delivered || got.Lost != want.Lost || got.Duplicated != want.Duplicated {
				t.Errorf("sent %d, delivered %d, lost %d, duplicated %d, want %d, %d, %d, %d",
					got.Sent, got.Delivered, got.Lost, got.Duplicated, want.Sent, want.Delivered, want.Lost, want.Duplicated)
			}
			if bad := want.Lost > 0 || tc.check != ""; got.OK() == bad {
				t.Errorf("OK: %v", got.OK())
			}
		})
	}
}

// firing is an injection that has fired so often.
type firing int

func (f firing) Fired() int { return int(f) }
func (f firing) Over() bool { return true }
func (f firing) Remove()    {}

func TestJudgeWantsEveryFaultFiredAndSurvived(t *testing.T) {
	fault := func(fired int, survived time.Duration) *plannedFault {
		return &plannedFault{Fault: Fault{Name: "f", Planned: 3, Fired: fired, Survived: survived}, at: firing(fired)}
	}
	for _, tc := range []struct {
		name        string
		interrupted bool
		fault       *plannedFault
		wrong       int
	}{
		{"fired and survived", false, fault(3, time.Second), 0},
		{"not fired", false, fault(0, 0), 1},
		{"fired too seldom", false, fault(2, time.Second), 1},
		{"not survived", false, fault(3, 0), 1},
		{"cut short by an interruption", true, fault(2, 0), 0},
		{"never injected", true, &plannedFault{Fault: Fault{Name: "f", Planned: 3}}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &run{opt: Options{Messages: 100}, faults: []*plannedFault{tc.fault}, interrupted: tc.interrupted}
			r.sent.Store(100) // all are out when the last fault is at work
			if c := r.judgeFaults(&Report{}); c.Wrong != tc.wrong {
				t.Errorf("%+v", c)
			}
		})
	}
}

func outgoing(m *bridge.Message, group, dedup string) bridge.Outgoing {
	return bridge.Outgoing{Message: m, Group: group, DedupID: dedup, Attempt: 1}
}

// deliver sends messages to SQS one by one, so that they keep their order.
func deliver(t *testing.T, w *world, all []bridge.Outgoing) {
	t.Helper()
	sink, err := sqs.NewSink(sqs.SinkSettings{Client: w.aws, Queue: targetQueue, Attributes: propertyNames})
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close(context.Background()) }()
	w.sqs.SetLatency(0)
	for i := range all {
		res := []bridge.Result{{Err: bridge.ErrUnanswered}}
		if err := sink.Send(t.Context(), all[i:i+1], res); err != nil || res[0].Err != nil {
			t.Fatal(err, res[0].Err)
		}
	}
}

func TestMessagesAreAPureFunctionOfTheirNumber(t *testing.T) {
	for i := range 1000 {
		a, b := expect(i, 50), expect(i, 50)
		if a != b || !a.message(i).Properties.Equal(b.message(i).Properties) {
			t.Fatalf("message %d differs", i)
		}
		if at, ok := indexOf(a.id, 1000); !ok || at != i {
			t.Fatalf("%s is message %d, %v", a.id, at, ok)
		}
	}
	for _, id := range []string{"", "demo-", "demo-x", "demo-1", "demo-0001000", "demo--000001", "other-0000001"} {
		if i, ok := indexOf(id, 1000); ok {
			t.Errorf("%q is message %d", id, i)
		}
	}
	used := map[string]int{}
	for i := range 2000 {
		used[expect(i, 100).account]++
	}
	if len(used) != 100 {
		t.Error(fmt.Sprint("accounts used: ", len(used)))
	}
}

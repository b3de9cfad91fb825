package demo

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// What a viewer sees last is what the judge has counted, and what it sees on the way is of the last second.
func TestProgressEndsWithTheFiguresOfTheReport(t *testing.T) {
	var seen []Progress
	report, err := Run(t.Context(), Options{Messages: 3000, Observe: func(p Progress) { seen = append(seen, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if wrong := report.Wrong(); len(wrong) > 0 {
		t.Fatalf("%q", wrong)
	}
	last := seen[len(seen)-1]
	if last.Total != 3000 || last.Sent != report.Sent || last.Settled != report.Delivered || last.InFlight != 0 ||
		last.Duplicates != report.Duplicated || last.Faults != len(report.Faults) {
		t.Errorf("the last progress %+v is not that of the report %+v", last, report)
	}
	if report.Duplicated == 0 {
		t.Error("no duplicate was made, though batches were taken without an answer")
	}
	var moved bool
	from := 0 // the oldest progress that is not older than a second
	for i, p := range seen {
		for from < i-1 && p.Elapsed-seen[from].Elapsed > time.Second {
			from++
		}
		want := 0.0
		if d := p.Elapsed - seen[from].Elapsed; d > 0 {
			want = float64(p.Settled-seen[from].Settled) / d.Seconds()
		}
		if math.Abs(p.Rate-want) > 0.001*want {
			t.Errorf("after %v: %v a second, want %v", p.Elapsed, p.Rate, want)
		}
		moved = moved || p.Rate > 0
		if i > 0 && (p.Settled < seen[i-1].Settled || p.Duplicates < seen[i-1].Duplicates || p.Faults < seen[i-1].Faults) {
			t.Errorf("%+v comes after %+v", p, seen[i-1])
		}
	}
	if !moved {
		t.Errorf("no rate was ever shown: %+v", seen)
	}
}

// In flight is what the broker has delivered and not been told to forget.
func TestProgressShowsWhatIsInFlight(t *testing.T) {
	const n = 40
	w, err := build(t.Context(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.sqs.Inject(awslocal.Fault{Kind: awslocal.StallBefore, Queue: targetQueue})
	ctx, stop := context.WithCancel(t.Context())
	force := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { _ = w.route.Run(ctx, force) }) // forced, it says so
	defer running.Wait()
	defer close(force)
	defer stop()
	r := &run{world: w, opt: Options{Messages: n}, groups: 2, started: time.Now()}
	if p := r.progress(); p.InFlight != 0 {
		t.Errorf("before anything was sent: %+v", p)
	}
	sent, err := r.send(t.Context(), 0, n, r.groups)
	if err != nil {
		t.Fatal(err)
	}
	r.sent.Store(int64(sent))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		p, unacked := r.progress(), w.broker.Unacked("/queue/"+brokerQueue)
		if unacked == n && p.InFlight == n && p.Sent == n && p.Settled == 0 && p.Rate == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d messages are delivered and not settled, and the viewer sees %+v", unacked, p)
		}
	}
}

// A fault that is over when the last message is settled was survived, though no message can come after it.
func TestTheLastMessageSurvivesTheLastFault(t *testing.T) {
	const n = 100
	for _, tc := range []struct {
		name     string
		counts   []int
		over     bool
		survived bool
	}{
		{"over at the end", []int{n}, true, true},
		{"over before the end", []int{90, n}, true, true},
		{"messages after it", []int{50, 51}, true, true},
		{"no message after it", []int{50, 50}, true, false},
		{"never over", []int{50, n}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &plannedFault{overAt: -1, injected: time.Now().Add(-time.Second), at: &stillFiring{over: tc.over}}
			r := &run{opt: Options{Messages: n, Event: func(string) {}}, faults: []*plannedFault{f}, next: 1}
			for _, count := range tc.counts {
				r.follow(count)
			}
			if (f.Survived > 0) != tc.survived {
				t.Errorf("survived in %v", f.Survived)
			}
		})
	}
}

// stillFiring is an injection that is over or not.
type stillFiring struct {
	firing
	over bool
}

func (f *stillFiring) Over() bool { return f.over }

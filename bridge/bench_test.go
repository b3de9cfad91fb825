package bridge

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// benchSource gives n deliveries, one allocation each, and counts what is settled.
type benchSource struct {
	n, given int
	groups   []string
	settled  atomic.Int64
	done     chan struct{}
}

func (s *benchSource) Connect(context.Context, int) error { return nil }
func (s *benchSource) Close(context.Context) error        { return nil }

func (s *benchSource) Receive(ctx context.Context, dst []*Delivery) (int, error) {
	if s.given == s.n {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	n := min(len(dst), s.n-s.given)
	for i := range n {
		d := &Delivery{Lease: s, Tag: uint64(s.given), Size: 1024}
		d.Message.Key = benchKeys[s.given%len(benchKeys)]
		d.Message.GroupID = s.groups[s.given%len(s.groups)]
		dst[i] = d
		s.given++
	}
	return n, nil
}

func (s *benchSource) Settle(uint64, Outcome) error {
	if s.settled.Add(1) == int64(s.n) {
		close(s.done)
	}
	return nil
}

func (s *benchSource) Lost() bool { return false }

var benchKeys = func() []string {
	out := make([]string, 4096)
	for i := range out {
		out[i] = "ID:bench-" + strconv.Itoa(i)
	}
	return out
}()

// benchSink confirms everything at once.
type benchSink struct{ limits Limits }

func (s benchSink) Connect(context.Context) error { return nil }
func (s benchSink) Close(context.Context) error   { return nil }
func (s benchSink) Limits() Limits                { return s.limits }
func (s benchSink) Size(o *Outgoing) (int, error) { return 1024, nil }
func (s benchSink) Send(_ context.Context, _ []Outgoing, res []Result) error {
	for i := range res {
		res[i].Err = nil
	}
	return nil
}

// BenchmarkEngine is the cost of the engine for one message between a source and a sink that do nothing: ns and
// allocations an operation are those of a message, the source's own included.
func BenchmarkEngine(b *testing.B) {
	groups := func(n int) []string { return benchKeys[:n] }
	for _, bench := range []struct {
		name   string
		order  Order
		groups []string
		calls  int
	}{
		{"order=none", OrderNone, groups(1), 32},
		{"order=group/groups=1000", OrderGroup, groups(1000), 32},
		{"order=group/groups=20", OrderGroup, groups(20), 32},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			src := &benchSource{n: b.N, groups: bench.groups, done: make(chan struct{})}
			r, err := NewRoute(RouteSettings{
				Name: "bench", Sources: []Source{src}, Order: bench.order,
				Targets: []TargetSettings{{Name: "t", Sink: benchSink{Limits{
					Messages: 10, Bytes: 1 << 20, Calls: bench.calls, Run: 1, Timeout: time.Minute, Linger: 5 * time.Millisecond,
				}}}},
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			b.ResetTimer()
			go func() { ended <- r.Run(ctx, nil) }()
			<-src.done
			b.StopTimer()
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

package awslocal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// known is what a test remembers of a message that is in the queue.
type known struct {
	body, group string
	number      int
	receipt     string // of the latest receive; "": never
	until       time.Time
}

// TestAQueueLosesNothingAndKeepsItsOrder drives a queue through random sends, receives, deletes, changes of visibility
// and jumps in time, and compares it with a plain list.
func TestAQueueLosesNothingAndKeepsItsOrder(t *testing.T) {
	for _, name := range []string{"standard", "order.fifo"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { driveQueue(t, name) })
		})
	}
}

func driveQueue(t *rapid.T, name string) {
	e := New(Options{LogRecords: -1}, "http://sqs.test")
	if _, err := e.CreateQueue(QueueOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	q := e.lookUp(name)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []*known // by arrival
	sent := 0
	flying := func(k *known) bool { return k.until.After(now) }
	t.Repeat(map[string]func(*rapid.T){
		"send": func(t *rapid.T) {
			sent++
			k := &known{body: fmt.Sprint("m", sent), group: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "group"), number: sent}
			in := &sendRequest{MessageBody: &k.body}
			if q.fifo {
				in.MessageGroupId, in.MessageDeduplicationId = &k.group, &k.body
			}
			m, problem := (&call{e: e}).message(in)
			if problem != nil {
				t.Fatal(problem)
			}
			q.accept(in, m, &Record{}, now)
			all = append(all, k)
		},
		"receive": func(t *rapid.T) {
			limit, hide := rapid.IntRange(1, 10).Draw(t, "limit"), time.Duration(rapid.IntRange(0, 30).Draw(t, "hide"))*time.Second
			locked := map[string]bool{}
			free := 0
			for _, k := range all {
				if flying(k) {
					locked[k.group] = q.fifo
				}
			}
			for _, k := range all {
				if !flying(k) && !locked[k.group] {
					free++
				}
			}
			taken := q.take(limit, hide, now)
			if len(taken) != min(limit, free) {
				t.Fatalf("took %d of %d, limit %d", len(taken), free, limit)
			}
			next := map[string]int{}
			for _, m := range taken {
				i := slices.IndexFunc(all, func(k *known) bool { return k.body == m.body })
				if i < 0 {
					t.Fatalf("received %s, which is not there", m.body)
				}
				k := all[i]
				if flying(k) || locked[k.group] {
					t.Fatalf("received %s, which is in flight or locked", k.body)
				}
				if q.fifo { // the next one of its group
					for _, earlier := range all[:i] {
						if earlier.group == k.group && earlier.number > next[k.group] {
							t.Fatalf("received %s before %s", k.body, earlier.body)
						}
					}
					next[k.group] = k.number
				}
				k.receipt = q.receipt(m)
			}
			for _, m := range taken {
				i := slices.IndexFunc(all, func(k *known) bool { return k.body == m.body })
				all[i].until = now.Add(hide)
			}
		},
		"delete": func(t *rapid.T) {
			i, ok := flight(t, all, flying)
			if !ok {
				return
			}
			if problem := q.delete(&settleRequest{ReceiptHandle: all[i].receipt}, now); problem != nil {
				t.Fatal(problem)
			}
			all = slices.Delete(all, i, i+1)
		},
		"hide": func(t *rapid.T) {
			i, ok := flight(t, all, flying)
			if !ok {
				return
			}
			seconds := rapid.IntRange(0, 60).Draw(t, "seconds")
			if problem := q.hide(&settleRequest{ReceiptHandle: all[i].receipt, VisibilityTimeout: &seconds}, now); problem != nil {
				t.Fatal(problem)
			}
			all[i].until = now.Add(time.Duration(seconds) * time.Second)
		},
		"wait": func(t *rapid.T) {
			now = now.Add(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "ms")) * time.Millisecond)
			q.tick(now)
		},
		"": func(t *rapid.T) {
			want := 0
			for _, k := range all {
				if flying(k) {
					want++
				}
			}
			visible, hidden, _ := q.counts(now)
			if hidden != want || visible != len(all)-want {
				t.Fatalf("%d visible and %d hidden, want %d and %d", visible, hidden, len(all)-want, want)
			}
			var got []string
			for m := q.all.head; m != nil; m = m.link[1].next {
				got = append(got, m.body)
			}
			for i, k := range all {
				if i >= len(got) || got[i] != k.body {
					t.Fatalf("holds %v", got)
				}
			}
			if len(all) == 0 && (len(q.lanes) > 0 || len(q.byID) > 0 || q.open.head != nil) {
				t.Fatalf("an empty queue remembers %d lanes and %d messages", len(q.lanes), len(q.byID))
			}
		},
	})
}

// flight draws one of the messages in flight.
func flight(t *rapid.T, all []*known, flying func(*known) bool) (int, bool) {
	var in []int
	for i, k := range all {
		if flying(k) {
			in = append(in, i)
		}
	}
	if len(in) == 0 {
		return 0, false
	}
	return rapid.SampledFrom(in).Draw(t, "message"), true
}

package bridge

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// schedulerModel drives a scheduler at random and checks what every call must keep.
type schedulerModel struct {
	t       *rapid.T
	s       *scheduler
	l       Limits
	now     time.Time
	serial  map[*item]int
	lanes   map[string][]*item // what each lane holds, in order; "" for all without order
	calls   [][]*item
	flying  map[string]int
	until   map[*item]time.Time // asleep
	laneNap map[string]time.Time
	aside   map[*item]bool // inspect refuses these
	n       int
}

func TestSchedulerKeepsOrderBoundsAndEveryMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &schedulerModel{
			t: t, now: time.Unix(0, 0), serial: map[*item]int{}, lanes: map[string][]*item{}, flying: map[string]int{},
			until: map[*item]time.Time{}, laneNap: map[string]time.Time{}, aside: map[*item]bool{},
			l: Limits{
				Messages: rapid.IntRange(1, 8).Draw(t, "messages"), Bytes: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "bytes"),
				Run: rapid.IntRange(1, 3).Draw(t, "run"), Linger: 5 * time.Millisecond,
			},
		}
		m.s = newScheduler(rapid.Bool().Draw(t, "ordered"), m.l.Run, func(it *item, _ time.Time) bool {
			if m.aside[it] {
				m.remove(it)
				return false
			}
			return true
		})
		t.Repeat(map[string]func(*rapid.T){
			"push":  m.push,
			"next":  m.next,
			"done":  m.done,
			"purge": m.purge,
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ms")) * time.Millisecond)
			},
			"": m.check,
		})
	})
}

func (m *schedulerModel) group(it *item) string {
	if m.s.ordered {
		return it.key
	}
	return ""
}

func (m *schedulerModel) remove(it *item) {
	g := m.group(it)
	for i, other := range m.lanes[g] {
		if other == it {
			m.lanes[g] = append(m.lanes[g][:i:i], m.lanes[g][i+1:]...)
			return
		}
	}
	m.t.Fatalf("the scheduler gave message %d, which it does not have", m.serial[it])
}

func (m *schedulerModel) push(t *rapid.T) {
	for range rapid.IntRange(1, 10).Draw(t, "n") {
		it := &item{key: fmt.Sprint("g", rapid.IntRange(0, 3).Draw(t, "group")), size: rapid.IntRange(1, 60).Draw(t, "size")}
		m.n++
		m.serial[it] = m.n
		if rapid.IntRange(0, 9).Draw(t, "aside") == 0 {
			m.aside[it] = true
		}
		m.lanes[m.group(it)] = append(m.lanes[m.group(it)], it)
		m.s.push(it, m.now)
	}
}

func (m *schedulerModel) next(t *rapid.T) {
	most := rapid.IntRange(1, m.l.Messages).Draw(t, "most")
	flush := rapid.Bool().Draw(t, "flush")
	busy := len(m.calls) > 0
	batch, wake := m.s.next(m.now, m.l, most, busy, flush, nil)
	if len(batch) == 0 {
		m.idle(wake, busy && !flush)
		return
	}
	sum, runs, smallest := 0, map[string]int{}, most
	for _, it := range batch {
		g := m.group(it)
		sum += it.size
		if runs[g]++; m.s.ordered && (runs[g] > m.l.Run || m.flying[g] > 0) {
			t.Fatalf("lane %s has two calls, or too many messages in one", g)
		}
		if m.s.ordered && m.lanes[g][0] != it {
			t.Fatalf("message %d overtakes %d", m.serial[it], m.serial[m.lanes[g][0]])
		}
		if until := m.until[it]; until.After(m.now) || m.laneNap[g].After(m.now) {
			t.Fatalf("message %d sleeps", m.serial[it])
		}
		if it.limit > 0 {
			smallest = min(smallest, it.limit)
		}
		m.remove(it)
	}
	if len(batch) > smallest || m.l.Bytes > 0 && len(batch) > 1 && sum > m.l.Bytes {
		t.Fatalf("%d messages of %d, %d bytes of %d", len(batch), smallest, sum, m.l.Bytes)
	}
	for _, it := range batch {
		m.flying[m.group(it)]++
	}
	m.calls = append(m.calls, batch)
}

// idle: when there is nothing for a call although something waits, then it sleeps, lingers, or its lane flies.
func (m *schedulerModel) idle(wake time.Time, mayLinger bool) {
	for g, items := range m.lanes {
		for i, it := range items {
			asleep := m.until[it].After(m.now) || m.laneNap[g].After(m.now)
			blocked := m.s.ordered && (m.flying[g] > 0 || i > 0)
			switch {
			case asleep && wake.IsZero():
				m.t.Fatalf("message %d sleeps and nobody wakes it", m.serial[it])
			case asleep, blocked:
			case mayLinger && !wake.IsZero():
			default:
				m.t.Fatalf("message %d is left although a call could take it", m.serial[it])
			}
		}
	}
}

func (m *schedulerModel) done(t *rapid.T) {
	if len(m.calls) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.calls)-1).Draw(t, "call")
	batch := m.calls[i]
	m.calls = append(m.calls[:i:i], m.calls[i+1:]...)
	failed := map[string]bool{} // the target refuses the rest of a group after a failure
	fates := make([]fate, len(batch))
	for i, it := range batch {
		fates[i] = rapid.SampledFrom([]fate{gone, gone, first, behind}).Draw(t, "fate")
		if failed[m.group(it)] && m.s.ordered && fates[i] == gone {
			fates[i] = first
		}
		failed[m.group(it)] = failed[m.group(it)] || fates[i] != gone
	}
	for i := len(batch) - 1; i >= 0; i-- {
		it, g := batch[i], m.group(batch[i])
		m.flying[g]--
		at := time.Time{}
		if fates[i] != gone {
			if rapid.Bool().Draw(t, "sleep") {
				at = m.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "ms")) * time.Millisecond)
			}
			if rapid.Bool().Draw(t, "halve") {
				it.limit = (len(batch) + 1) / 2
			}
			m.lanes[g] = append([]*item{it}, m.lanes[g]...)
			if !m.s.ordered {
				m.until[it] = at
			} else if at.After(m.laneNap[g]) {
				m.laneNap[g] = at
			}
		}
		m.s.done(it, fates[i], at, m.now)
	}
}

func (m *schedulerModel) purge(t *rapid.T) {
	k := rapid.IntRange(2, 5).Draw(t, "every")
	match := func(it *item) bool { return m.serial[it]%k == 0 }
	want := 0
	for _, items := range m.lanes {
		for _, it := range items {
			if match(it) {
				want++
			}
		}
	}
	out := m.s.purge(match, m.now, nil)
	if len(out) != want {
		t.Fatalf("purged %d, want %d", len(out), want)
	}
	for _, it := range out {
		if !match(it) {
			t.Fatalf("purged message %d, which does not match", m.serial[it])
		}
		m.remove(it)
	}
}

func (m *schedulerModel) check(t *rapid.T) {
	waiting := 0
	for g, items := range m.lanes {
		waiting += len(items)
		if len(items) == 0 {
			delete(m.laneNap, g) // an empty lane has nothing to sleep for
		}
	}
	if m.s.waiting != waiting || m.s.avail < 0 || m.s.avail > waiting || m.s.availBytes < 0 {
		t.Fatalf("%d wait, the scheduler says %d, %d of them now, %d bytes", waiting, m.s.waiting, m.s.avail, m.s.availBytes)
	}
}

func TestAWindowIsWaitedForAlsoWhenNothingIsInFlight(t *testing.T) {
	s := newScheduler(false, 1, func(*item, time.Time) bool { return true })
	now := time.Now()
	l := Limits{Messages: 10, Window: time.Second}
	s.push(&item{size: 1}, now)
	if got, wake := s.next(now, l, 10, false, false, nil); len(got) != 0 || !wake.Equal(now.Add(time.Second)) {
		t.Fatalf("took %d, asks again at %v", len(got), wake)
	}
	if got, _ := s.next(now.Add(time.Second), l, 10, false, false, nil); len(got) != 1 {
		t.Errorf("took %d when the window was over", len(got))
	}
	for range 10 {
		s.push(&item{size: 1}, now)
	}
	if got, _ := s.next(now, l, 10, false, false, nil); len(got) != 10 {
		t.Errorf("took %d of a full batch", len(got))
	}
}

func TestACallCanBeBoundToOneGroup(t *testing.T) {
	s := newScheduler(true, 10, func(*item, time.Time) bool { return true })
	now := time.Now()
	for i := range 9 {
		s.push(&item{size: 1, key: string(rune('a' + i%3))}, now)
	}
	for range 3 {
		got, _ := s.next(now, Limits{Messages: 10, Run: 10, OneGroup: true}, 10, false, false, nil)
		if len(got) != 3 || got[0].key != got[2].key {
			t.Fatalf("took %d", len(got))
		}
	}
}

package sqs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const (
	deleteCalls  = 8 // at once
	deleteLinger = 5 * time.Millisecond
)

// sweep deletes settled messages until ctx ends: ten a call, after 5 ms at the latest.
func (s *subscription) sweep(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	slots := make(chan struct{}, deleteCalls)
	for {
		select {
		case <-s.verdicts:
		case <-ctx.Done():
			return
		}
		for more := true; more; {
			batch, full := s.due()
			if !full {
				wait := time.NewTimer(deleteLinger)
				select {
				case <-wait.C:
				case <-ctx.Done():
				}
				wait.Stop()
				batch, _ = s.due()
			}
			batch = s.claim(len(batch))
			if len(batch) == 0 {
				break
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				s.unclaim(batch)
				return
			}
			calls.Go(func() {
				defer func() { <-slots }()
				s.delete(ctx, batch)
			})
			_, more = s.due()
		}
		if batch, _ := s.due(); len(batch) > 0 {
			signal(s.verdicts)
		}
	}
}

// due returns what can be deleted now, at most ten, and whether those are ten.
func (s *subscription) due() ([]*receipt, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.settled), receiveMost)
	return s.settled[:n:n], n == receiveMost
}

// claim takes up to n receipts to delete.
func (s *subscription) claim(n int) []*receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.settled))
	batch := slices.Clone(s.settled[:n])
	clear(s.settled[:n])
	s.settled = s.settled[n:]
	s.deleting += n
	return batch
}

func (s *subscription) unclaim(batch []*receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleting -= len(batch)
	s.settled = append(batch, s.settled...)
}

// delete makes one delete call. What is not deleted is tried again until its visibility has ended: a message that the
// target has must not come again.
func (s *subscription) delete(ctx context.Context, batch []*receipt) {
	failed, err := s.batch(ctx, s.remove, batch, -1)
	s.mu.Lock()
	var again []*receipt
	for i, r := range batch {
		switch e := failed[i]; {
		case err == nil && e == nil, over(e):
			delete(s.open, r.tag)
		case r.Lost():
			delete(s.open, r.tag)
		default:
			again = append(again, r)
			if e != nil {
				err = e
			}
		}
	}
	if err != nil {
		s.trouble = fmt.Sprintf("deleting fails: %v", err)
	}
	s.deleting -= len(batch) - len(again) // what is tried again still counts, or a close would not wait for it
	s.mu.Unlock()
	if len(again) == 0 {
		return
	}
	pause(ctx, 3, bridge.AsError(err).After)
	s.mu.Lock()
	s.deleting -= len(again)
	s.settled = append(s.settled, again...)
	s.mu.Unlock()
	signal(s.verdicts)
}

// over tells that SQS no longer knows the receipt: the message is deleted, or visible again.
func over(e *bridge.Error) bool {
	if e == nil {
		return false
	}
	switch e.Code {
	case "ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight",
		"InvalidIdFormat":
		return true
	}
	return false
}

// keep extends the visibility of what is not deleted yet, until ctx ends.
func (s *subscription) keep(ctx context.Context) {
	visibility := s.source.settings.Visibility
	tick := time.NewTicker(visibility / 6)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for due := s.fading(); len(due) > 0 && ctx.Err() == nil; {
			n := min(len(due), receiveMost)
			s.extend(ctx, due[:n], visibility)
			due = due[n:]
		}
	}
}

// fading returns the messages whose visibility is half over, the most urgent first, and gives up those for which it has
// ended.
func (s *subscription) fading() []*receipt {
	now, half := time.Now(), s.source.settings.Visibility/2
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*receipt
	for _, r := range s.open {
		switch left := r.hidden.Sub(now); {
		case left <= 0:
			s.lose(r)
		case left <= half:
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *receipt) int { return a.hidden.Compare(b.hidden) })
	return due
}

// lose gives up a message that others may see by now. The caller holds the lock.
func (s *subscription) lose(r *receipt) {
	r.lost.Store(true)
	delete(s.open, r.tag)
	if !r.settled {
		s.unsettled--
		signal(s.room)
	}
}

func (s *subscription) extend(ctx context.Context, batch []*receipt, visibility time.Duration) {
	asked := time.Now()
	failed, err := s.batch(ctx, s.change, batch, visibility)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range batch {
		switch {
		case err == nil && failed[i] == nil:
			r.hidden = asked.Add(visibility)
		case over(failed[i]):
			if _, open := s.open[r.tag]; open {
				s.lose(r)
			}
		}
	}
}

// giveBack makes what has no verdict visible at once, in the order in which it came.
func (s *subscription) giveBack(ctx context.Context) {
	s.mu.Lock()
	var back []*receipt
	for _, r := range s.open {
		if !r.settled {
			back = append(back, r)
		}
	}
	s.open, s.buffer = nil, nil
	s.mu.Unlock()
	slices.SortFunc(back, func(a, b *receipt) int { return cmp.Compare(a.tag, b.tag) })
	for len(back) > 0 && ctx.Err() == nil {
		n := min(len(back), receiveMost)
		_, _ = s.batch(ctx, s.change, back[:n], 0) // else they become visible by themselves
		back = back[n:]
	}
}

// batch makes a call for several receipts: with a visibility, or for deletion when that is negative. failed has the
// error of each entry; err is that of the call as a whole.
func (s *subscription) batch(ctx context.Context, c *aws.Caller, batch []*receipt, visibility time.Duration) (failed []*bridge.Error, err error) {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	failed = make([]*bridge.Error, len(batch))
	call := c.Acquire()
	defer call.Release()
	b := append(append(call.Body[:0], `{"QueueUrl":"`...), appendEscaped(nil, s.url)...)
	b = append(b, `","Entries":[`...)
	for i, r := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, `{"Id":"`...), int64(i), 10), `","ReceiptHandle":"`...)
		b = append(appendEscaped(b, r.handle), '"')
		if visibility >= 0 {
			b = strconv.AppendInt(append(b, `,"VisibilityTimeout":`...), int64(visibility/time.Second), 10)
		}
		b = append(b, '}')
	}
	call.Body = append(b, ']', '}')
	if err := call.Do(ctx); err != nil {
		return failed, harmless(err)
	}
	var answer struct {
		Failed []struct{ ID, Code, Message string }
	}
	if err := json.Unmarshal(call.Answer, &answer); err != nil {
		return failed, &bridge.Error{Class: bridge.Transient, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	for _, f := range answer.Failed {
		if i := place(f.ID, len(batch)); i >= 0 {
			failed[i] = call.Answered(f.Code, f.Message, 0)
		}
	}
	return failed, nil
}

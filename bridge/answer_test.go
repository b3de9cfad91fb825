package bridge

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// replyRig is a rig whose target answers, and whose requester is a third simulated target.
type replyRig struct {
	*rig
	requester *simTarget
}

func bodyOf(key string) string { return "body of " + key }

// newReplyRig has a target that answers every request.
func newReplyRig(t *testing.T, change func(*RouteSettings, *replyRig)) *replyRig {
	q := &replyRig{requester: newSimTarget(Limits{Messages: 10, Calls: 4, Timeout: 10 * time.Second})}
	q.rig = newRig(t, func(s *RouteSettings, g *rig) {
		q.rig = g
		g.target.answer = func(o *Outgoing) *Message { return &Message{Body: NewText(bodyOf("reply " + o.Message.Key))} }
		s.Targets[0].Answers = true
		s.Reply = &ReplySettings{
			PipelineSettings: PipelineSettings{Name: "requester", Sink: q.requester},
			Make: func(request, answer *Message, deadline time.Time) (*Message, error) {
				if request.ReplyTo.IsZero() {
					return nil, nil
				}
				return &Message{
					Key: "reply " + request.Key, CorrelationID: request.ID, Destination: request.ReplyTo, Expiration: deadline, Body: answer.Body,
				}, nil
			},
		}
		if change != nil {
			change(s, q)
		}
	})
	return q
}

// fault answers failures too.
func withFaults(s *RouteSettings, _ *replyRig) {
	s.Reply.Fault = func(request *Message, f Failure, deadline time.Time) (*Message, error) {
		key := "fault " + f.Code + " " + request.Key
		return &Message{Key: key, Destination: request.ReplyTo, Expiration: deadline, Body: NewText(bodyOf(key))}, nil
	}
}

// ask puts n requests on the queue.
func (q *replyRig) ask(n int) {
	for range n {
		q.b.putWith(func(m *Message) { m.ReplyTo = Destination{TempQueue, "answers"} })
	}
}

// tell puts n messages on the queue that want no answer.
func (q *replyRig) tell(n int) {
	for range n {
		q.b.putWith(func(m *Message) { m.ReplyTo = Destination{} })
	}
}

func (q *replyRig) wait() {
	q.t.Helper()
	q.rig.wait()
	for _, text := range q.requester.wrong {
		q.t.Error(text)
	}
}

func (q *replyRig) replies() ReplyCounters { return *q.r.Status().Replies }

func TestARequestIsSettledAfterItsReplyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, nil)
		q.requester.latency = func() time.Duration { return 2 * time.Second }
		q.ask(1)
		q.run()
		pass(time.Second)
		if q.target.count() != 1 || q.b.left() != 1 {
			t.Errorf("%d called, %d left, the reply being on its way", q.target.count(), q.b.left())
		}
		pass(2 * time.Second)
		if q.requester.count() != 1 || q.b.left() != 0 {
			t.Errorf("%d replies, %d left", q.requester.count(), q.b.left())
		}
		q.ask(99)
		q.tell(3) // nobody waits for an answer to these
		pass(time.Minute)
		if c := q.replies(); q.requester.count() != 100 || c.Sent != 100 || c.Unwanted != 3 || q.b.left() != 0 {
			t.Errorf("%d replies, %+v, %d left", q.requester.count(), c, q.b.left())
		}
		if c := q.r.Status().Counters; c.Delivered != 103 {
			t.Errorf("%+v", c)
		}
		q.wait()
	})
}

func TestALostConnectionAsksNobodyTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, nil)
		q.requester.latency = func() time.Duration { return 5 * time.Second }
		q.target.latency = func() time.Duration { return 2 * time.Second }
		q.ask(60)
		q.run()
		pass(3 * time.Second) // some are called, some are answered and not yet settled
		q.b.reset()
		pass(2 * time.Minute)
		for key, n := range q.target.tried {
			if n != 1 {
				t.Errorf("%s was called %d times", key, n)
			}
		}
		if q.requester.count() != 60 || q.b.left() != 0 {
			t.Errorf("%d replies, %d left", q.requester.count(), q.b.left())
		}
		q.wait()
	})
}

func TestARequesterThatIsGoneSettlesItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, withFaults)
		q.requester.fault = func(batch []Outgoing) simFault {
			f := simFault{partial: map[int]error{}}
			for i := range batch {
				if batch[i].Message.Key == "reply ID:2" {
					f.partial[i] = &Error{Class: Permanent, Code: "DestinationDoesNotExistException", Err: errTransient}
				}
			}
			return f
		}
		q.ask(5)
		q.run()
		pass(5 * time.Second)
		if c := q.replies(); c.Sent != 4 || c.Orphaned != 1 || c.Faults != 0 || q.b.left() != 0 || q.dead.count() != 0 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		q.wait()
	})
}

func TestALateReplyIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout = 3 * time.Second })
		began := time.Now()
		q.requester.fault = func([]Outgoing) simFault {
			if time.Since(began) < 5*time.Second {
				return simFault{err: &Error{Class: Transient, Code: "down", Err: errTransient}}
			}
			return simFault{}
		}
		q.ask(1)
		q.run()
		pass(10 * time.Second)
		if c := q.replies(); c.Late != 1 || c.Sent != 0 || q.b.left() != 0 || q.target.count() != 1 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		q.wait()
	})
}

func TestARequestThatNobodyWaitsForIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout, s.Order = 3*time.Second, OrderStrict })
		q.target.latency = func() time.Duration { return 2 * time.Second }
		q.ask(3) // one after the other: the second is cut off by its deadline, and the third would begin after it
		q.run()
		pass(10 * time.Second)
		if q.target.tried["ID:3"] != 0 || q.dead.count() != 2 || q.b.left() != 0 {
			t.Errorf("tried %v, %d dead letters, %d left", q.target.tried, q.dead.count(), q.b.left())
		}
		if class, _ := q.dead.log[0].extra.Lookup(DeadErrorClass); class.Str() != "expired" {
			t.Errorf("class %q", class.Str())
		}
		q.wait()
	})
}

func TestTheCallEndsWhenNobodyWaitsForItAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout = 3 * time.Second })
		q.target.fault = func([]Outgoing) simFault { return simFault{stall: 9 * time.Second} }
		q.ask(1)
		q.run()
		pass(4 * time.Second)
		if q.dead.count() != 1 || q.b.left() != 0 {
			t.Errorf("%d dead letters, %d left after the deadline", q.dead.count(), q.b.left())
		}
		q.wait()
	})
}

func TestAFailureIsAnsweredWhereThatIsConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*RouteSettings, *replyRig)
		dead   int
	}{
		"after the dead letter": {withFaults, 1},
		"after the drop": {func(s *RouteSettings, q *replyRig) {
			withFaults(s, q)
			s.DeadLetter, s.DropDead = nil, true
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newReplyRig(t, c.change)
				q.target.fault = failing("ID:2", func(i int) simFault {
					return simFault{partial: map[int]error{i: &Error{Class: Permanent, Code: "FunctionError", Err: errTransient}}}
				})
				q.ask(3)
				q.tell(1)
				q.run()
				pass(5 * time.Second)
				counters, r := q.r.Status().Counters, q.replies()
				if q.dead.count() != c.dead || r.Faults != 1 || r.Sent != 2 || q.b.left() != 0 || counters.DeadLettered+counters.Dropped != 1 {
					t.Errorf("%d dead letters, %+v, %+v, %d left", q.dead.count(), r, counters, q.b.left())
				}
				keys := keysOf(q.requester)
				slices.Sort(keys)
				if fmt.Sprint(keys) != "[fault FunctionError ID:2 reply ID:1 reply ID:3]" {
					t.Errorf("replies %s", keys)
				}
				q.wait()
			})
		})
	}
}

func TestAnAnswerThatCanNotBeSentBecomesAFault(t *testing.T) {
	for name, change := range map[string]func(*RouteSettings, *replyRig){
		"too large": func(_ *RouteSettings, q *replyRig) { q.requester.limits.Bytes = 35 },
		"not a message": func(s *RouteSettings, _ *replyRig) {
			s.Reply.Make = func(*Message, *Message, time.Time) (*Message, error) { return nil, errors.New("no JSON") }
		},
		"a panic": func(s *RouteSettings, _ *replyRig) {
			s.Reply.Make = func(*Message, *Message, time.Time) (*Message, error) { panic("planted") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newReplyRig(t, func(s *RouteSettings, q *replyRig) {
					withFaults(s, q)
					change(s, q)
				})
				q.target.answer = func(*Outgoing) *Message {
					return &Message{Body: NewText("an answer that is longer than the requester's queue takes")}
				}
				q.ask(1)
				q.run()
				pass(5 * time.Second)
				if c := q.replies(); c.Failed != 1 || c.Faults != 1 || q.b.left() != 0 {
					t.Errorf("%+v, %d left", c, q.b.left())
				}
				q.wait()
			})
		})
	}
}

func TestAnAnswerThatTheWireCanNotCarryBecomesAFault(t *testing.T) {
	for name, c := range map[string]struct {
		unsent bool
		want   ReplyCounters
	}{
		"found by the sink":     {true, ReplyCounters{Failed: 1, Faults: 1}},
		"refused by the broker": {false, ReplyCounters{Orphaned: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newReplyRig(t, withFaults)
				q.requester.fault = failing("reply ID:1", func(i int) simFault {
					return simFault{partial: map[int]error{i: &Error{Class: Permanent, Code: "text-with-nul", Unsent: c.unsent, Err: errors.New("a NUL")}}}
				})
				q.ask(1)
				q.run()
				pass(5 * time.Second)
				if got, n := q.replies(), q.r.Status().Counters; got != c.want || n.Delivered != 1 || q.b.left() != 0 {
					t.Errorf("%+v, %+v, %d left", got, n, q.b.left())
				}
				q.wait()
			})
		})
	}
}

func TestADeadLetterWhoseRequesterCanNotBeToldCountsAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) {
			s.Reply.Fault = func(*Message, Failure, time.Time) (*Message, error) {
				return nil, &Error{Class: Permanent, Code: CodeReplyRefused, Err: errors.New("not allowed")}
			}
		})
		q.target.fault = failing("ID:1", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Permanent, Code: "FunctionError", Err: errTransient}}}
		})
		q.ask(1)
		q.run()
		pass(5 * time.Second)
		if c := q.r.Status().Counters; q.dead.count() != 1 || c.DeadLettered != 1 || c.Filtered != 0 || q.b.left() != 0 {
			t.Errorf("%d dead letters, %+v, %d left", q.dead.count(), c, q.b.left())
		}
		q.wait()
	})
}

func TestAFaultHoldsNoControlCharacters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told Failure
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) {
			s.Reply.Fault = func(request *Message, f Failure, _ time.Time) (*Message, error) {
				told = f
				key := "fault " + request.Key
				return &Message{Key: key, Destination: request.ReplyTo, Body: NewText(bodyOf(key))}, nil
			}
		})
		q.target.fault = failing("ID:1", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Permanent, Err: errors.New("it broke\x00 in\nline \x1b[31m2\u0085 of é")}}}
		})
		q.ask(1)
		q.run()
		pass(5 * time.Second)
		if want := "it broke  in line  [31m2  of é"; told.Text != want {
			t.Errorf("told %q, want %q", told.Text, want)
		}
		q.wait()
	})
}

func TestAReplyWithoutAPlaceToGoIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, q *replyRig) {
			withFaults(s, q)
			s.Reply.Make = func(*Message, *Message, time.Time) (*Message, error) {
				return nil, &Error{Class: Permanent, Code: CodeReplyRefused, Err: errors.New("not allowed")}
			}
		})
		q.ask(1)
		q.run()
		pass(5 * time.Second)
		if c := q.replies(); c.Refused != 1 || c.Faults != 0 || q.b.left() != 0 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		q.wait()
	})
}

func TestNobodyIsAskedWhileRepliesCanNotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout, s.Credit = 3*time.Hour, 20 })
		until := time.Now().Add(time.Hour)
		q.requester.fault = func([]Outgoing) simFault {
			if time.Now().Before(until) {
				return simFault{err: &Error{Class: Transient, Code: "down", Err: errTransient}}
			}
			return simFault{}
		}
		q.ask(200)
		q.run()
		pass(30 * time.Minute)
		if s := q.r.Status(); q.target.count() > 20 || s.State != StateTargetDown {
			t.Errorf("%d called, %s", q.target.count(), s.State)
		}
		pass(32 * time.Minute)
		if c := q.replies(); c.Sent != 200 || q.b.left() != 0 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		q.wait()
	})
}

func TestAWayOfRepliesThatCanNotWorkPausesTheRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout = time.Hour })
		until := time.Now().Add(5 * time.Minute)
		q.requester.fault = func([]Outgoing) simFault {
			if time.Now().Before(until) {
				return simFault{err: &Error{Class: Fatal, Code: "SecurityException", Err: errTransient}}
			}
			return simFault{}
		}
		q.ask(50)
		q.run()
		pass(time.Minute)
		if s := q.r.Status(); s.State != StateFatal && s.State != StateProbing {
			t.Errorf("the route is %s", s.State)
		}
		pass(6 * time.Minute)
		if c := q.replies(); c.Sent != 50 || q.b.left() != 0 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		for key, n := range q.target.tried {
			if n != 1 {
				t.Errorf("%s was called %d times", key, n)
			}
		}
		q.wait()
	})
}

func TestTheTargetIsToldHowToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asks []*Ask
		q := newReplyRig(t, func(s *RouteSettings, q *replyRig) {
			s.Targets[0].Answers = false
			s.Targets[0].Ask = func(m *Message, received time.Time) (*Ask, error) {
				switch {
				case m.Key == "ID:3":
					return nil, errors.New("no reply may go there")
				case m.ReplyTo.IsZero():
					return nil, nil
				}
				return &Ask{CorrelationID: "token of " + m.ID, QueueURL: "url", Deadline: received.Add(time.Minute)}, nil
			}
			s.Reply = nil
			q.target.answer = func(o *Outgoing) *Message {
				asks = append(asks, o.Ask)
				return nil
			}
		})
		q.ask(3)
		q.tell(1)
		q.run()
		pass(5 * time.Second)
		if len(asks) != 3 || asks[0].CorrelationID != "token of ID:1" || asks[2] != nil || q.dead.count() != 1 || q.b.left() != 0 {
			t.Errorf("%d asks, %d dead letters, %d left", len(asks), q.dead.count(), q.b.left())
		}
		q.wait()
	})
}

// answers that are waiting when the process stops are sent within the drain time.
func TestAStopSendsTheRepliesThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, nil)
		q.requester.latency = func() time.Duration { return time.Second }
		q.ask(60)
		q.run()
		pass(500 * time.Millisecond)
		q.wait()
		if n, left := q.requester.count(), q.b.left(); n+left != 60 || n != q.target.count() || left != 0 {
			t.Errorf("%d called, %d replies, %d left", q.target.count(), n, left)
		}
	})
}

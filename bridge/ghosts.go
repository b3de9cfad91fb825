package bridge

import (
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"time"
)

// ghosts remember, by key, what is worth knowing of deliveries whose connection was lost: those still in a call, those
// that the target has confirmed since, and the attempts that others had used. When such a message comes again it is
// accepted without sending, waits for the call, or goes on counting. The window's lock guards them.
type ghosts struct {
	n      atomic.Int32 // len(m), to look without the lock
	m      map[ghostKey]*ghost
	oldest []ghostKey // in order of arrival, to forget the oldest
	limit  int
}

// ghostKey identifies a message over deliveries. The destination belongs to it: wildcards and virtual topics deliver
// one key more than once. The timestamp guards against a sender that uses an id again.
type ghostKey struct {
	key    string
	where  Destination
	stamp  int64
	target uint8
}

type ghostState uint8

const (
	ghostAttempts  ghostState = iota // the attempts used are known
	ghostPending                     // a call with the message still runs
	ghostConfirmed                   // a target or dead letter has it
)

type ghost struct {
	state    ghostState
	sess     *session // whose delivery it was
	mixed    bool     // two messages of one connection share the key: nothing is known about either
	tries    int
	attempts int
	limit    int
	mark     uint64
	first    time.Time
	last     time.Time
	err      error
	dead     *deadLetter
	waiters  []*item // redeliveries that wait for the call
}

// maxGhostKey is the longest key that is remembered as it is, in bytes. No broker makes one near it; what a sender makes
// is remembered by its digest, for thousands are kept and no limit counts them.
const maxGhostKey = 512

func ghostKeyOf(it *item) ghostKey {
	m := &it.d.Message
	k := ghostKey{key: m.Key, where: m.Destination, stamp: m.Timestamp.UnixNano(), target: it.target}
	if len(k.key)+len(k.where.Name) > maxGhostKey {
		key, name := sha256.Sum256([]byte(k.key)), sha256.Sum256([]byte(k.where.Name))
		k.key, k.where.Name = string(key[:]), string(name[:])
	}
	return k
}

// remember keeps what is known of a lost item.
func (g *ghosts) remember(it *item, state ghostState) {
	if it.d.Message.Key == "" {
		return
	}
	k := ghostKeyOf(it)
	if old, ok := g.m[k]; ok {
		if old.sess == it.sess && state != ghostConfirmed {
			old.mixed = true
		}
		if old.state == ghostAttempts { // a call that runs decides by itself, and what is confirmed stays so
			old.state = state
		}
		old.recall(it)
		return
	}
	if state == ghostAttempts && it.tries == 0 && it.dead == nil {
		return // nothing worth remembering
	}
	gh := &ghost{state: state, sess: it.sess}
	gh.recall(it)
	g.keep(k, gh)
}

// keep adds a ghost.
func (g *ghosts) keep(k ghostKey, gh *ghost) {
	k.key, k.where.Name = strings.Clone(k.key), strings.Clone(k.where.Name) // they may be part of a whole frame
	if g.m == nil {
		g.m = map[ghostKey]*ghost{}
	}
	g.m[k] = gh
	g.oldest = append(g.oldest, k)
	g.trim()
	g.n.Store(int32(len(g.m)))
}

// confirm keeps that one of the targets of a lost delivery has the message.
func (g *ghosts) confirm(root *item, target uint8) {
	if root.d.Message.Key == "" {
		return
	}
	k := ghostKeyOf(root)
	k.target = target
	if old, ok := g.m[k]; ok {
		if old.state == ghostAttempts {
			old.state = ghostConfirmed
		}
		return
	}
	g.keep(k, &ghost{state: ghostConfirmed, sess: root.sess})
}

// await keeps that a lost delivery is still on its way, once.
func (g *ghosts) await(it *item) {
	if !it.pending {
		it.pending = true
		g.remember(it, ghostPending)
	}
}

func (gh *ghost) recall(it *item) {
	if it.tries >= gh.tries {
		gh.tries, gh.attempts, gh.limit, gh.mark = it.tries, it.attempts, it.limit, it.mark
		gh.first, gh.last, gh.err = it.firstFail, it.lastFail, it.err
	}
	if it.dead != nil {
		gh.dead = it.dead
	}
}

// trim forgets the oldest when there are too many, but none that a call is pending for.
func (g *ghosts) trim() {
	for turns := len(g.oldest); turns > 0 && len(g.m) > g.limit; turns-- {
		k := g.oldest[0]
		g.oldest = g.oldest[1:]
		if gh, ok := g.m[k]; ok {
			if gh.state == ghostPending {
				g.oldest = append(g.oldest, k)
				continue
			}
			delete(g.m, k)
		}
	}
	if len(g.oldest) > 4*g.limit+64 { // most of them are gone from the map
		kept := g.oldest[:0]
		for _, k := range g.oldest {
			if _, ok := g.m[k]; ok {
				kept = append(kept, k)
			}
		}
		g.oldest = kept
	}
}

// meeting says what to do with a message about to be sent.
type meeting uint8

const (
	meetSend   meeting = iota
	meetAccept         // the target has it: accept it without sending
	meetWait           // parked until a call ends
	meetDead           // it was on its way to the dead letter
)

// meet looks whether the message is a redelivery of one that is remembered, and takes over what is known.
func (g *ghosts) meet(it *item) meeting {
	if it.d.Message.Key == "" {
		return meetSend
	}
	k := ghostKeyOf(it)
	gh, ok := g.m[k]
	if !ok || gh.sess == it.sess {
		return meetSend
	}
	if gh.state == ghostPending {
		gh.waiters = append(gh.waiters, it)
		return meetWait
	}
	g.forget(k)
	if gh.mixed {
		return meetSend
	}
	if gh.state == ghostConfirmed {
		return meetAccept
	}
	return it.inherit(gh)
}

func (it *item) inherit(gh *ghost) meeting {
	if gh.dead != nil && it.dead == nil {
		it.dead = gh.dead
		return meetDead
	}
	it.tries, it.attempts, it.limit, it.mark = gh.tries, gh.attempts, gh.limit, gh.mark
	it.firstFail, it.lastFail, it.err = gh.first, gh.last, gh.err
	return meetSend
}

func (g *ghosts) forget(k ghostKey) {
	delete(g.m, k)
	g.n.Store(int32(len(g.m)))
}

// resolve ends the call of a lost item, and returns the redeliveries that waited for it. With confirmed they are done;
// otherwise they have taken over what is known.
func (g *ghosts) resolve(it *item, confirmed bool) (waiters []*item, done bool) {
	if it.d.Message.Key == "" {
		return nil, false
	}
	k := ghostKeyOf(it)
	gh, ok := g.m[k]
	if !ok || gh.state != ghostPending {
		state := ghostAttempts
		if confirmed {
			state = ghostConfirmed
		}
		g.remember(it, state)
		return nil, false
	}
	gh.recall(it)
	waiters, gh.waiters = gh.waiters, nil
	gh.state = ghostAttempts
	if confirmed && !gh.mixed {
		gh.state = ghostConfirmed
	}
	if len(waiters) == 0 {
		if gh.state == ghostAttempts && gh.tries == 0 {
			g.forget(k)
		}
		return nil, false
	}
	g.forget(k)
	if gh.state == ghostConfirmed {
		return waiters, true
	}
	for _, w := range waiters {
		if !gh.mixed {
			w.inherit(gh)
		}
	}
	return waiters, false
}

// purge removes parked redeliveries that match and appends them to out.
func (g *ghosts) purge(match func(*item) bool, out []*item) []*item {
	for _, gh := range g.m {
		kept := gh.waiters[:0]
		for _, it := range gh.waiters {
			if match(it) {
				out = append(out, it)
			} else {
				kept = append(kept, it)
			}
		}
		gh.waiters = kept
	}
	return out
}

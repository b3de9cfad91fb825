package jms

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Logins paces the logins of a process. A broker counts refused ones, and may lock the account: however many
// connections a user has, a password that was refused is tried again by one of them at a time, and only after a pause.
// The zero Logins is ready, and safe for concurrent use.
type Logins struct {
	mu    sync.Mutex
	seed  maphash.Seed
	users map[login]*attempts
}

// login is an address and who logs in there.
type login struct{ address, user string }

// attempts are the logins of one user at one address.
type attempts struct {
	under   chan struct{} // holds one while a login is under way whose password was never taken
	proven  uint64        // the hash of the password that was taken last; 0: none was
	refused uint64        // the hash of the one that was refused last; 0: none was
	until   time.Time     // when that may be tried again
	why     error
}

// Attempt tries a login: try returns for how long not to try this password again. Meanwhile Attempt returns the error
// that it had, without trying. A nil Logins paces nothing.
func (l *Logins) Attempt(ctx context.Context, address, user, password string, try func() (pause time.Duration, err error)) error {
	if l == nil {
		_, err := try()
		return err
	}
	a, hash := l.of(address, user, password)
	if !l.proven(a, hash) {
		select {
		case a.under <- struct{}{}:
		case <-ctx.Done():
			return bridge.Errorf(bridge.Transient, "waiting for another connection's login: %w", context.Cause(ctx))
		}
		if l.proven(a, hash) { // by the one that this waited for: the others need not wait for each other
			<-a.under
		} else {
			defer func() { <-a.under }()
		}
	}
	if err := l.paused(a, hash); err != nil {
		return err
	}
	pause, err := try()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		a.proven, a.refused, a.why = hash, 0, nil
	case pause > 0:
		a.proven, a.refused, a.until, a.why = 0, hash, time.Now().Add(pause), err
	}
	return err
}

func (l *Logins) of(address, user, password string) (*attempts, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == nil {
		l.users, l.seed = map[login]*attempts{}, maphash.MakeSeed()
	}
	key := login{address, user}
	a := l.users[key]
	if a == nil {
		a = &attempts{under: make(chan struct{}, 1)}
		l.users[key] = a
	}
	return a, maphash.String(l.seed, password) | 1 // never 0; a password that is not kept can't be shown
}

// proven tells whether the password was taken last time.
func (l *Logins) proven(a *attempts, hash uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return a.proven == hash
}

// paused returns the error of a password that is not to be tried yet.
func (l *Logins) paused(a *attempts, hash uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := time.Until(a.until)
	if a.refused != hash || left <= 0 {
		return nil
	}
	e := bridge.AsError(a.why)
	return &bridge.Error{
		Class: e.Class, Code: e.Code, Remedy: e.Remedy, After: left,
		Err: fmt.Errorf("not tried again for another %s: %w", left.Round(time.Second), a.why),
	}
}

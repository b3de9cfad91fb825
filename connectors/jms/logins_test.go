package jms

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

var errRefused = &bridge.Error{Class: bridge.Fatal, Code: "SecurityException", Err: errors.New("the password is invalid"), Remedy: "check it"}

// attempt logs in with a password, of which "right" alone is taken, and counts the tries.
func attempt(l *Logins, user, password string, tries *int, mu *sync.Mutex) error {
	return l.Attempt(context.Background(), "broker:61613", user, password, func() (time.Duration, error) {
		<-time.After(10 * time.Millisecond) // virtual: the broker thinks
		mu.Lock()
		*tries++
		mu.Unlock()
		if password != "right" {
			return 30 * time.Second, errRefused
		}
		return 0, nil
	})
}

func TestARefusedPasswordIsTriedByOneConnectionInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Logins
		var mu sync.Mutex
		tries := 0
		var consumers sync.WaitGroup
		for range 4 {
			consumers.Go(func() {
				for began := time.Now(); time.Since(began) < 299*time.Second; {
					err := attempt(&l, "app", "wrong", &tries, &mu)
					e := bridge.AsError(err)
					if e.Class != bridge.Fatal || e.Code != "SecurityException" || e.Remedy != "check it" || !strings.Contains(err.Error(), "password is invalid") {
						t.Errorf("%+v", e)
					}
					<-time.After(max(e.After, 7*time.Second))
				}
			})
		}
		consumers.Wait()
		if tries != 10 {
			t.Errorf("%d logins in five minutes", tries)
		}
	})
}

func TestAnotherUserOrPasswordIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Logins
		var mu sync.Mutex
		tries := 0
		for _, as := range [][2]string{{"app", "wrong"}, {"app", "wrong too"}, {"other", "wrong"}} {
			if err := attempt(&l, as[0], as[1], &tries, &mu); err == nil {
				t.Errorf("%v was taken", as)
			}
		}
		if err := attempt(&l, "app", "right", &tries, &mu); err != nil {
			t.Errorf("the password was corrected: %v", err)
		}
		if tries != 4 {
			t.Errorf("%d logins", tries)
		}
	})
}

func TestAPasswordThatWasTakenDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Logins
		var mu sync.Mutex
		tries := 0
		began := time.Now()
		var consumers sync.WaitGroup
		for range 100 {
			consumers.Go(func() {
				if err := attempt(&l, "app", "right", &tries, &mu); err != nil {
					t.Error(err)
				}
			})
		}
		consumers.Wait()
		if took := time.Since(began); took > 20*time.Millisecond || tries != 100 {
			t.Errorf("%d logins of 10ms took %v", tries, took)
		}
	})
}

func TestWhoWaitsForALoginGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Logins
		hang := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			_ = l.Attempt(t.Context(), "a", "u", "p", func() (time.Duration, error) { <-hang; return 0, errRefused })
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := l.Attempt(ctx, "a", "u", "p", func() (time.Duration, error) { t.Error("it tries"); return 0, nil })
		if bridge.ClassOf(err) != bridge.Transient || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(hang)
		first.Wait()
	})
}

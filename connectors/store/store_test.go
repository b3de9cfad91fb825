package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string) *store.Bolt {
	t.Helper()
	s, err := store.OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keep(t testing.TB, s bridge.Store, key, value string, expires time.Time) string {
	t.Helper()
	existing, err := s.Keep(t.Context(), key, []byte(value), expires)
	if err != nil {
		t.Fatal(err)
	}
	return string(existing)
}

func find(t testing.TB, s bridge.Store, key string) string {
	t.Helper()
	value, err := s.Find(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func TestWhoComesSecondLearnsWhatTheFirstHasStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	soon := time.Now().Add(time.Hour)
	if got := keep(t, s, "a", "first", soon); got != "" {
		t.Errorf("there was %q before anything was stored", got)
	}
	if got := keep(t, s, "a", "second", soon); got != "first" {
		t.Errorf("the second learns %q", got)
	}
	if got := find(t, s, "a"); got != "first" {
		t.Errorf("found %q", got)
	}
	if got := find(t, s, "b"); got != "" {
		t.Errorf("found %q under another key", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := find(t, open(t, path), "a"); got != "first" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestOnlyOneOfManyIsFirst(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	firsts, seen := 0, map[string]bool{}
	for i := range 50 {
		wg.Go(func() {
			existing, err := s.Keep(t.Context(), "a", []byte(fmt.Sprint(i)), time.Now().Add(time.Hour))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case existing == nil:
				firsts++
				seen[fmt.Sprint(i)] = true
			default:
				seen[string(existing)] = true
			}
		})
	}
	wg.Wait()
	if firsts != 1 || len(seen) != 1 {
		t.Errorf("%d were first, and %d values were seen", firsts, len(seen))
	}
}

func TestWhatHasExpiredIsForgottenAndRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	past := time.Now().Add(-time.Second)
	for i := range 200 {
		keep(t, s, fmt.Sprint("old ", i), "x", past)
	}
	if got := find(t, s, "old 199"); got != "" {
		t.Errorf("found %q, which has expired", got)
	}
	if got := keep(t, s, "old 199", "new", time.Now().Add(time.Hour)); got != "" {
		t.Errorf("there was %q, which has expired", got)
	}
	for i := range 20 { // each write removes some
		keep(t, s, fmt.Sprint("new ", i), "x", time.Now().Add(time.Hour))
	}
	if got := find(t, s, "old 199"); got != "new" {
		t.Errorf("the newer record of a key was removed with its older one: %q", got)
	}
}

// More expires together than one write removes, and a key is stored again before its older record is removed.
func TestANewRecordSurvivesTheRemovalOfItsOlderOne(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	soon := time.Now().Add(time.Second)
	for i := range 40 {
		keep(t, s, fmt.Sprint("other ", i), "x", soon.Add(-time.Millisecond))
	}
	keep(t, s, "a", "old", soon)
	<-time.After(time.Until(soon))
	if got := keep(t, s, "a", "new", soon.Add(time.Hour)); got != "" {
		t.Fatalf("there was %q, which has expired", got)
	}
	keep(t, s, "b", "x", soon.Add(time.Hour)) // removes what the one before has left
	if got := find(t, s, "a"); got != "new" {
		t.Errorf("found %q", got)
	}
}

func TestAFileThatCanNotBeWrittenIsAFaultOfTheRoute(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"))
	if err := s.Close(); err != nil { // any other failure of the file looks the same
		t.Fatal(err)
	}
	_, err := s.Keep(t.Context(), "k", []byte("x"), time.Now().Add(time.Minute))
	if e := bridge.AsError(err); e == nil || e.Class != bridge.Fatal || e.Code != "Store" || e.Remedy == "" {
		t.Errorf("%+v", e)
	}
}

func TestAFileThatIsInUseOrDamagedIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	open(t, path)
	if _, err := store.OpenBolt(path); bridge.ClassOf(err) != bridge.Fatal || err == nil {
		t.Errorf("opened twice: %v", err)
	}
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte("this is no store, and longer than a page header has to be"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenBolt(damaged); bridge.ClassOf(err) != bridge.Fatal || err == nil {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := store.OpenBolt(filepath.Join(dir, "nowhere", "store.db")); err == nil {
		t.Error("a folder that is not there")
	}
}

func BenchmarkKeep(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "store.db"))
	b.ReportAllocs()
	b.SetParallelism(32)
	var mu sync.Mutex
	n := 0
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			key := fmt.Sprint(n)
			mu.Unlock()
			if _, err := s.Keep(b.Context(), key, []byte("an outcome"), time.Now().Add(time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

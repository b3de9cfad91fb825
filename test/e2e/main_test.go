//go:build integration

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

var (
	binary   string // the built program
	classic6 = brokers.NewShared(brokers.Classic6, brokers.Options{})
	artemis  = brokers.NewShared(brokers.Artemis, brokers.Options{ArtemisSettings: []string{exclusiveQueues}})
)

// exclusiveQueues is what docs/stomp.md tells the operator of an Artemis to write for order: strict. Classic is asked for
// the same by the subscription.
const exclusiveQueues = `<address-setting match="exclusive.#"><default-exclusive-queue>true</default-exclusive-queue></address-setting>`

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "jmsbridge-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "jmsbridge")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../cmd/jmsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	code := brokers.Main(m, classic6, artemis)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
			return 1
		}
	}
	return code
}

// scaled multiplies a number of messages by JMSBRIDGE_E2E_SCALE.
func scaled(n int) int {
	f, err := strconv.ParseFloat(os.Getenv("JMSBRIDGE_E2E_SCALE"), 64)
	if err != nil {
		return n
	}
	return max(1, int(float64(n)*f))
}

// scaledTime multiplies a duration likewise.
func scaledTime(d time.Duration) time.Duration {
	return time.Duration(scaled(int(d/time.Millisecond))) * time.Millisecond
}

// eventually waits until a condition holds, and fails the test after the limit with what the condition said last.
func eventually(t testing.TB, limit time.Duration, condition func() (ok bool, state string)) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		ok, state := condition()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not so after %s: %s", limit, state)
		}
		<-time.After(20 * time.Millisecond)
	}
}

package rig_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

func TestASpreadIsMedianLowestAndHighest(t *testing.T) {
	value := func(v float64) float64 { return v }
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{[]float64{3, 1, 2}, "2.0 (1.0 to 3.0)"},
		{[]float64{4, 1, 2, 3}, "2.5 (1.0 to 4.0)"},
		{[]float64{7}, "7.0 (7.0 to 7.0)"},
		{nil, "-"},
	} {
		if got := rig.SpreadOf(c.values, value).Format("%.1f"); got != c.want {
			t.Errorf("%v: %s, want %s", c.values, got, c.want)
		}
	}
}

func TestTheCPUOfARunningProcessGrows(t *testing.T) {
	before, err := rig.RunningCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 10*time.Second; {
		after, err := rig.RunningCPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after-before >= 50*time.Millisecond {
			if rss := rig.PeakRSS(os.Getpid()); rss < 1 {
				t.Errorf("%.1f MiB at most", rss)
			}
			return
		}
	}
	t.Error("ten seconds of work took less than 50 ms of CPU")
}

func TestAProcessEndsInOrder(t *testing.T) {
	p := &rig.Process{}
	if err := p.Start(exec.Command("sh", "-c", `trap 'echo $AWS_ACCESS_KEY_ID; exit 0' TERM; echo ready >&2; while :; do sleep 0.05; done`)); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !strings.Contains(p.Output.String(), "ready"); {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it did not begin")
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(p.Stdout.String()); got != "AKIDBENCH" {
		t.Errorf("it printed %q", got)
	}
	if p.CPU() <= 0 {
		t.Error("it took no CPU")
	}
}

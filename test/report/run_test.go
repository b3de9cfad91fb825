package main

import (
	"os/exec"
	"strings"
	"testing"
)

// A suite that does not exist would run nothing, and pass.
func TestTheTestCommandRefusesUnknownSuites(t *testing.T) {
	for _, args := range [][]string{{"unitt"}, {"lint", "all unit"}, {""}} {
		c := exec.CommandContext(t.Context(), "bash", append([]string{"../run.sh"}, args...)...)
		out, err := c.CombinedOutput()
		if c.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "There is no suite") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

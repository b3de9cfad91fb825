package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

// The linker keeps every exported method of every type in use as soon as one reachable function looks a method up by a
// name that it can't know (text/template does): some 4 MiB of AWS's SDK, half of it resident in every bridge.
func TestMethodsThatNobodyCallsAreNotLinked(t *testing.T) {
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "jmsbridge"), ".")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	edges := 0
	for line := range bytes.Lines(out) {
		if from, _, ok := bytes.Cut(line, []byte(" -> ")); ok {
			edges++
			if bytes.Contains(from, []byte("<ReflectMethod>")) {
				t.Fatalf("a method is looked up by name: %s", line)
			}
		}
	}
	if edges < 10_000 {
		t.Errorf("%d edges: the linker's output has another form", edges)
	}
}

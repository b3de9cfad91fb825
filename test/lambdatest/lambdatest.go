// Package lambdatest holds the embedded endpoint's Lambda to the AWS SDK, and builds a real function for tests: a program
// on aws-lambda-go, which the endpoint runs over the Runtime API.
package lambdatest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the function in cmd/function and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "function")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/jmsbridge/jmsbridge/test/lambdatest/cmd/function").CombinedOutput()
	if err != nil {
		t.Fatalf("building the function: %v\n%s", err, out)
	}
	return path
}

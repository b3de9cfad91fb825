package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionIsAFlagToo(t *testing.T) {
	_, want, _ := command(t, "version")
	if code, out, errs := command(t, "--version"); code != exitDone || out != want || errs != "" || !strings.HasPrefix(out, "jmsbridge ") {
		t.Errorf("exit code %d, %q, want %q, %s", code, out, want, errs)
	}
}

func TestAMissingArgumentIsNamed(t *testing.T) {
	for name, want := range map[string]string{"test": "one file of cases, not 0", "receive": "one destination, such as queue:orders, not 0"} {
		if code, out, errs := command(t, name); code != exitUsage || out != "" || !strings.Contains(errs, want) || !strings.Contains(errs, name+" --help") {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errs)
		}
	}
}

func TestCompletionForAShellThatIsNoneIsWrongUsage(t *testing.T) {
	if code, out, errs := command(t, "completion", "nosh"); code != exitUsage || out != "" || !strings.Contains(errs, "nosh") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
}

func TestCheckPrintsJSONWhateverIsWrongWithTheFile(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken.yaml")
	if err := os.WriteFile(broken, []byte("routes: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(folder, "missing.yaml"), folder} {
		code, out, errs := command(t, "check", "--json", "-c", path)
		var result checkResult
		if err := json.Unmarshal([]byte(out), &result); err != nil {
			t.Errorf("%s: %v: %s%s", path, err, out, errs)
			continue
		}
		if code != exitUsage || errs != "" || result.File != path || len(result.Problems) != 1 || result.Problems[0].Text == "" {
			t.Errorf("%s: exit code %d, %+v, %s", path, code, result, errs)
		}
	}
}

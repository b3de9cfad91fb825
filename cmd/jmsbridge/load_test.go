package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAConfigurationThatIsNoRegularFileIsWrongUsage(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "is a pipe, not a regular file", "/dev/zero": "is a device, not a regular file"} {
		for _, args := range [][]string{{"run"}, {"check"}, {"check", "--offline"}, {"send", "queue:q", "x"}, {"receive", "queue:q"}} {
			code, out, errs := command(t, append(args, "-c", path)...)
			if code != exitUsage || out != "" || !strings.Contains(errs, want) {
				t.Errorf("%v -c %s: exit code %d, %s%s", args, path, code, out, errs)
			}
		}
	}
}

func TestAConfigurationMayComeFromARedirectedFile(t *testing.T) {
	file, err := os.Open(writeConfig(t, "stomp://127.0.0.1:1", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	c := program(t, "check", "--offline", "-c", "/dev/stdin")
	c.Stdin = file
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "no mistakes") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLoadingIsNotWaitedForAfterASignal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	_, err := within(ctx, "loading the configuration", func() (int, error) {
		cancel()
		<-hang
		return 0, nil
	})
	close(hang)
	if code, _ := exitCode(err); code != exitFailed || !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "loading the configuration: ") {
		t.Errorf("exit code %d, %v", code, err)
	}
}

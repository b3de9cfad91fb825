//go:build integration

// Package deploy_test proves that what deploy/ ships works: the systemd unit with systemd's own judges, the container
// image by running it with every right taken away.
package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const unit = "systemd/jmsbridge.service"

// mostExposed is the most that systemd may find the unit exposed, from 0 to 10. What is left is the network.
const mostExposed = 1.5

// command returns a command that ends with the test.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, name, args...)
}

// output runs a command and returns what it wrote, or ends the test.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return string(out)
}

// built returns the path of the program.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jmsbridge")
	output(t, command(t, "go", "build", "-o", path, "../cmd/jmsbridge"))
	return path
}

func TestUnitSatisfiesSystemd(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	// verify wants to find the program.
	copied := filepath.Join(t.TempDir(), "jmsbridge.service")
	changed := bytes.Replace(text, []byte("ExecStart=/usr/bin/jmsbridge"), []byte("ExecStart="+built(t)), 1)
	if bytes.Equal(changed, text) {
		t.Fatal("the unit doesn't start /usr/bin/jmsbridge")
	}
	if err := os.WriteFile(copied, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := output(t, command(t, "systemd-analyze", "verify", "--man=no", copied)); out != "" {
		t.Errorf("systemd-analyze verify says:\n%s", out)
	}
}

func TestUnitIsHardened(t *testing.T) {
	out := output(t, command(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", unit))
	found := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no score in\n%s", out)
	}
	score, err := strconv.ParseFloat(found[1], 64)
	if err != nil || score > mostExposed {
		t.Errorf("exposure %s, more than %v\n%s", found[1], mostExposed, out)
	}
}

// TestDaemonTellsSystemd plays systemd: a daemon whose broker is down is ready, feeds the watchdog, and stops in order.
func TestDaemonTellsSystemd(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file := filepath.Join(dir, "bridge.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
brokers:
  - name: mq
    url: stomp://%s
routes:
  - name: orders
    from:
      jms: {broker: mq, queue: orders}
    to:
      - file: {path: %q}
    dead_letter: drop
`, nobody(t), filepath.Join(dir, "out.jsonl")), 0o600); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	daemon := command(t, built(t), "run", "-c", file)
	daemon.Stderr = &logs
	daemon.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=1000000")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", logs.String())
		}
	}()
	await(t, conn, "READY=1")
	await(t, conn, "WATCHDOG=1")
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := await(t, conn, "STOPPING=1"); !strings.Contains(got, "EXTEND_TIMEOUT_USEC=") {
		t.Errorf("stopping without asking for time: %q", got)
	}
	stopped = true
	if err := daemon.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await reads what the daemon tells until a message begins with want.
func await(t *testing.T, conn *net.UnixConn, want string) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("waiting for %s: %v", want, err)
		}
		if got := string(buf[:n]); strings.HasPrefix(got, want) {
			return got
		}
	}
}

const image = "localhost/jmsbridge:test"

// store returns an environment in which buildah and podman keep everything in a directory of the test, so that nothing
// is left behind and no other image is touched.
func store(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "storage.conf")
	text := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(dir, "graph"), filepath.Join(dir, "run"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "CONTAINERS_STORAGE_CONF="+conf, "BUILDAH_ISOLATION=chroot", "BUILDER=buildah")
}

// contained runs the image with every right taken away.
func contained(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	c := command(t, "podman", append([]string{
		"--runtime", "runc", "run", "--rm", "--pull", "never", "--network", "host", "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", image,
	}, args...)...)
	c.Env = env
	return c
}

func TestContainerRunsTheDemoWithoutAnyRight(t *testing.T) {
	env := store(t)
	build := command(t, "container/build.sh", image)
	build.Env = env
	output(t, build)

	if got := output(t, contained(t, env, "version")); !strings.HasPrefix(got, "jmsbridge ") {
		t.Errorf("version says %q", got)
	}
	inspect := command(t, "podman", "image", "inspect", "--format", "{{.User}} {{.Config.StopSignal}}", image)
	inspect.Env = env
	if got := strings.TrimSpace(output(t, inspect)); got != "65532:65532 SIGTERM" {
		t.Errorf("user and stop signal are %q", got)
	}
	result, err := contained(t, env, "demo", "--messages", "500").Output()
	if err != nil {
		t.Errorf("the demo: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(result)), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "sent 500, delivered 500, lost 0, duplicated ") {
		t.Errorf("the demo ends with %q", last)
	}
	// Without a configuration it says so, and ends as a wrong configuration does.
	missing := contained(t, env)
	out, err := missing.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "/etc/jmsbridge/bridge.yaml") {
		t.Errorf("without a configuration: %v\n%s", err, out)
	}
}

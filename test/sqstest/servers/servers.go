// Package servers starts the AWS endpoints that others wrote, for conformance suites and end-to-end tests. They are
// installed once into the user's cache folder. A server that can't be had or started fails the test.
package servers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// The versions that are started. Suites declare what differs from AWS in exactly these.
const (
	MotoVersion      = "5.2.5"
	ElasticMQVersion = "1.6.14"
)

// Moto starts moto's server and returns its URL. It is killed after the test and its parallel subtests.
func Moto(t testing.TB) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir, err := brokers.Cached("moto-"+MotoVersion, func(work string) error {
		// A virtual environment must not be moved, so the packages go into a plain folder of their own.
		venv := filepath.Join(t.TempDir(), "venv")
		if err := runQuietly(ctx, "python3", "-m", "venv", venv); err != nil {
			return fmt.Errorf("%w (Debian: apt-get install python3-venv)", err)
		}
		return runQuietly(ctx, filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--target", work, "moto[server]=="+MotoVersion)
	})
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cmd := exec.Command("python3", "-c", "import sys; from moto.server import main; main(sys.argv[1:])", "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
	return startServer(t, cmd, port)
}

// ElasticMQ starts ElasticMQ and returns its URL. It is killed after the test and its parallel subtests.
func ElasticMQ(t testing.TB) string {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir, err := brokers.Cached("elasticmq-"+ElasticMQVersion, func(work string) error {
		pom := "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n" +
			"<groupId>test</groupId><artifactId>elasticmq</artifactId><version>1</version><dependencies>\n" +
			"<dependency><groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>" + ElasticMQVersion + "</version></dependency>\n" +
			"</dependencies></project>\n"
		if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o644); err != nil {
			return err
		}
		return brokers.Maven(ctx, work, "dependency:copy-dependencies", "-DoutputDirectory=lib")
	})
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "elasticmq.conf")
	text := fmt.Sprintf("include classpath(\"application.conf\")\n"+
		"node-address { protocol = http, host = \"127.0.0.1\", port = %d, context-path = \"\" }\n"+
		"rest-sqs { enabled = true, bind-port = %d, bind-hostname = \"127.0.0.1\", sqs-limits = strict }\nrest-stats { enabled = false }\n", port, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx256m", "-Dconfig.file="+conf, "-cp", filepath.Join(dir, "lib", "*"), "org.elasticmq.server.Main")
	return startServer(t, cmd, port)
}

func runQuietly(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// output keeps what a server printed.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startServer starts a server, waits until it answers HTTP, and kills it after the test and its parallel subtests.
func startServer(t testing.TB, cmd *exec.Cmd, port int) string {
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Logf("%s ended: %v", cmd.Path, <-ended)
	})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; {
		if answer, err := client.Get(url + "/?Action=ListQueues&Version=2012-11-05"); err == nil {
			_ = answer.Body.Close()
			return url
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", cmd.Path, err, out.String())
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer\n%s", cmd.Path, out.String())
		}
	}
}

package brokers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options change how a broker is started. The zero Options are fine for most tests.
type Options struct {
	// Certificate is what the TLS connectors show; "" means [Valid].
	Certificate Certificate
	// Heap is the Java heap as -Xmx takes it; "" means 1g.
	Heap string
	// ConnectorOptions are added to the URI of each connector, joined by "&" ("maximumConnections=1").
	ConnectorOptions string
	// ClassicPolicies are the attributes of further policyEntry elements, before the default ones
	// (`queue="FULL.>" memoryLimit="1mb" producerFlowControl="true"`).
	ClassicPolicies []string
	// ArtemisSettings are further <address-setting> elements.
	ArtemisSettings []string
}

func (o Options) heap() string {
	if o.Heap == "" {
		return "1g"
	}
	return o.Heap
}

// startLimit bounds a start, and is generous: the machine may be busy with other tests.
const startLimit = 2 * time.Minute

// Broker is a running broker, or one that was killed and can be started again with its store and ports. Its methods
// are for one goroutine at a time, but URL, CAFile and Client may be called by any.
type Broker struct {
	kind  Kind
	opts  Options
	home  string // where it is installed
	dir   string // its configuration, data and log
	certs *Certificates
	ports map[string]int

	mu      sync.Mutex
	process *process // nil: not running
}

// Open installs and starts a broker with its files in dir. The caller stops it. Tests use [Start] or a [Shared].
func Open(ctx context.Context, k Kind, dir string, opts Options) (*Broker, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("looking for Java: %w: install Java 17 (Debian: apt-get install openjdk-17-jdk-headless)", err)
	}
	home, err := Install(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("installing %s: %w", k, err)
	}
	certs, err := NewCertificates(dir)
	if err != nil {
		return nil, err
	}
	if opts.Certificate == "" {
		opts.Certificate = Valid
	}
	b := &Broker{kind: k, opts: opts, home: home, dir: dir, certs: certs}
	// A port that was free may be taken before Java listens on it, so a start that ends at once is tried again.
	for try := 1; ; try++ {
		if b.ports, err = freePorts(schemes); err != nil {
			return nil, err
		}
		err = b.Restart()
		if err == nil {
			return b, nil
		}
		if try == 3 || !strings.Contains(err.Error(), "in use") {
			return nil, err
		}
	}
}

// Start starts a broker of the test's own, which is killed when the test ends.
func Start(t testing.TB, k Kind, opts Options) *Broker {
	t.Helper()
	b, err := Open(context.Background(), k, t.TempDir(), opts)
	if err != nil {
		t.Fatalf("starting %s: %v", k, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := b.Log()
			t.Logf("end of the log of %s:\n%s", k, log[max(0, len(log)-4<<10):])
		}
		b.Kill()
	})
	return b
}

// freePorts finds a port for each name, outside the range from which the kernel takes the ports of outgoing
// connections: else one of those could occupy it while the broker is down for a restart.
func freePorts(names []string) (map[string]int, error) {
	ports := map[string]int{}
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for tries := 0; len(ports) < len(names); tries++ {
		if tries > 1000 {
			return nil, errors.New("finding free ports: none")
		}
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		listeners = append(listeners, l)
		ports[names[len(ports)]] = port
	}
	return ports, nil
}

// Kind returns what the broker is.
func (b *Broker) Kind() Kind { return b.kind }

// Addr returns host and port of a connector: "stomp", "stomp+ssl", "tcp", "ssl", "amqp" or "amqp+ssl". The host is the
// one that the valid certificate is for.
func (b *Broker) Addr(scheme string) string {
	port, ok := b.ports[scheme]
	if !ok {
		panic("brokers: no connector " + scheme)
	}
	return fmt.Sprintf("localhost:%d", port)
}

// URL returns the address of a connector as a broker URL ("stomp+ssl://localhost:12345").
func (b *Broker) URL(scheme string) string { return scheme + "://" + b.Addr(scheme) }

// CAFile returns the PEM file of the authority that signed the broker's certificate.
func (b *Broker) CAFile() string { return b.certs.CAFile }

// Certificates returns the authority of the broker.
func (b *Broker) Certificates() *Certificates { return b.certs }

// Username and Password return the login of [App], which may do everything but manage the broker.
func (b *Broker) Username() string { return App.Name }

// Password returns the password of [App].
func (b *Broker) Password() string { return App.Password }

// Log returns the end of what the running broker printed; the whole of it is in LogFile.
func (b *Broker) Log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return "(not running)"
	}
	return b.process.output()
}

// LogFile returns the path of the broker's log.
func (b *Broker) LogFile() string { return filepath.Join(b.dir, "broker.log") }

// Pid returns the process id of the running broker, 0 if it is not running.
func (b *Broker) Pid() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return 0
	}
	return b.process.cmd.Process.Pid
}

// Restart starts a broker that was killed or stopped, on the same ports and with the same store, and waits until it
// is ready. A broker that runs is stopped first.
func (b *Broker) Restart() error {
	b.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	var cmd *exec.Cmd
	var mark string
	var err error
	if b.kind.Classic() {
		cmd, mark, err = b.classicCommand()
	} else {
		cmd, mark, err = b.artemisCommand()
	}
	if err != nil {
		return err
	}
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	p, err := startProcess(cmd, b.LogFile(), mark)
	if err != nil {
		return err
	}
	if err := p.waitReady(startLimit); err != nil {
		p.kill()
		return fmt.Errorf("starting %s: %w", b.kind, err)
	}
	b.process = p
	return nil
}

// Kill ends the broker at once (SIGKILL), as a crash does. The store stays.
func (b *Broker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process != nil {
		b.process.kill()
		b.process = nil
	}
}

// Stop ends the broker in its own orderly way.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process != nil {
		b.process.stop(20 * time.Second)
		b.process = nil
	}
}

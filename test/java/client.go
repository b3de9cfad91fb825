package java

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

//go:embed src/*.java
var sources embed.FS

// Client is a Java client library.
type Client string

// The clients.
const (
	ActiveMQ6 Client = "activemq-client-6.1.7"  // OpenWire, jakarta.jms; URLs tcp:// and ssl://
	ActiveMQ5 Client = "activemq-client-5.18.3" // OpenWire, javax.jms
	Qpid      Client = "qpid-jms-client-2.7.0"  // AMQP 1.0, jakarta.jms; URLs amqp://
	Core      Client = "artemis-jakarta-client" // Artemis's own protocol; URLs tcp://
)

// library is what a client is made of.
type library struct{ artifact, factory, jms string }

func (c Client) library() library {
	switch c {
	case ActiveMQ5:
		return library{"org.apache.activemq:activemq-client:5.18.3", "org.apache.activemq.ActiveMQConnectionFactory", "javax.jms"}
	case Qpid:
		return library{"org.apache.qpid:qpid-jms-client:2.7.0", "org.apache.qpid.jms.JmsConnectionFactory", "jakarta.jms"}
	case Core:
		return library{
			"org.apache.activemq:artemis-jakarta-client:" + brokers.Artemis.Version(),
			"org.apache.activemq.artemis.jms.client.ActiveMQConnectionFactory", "jakarta.jms",
		}
	default:
		return library{"org.apache.activemq:activemq-client:6.1.7", "org.apache.activemq.ActiveMQConnectionFactory", "jakarta.jms"}
	}
}

// install downloads the client and compiles the programs against it, once for each state of their source.
func (c Client) install(ctx context.Context) (string, error) {
	lib := c.library()
	programs, err := sources.ReadDir("src")
	if err != nil {
		return "", err
	}
	texts, all := map[string]string{}, ""
	for _, p := range programs {
		text, err := sources.ReadFile("src/" + p.Name())
		if err != nil {
			return "", err
		}
		texts[p.Name()] = strings.ReplaceAll(string(text), "jakarta.jms", lib.jms)
		all += string(text)
	}
	sum := sha256.Sum256([]byte(all + lib.artifact))
	return brokers.Cached("java-"+string(c)+"-"+hex.EncodeToString(sum[:4]), func(dir string) error {
		part := strings.Split(lib.artifact, ":")
		pom := fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>client</artifactId><version>1</version><dependencies>
<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.16</version></dependency>
</dependencies></project>
`, part[0], part[1], part[2])
		if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o644); err != nil {
			return fmt.Errorf("writing the pom: %w", err)
		}
		if err := brokers.Maven(ctx, dir, "dependency:copy-dependencies", "-DoutputDirectory=lib"); err != nil {
			return err
		}
		args := []string{"-encoding", "UTF-8", "-cp", filepath.Join(dir, "lib", "*"), "-d", dir}
		for name, text := range texts {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				return fmt.Errorf("writing the programs: %w", err)
			}
			args = append(args, file)
		}
		if out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("compiling the programs: %w\n%s", err, out)
		}
		return nil
	})
}

// Command returns the command that runs one of the programs of src with this client: its first argument, then the class
// of the connection factory, the URL and the rest. The options are Java's own.
func (c Client) Command(ctx context.Context, options []string, program, first, url string, rest ...string) (*exec.Cmd, error) {
	dir, err := c.install(ctx)
	if err != nil {
		return nil, fmt.Errorf("installing %s: %w", c, err)
	}
	args := append(slices.Clone(options), "-cp", dir+":"+filepath.Join(dir, "lib", "*"), program, first, c.library().factory, url)
	return exec.CommandContext(ctx, "java", append(args, rest...)...), nil
}

// run starts the tool and returns its standard output.
func (c Client) run(ctx context.Context, in string, command, url string, args ...string) ([]byte, error) {
	cmd, err := c.Command(ctx, []string{"-Xmx256m", "-XX:+UseSerialGC"}, "Tool", command, url, args...)
	if err != nil {
		return nil, err
	}
	cmd.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running %s %s: %w\n%s", c, command, err, errs.Bytes())
	}
	return out.Bytes(), nil
}

package java

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

//go:embed src/Tool.java
var source string

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

// install downloads the client and compiles the tool against it, once for each state of the source.
func (c Client) install(ctx context.Context) (string, error) {
	lib := c.library()
	sum := sha256.Sum256([]byte(source + lib.artifact))
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
		file := filepath.Join(dir, "Tool.java")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(source, "jakarta.jms", lib.jms)), 0o644); err != nil {
			return fmt.Errorf("writing the tool: %w", err)
		}
		out, err := exec.CommandContext(ctx, "javac", "-encoding", "UTF-8", "-cp", filepath.Join(dir, "lib", "*"), "-d", dir, file).CombinedOutput()
		if err != nil {
			return fmt.Errorf("compiling the tool: %w\n%s", err, out)
		}
		return nil
	})
}

// run starts the tool and returns its standard output.
func (c Client) run(ctx context.Context, in string, command, url string, args ...string) ([]byte, error) {
	dir, err := c.install(ctx)
	if err != nil {
		return nil, fmt.Errorf("installing %s: %w", c, err)
	}
	args = append([]string{
		"-Xmx256m", "-XX:+UseSerialGC", "-cp", dir + ":" + filepath.Join(dir, "lib", "*"), "Tool", command, c.library().factory, url,
	}, args...)
	cmd := exec.CommandContext(ctx, "java", args...)
	cmd.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running %s %s: %w\n%s", c, command, err, errs.Bytes())
	}
	return out.Bytes(), nil
}

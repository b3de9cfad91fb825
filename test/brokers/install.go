package brokers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// CacheDir returns the folder that keeps downloads between test runs: jmsbridge-test in the user's cache folder.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	return filepath.Join(base, "jmsbridge-test"), nil
}

// Cached returns the folder NAME in the cache, after calling fill once, ever, to make its content. Parallel processes
// wait for the first. fill works in a folder that gets its final name only when fill succeeded, so an interrupted
// download is never taken for a whole one.
func Cached(name string, fill func(dir string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	dir := filepath.Join(cache, name)
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work := dir + ".part"
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return "", fmt.Errorf("making %s: %w", work, err)
	}
	if err := fill(work); err != nil {
		return "", fmt.Errorf("filling %s: %w", dir, err)
	}
	if err := os.Rename(work, dir); err != nil {
		return "", fmt.Errorf("keeping %s: %w", dir, err)
	}
	return dir, nil
}

// lockFile takes an exclusive lock that ends with the process, however that ends.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// Maven runs mvn quietly in dir and returns its output in the error.
func Maven(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "mvn", append([]string{"-B", "-q"}, args...)...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("running mvn: %w: install Maven and Java 17 (Debian: apt-get install maven openjdk-17-jdk-headless)", err)
		}
		return fmt.Errorf("running mvn %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return nil
}

// Install downloads a broker unless it is there, and returns its folder.
func Install(ctx context.Context, k Kind) (string, error) {
	switch k {
	case Classic6:
		// There is no distribution archive of this version, but all of its jars.
		return Cached("activemq-"+k.Version(), func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(classic6POM()), 0o644); err != nil {
				return fmt.Errorf("writing the pom: %w", err)
			}
			return Maven(ctx, dir, "dependency:copy-dependencies", "-DoutputDirectory=lib")
		})
	case Classic5:
		return installArchive(ctx, "activemq-"+k.Version(), "org.apache.activemq:apache-activemq:"+k.Version()+":tar.gz:bin")
	case Artemis:
		return installArchive(ctx, "artemis-"+k.Version(), "org.apache.activemq:apache-artemis:"+k.Version()+":tar.gz:bin")
	default:
		return "", fmt.Errorf("unknown broker %q", k)
	}
}

// installArchive downloads a distribution and unpacks it without its first folder.
func installArchive(ctx context.Context, name, artifact string) (string, error) {
	return Cached(name, func(dir string) error {
		if err := Maven(ctx, dir, "dependency:copy", "-Dartifact="+artifact, "-DoutputDirectory=download"); err != nil {
			return err
		}
		archives, err := filepath.Glob(filepath.Join(dir, "download", "*.tar.gz"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("finding the archive of %s: %v, %w", artifact, archives, err)
		}
		out, err := exec.CommandContext(ctx, "tar", "-xzf", archives[0], "-C", dir, "--strip-components=1").CombinedOutput()
		if err != nil {
			return fmt.Errorf("unpacking %s: %w\n%s", archives[0], err, out)
		}
		return os.RemoveAll(filepath.Join(dir, "download"))
	})
}

func classic6POM() string {
	type artifact struct{ group, id, version string }
	var list []artifact
	for _, id := range []string{
		"activemq-console", "activemq-spring", "activemq-kahadb-store", "activemq-stomp", "activemq-amqp", "activemq-jaas", "activemq-http",
	} {
		list = append(list, artifact{"org.apache.activemq", id, Classic6.Version()})
	}
	list = append(
		list,
		artifact{"org.apache.xbean", "xbean-spring", "4.28"},
		artifact{"org.apache.logging.log4j", "log4j-slf4j2-impl", "2.25.2"},
	)
	var b strings.Builder
	b.WriteString("<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n" +
		"<groupId>test</groupId><artifactId>classic6</artifactId><version>1</version><dependencies>\n")
	for _, a := range list {
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", a.group, a.id, a.version)
	}
	b.WriteString("</dependencies></project>\n")
	return b.String()
}

package dynamodblocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dialplane/dialplane/shared/ident"
)

const (
	version     = "2.6.1"
	image       = "amazon/dynamodb-local:" + version
	leastJava   = 17
	probeWait   = 10 * time.Second // for `java -version` and `docker version`
	installWait = 10 * time.Minute // for apt-get
)

// launch is a command that runs the server in the foreground.
type launch struct {
	name string // for messages
	args []string
	dir  string
	// orphan is the signal that the kernel sends it when this process dies.
	orphan syscall.Signal
	// after is run when the command has ended; nil for nothing.
	after []string
}

// resolve finds a way to run the server, fetching what it needs.
func resolve(ctx context.Context, o Options) (launch, error) {
	l, javaErr := resolveJava(ctx, o)
	if javaErr == nil {
		return l, nil
	}
	if docker := findDocker(ctx); docker != "" {
		return dockerLaunch(docker, o), nil
	}
	if apt, err := exec.LookPath("apt-get"); errors.Is(javaErr, errNoJava) && err == nil && os.Geteuid() == 0 {
		if err := installJava(ctx, apt, o); err != nil {
			return launch{}, err
		}
		if l, javaErr = resolveJava(ctx, o); javaErr == nil {
			return l, nil
		}
	}
	return launch{}, fmt.Errorf("DynamoDB Local needs Java %d or newer and npm, or a running Docker engine: install one of them, or set %s"+
		" to a running server: %w", leastJava, EndpointVariable, javaErr)
}

var errNoJava = fmt.Errorf("there is no Java %d or newer", leastJava)

func resolveJava(ctx context.Context, o Options) (launch, error) {
	java := findJava(ctx)
	if java == "" {
		return launch{}, errNoJava
	}
	home, err := fetch(ctx, o)
	if err != nil {
		return launch{}, fmt.Errorf("fetch the jar: %w", err)
	}
	return javaLaunch(java, home, o), nil
}

// serverFlags are the same for the jar and the image; see "DynamoDB local
// usage notes".
func serverFlags(o Options, dataDir string) []string {
	flags := []string{"-sharedDb", "-disableTelemetry"}
	if o.Dir == "" {
		return append(flags, "-inMemory")
	}
	return append(flags, "-dbPath", dataDir)
}

func javaLaunch(java, home string, o Options) launch {
	// A short-lived server gains nothing from the second compiler nor from
	// parallel collection, which take a third of the start.
	args := []string{java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.library.path=" + filepath.Join(home, libraries), "-jar", filepath.Join(home, jar),
		"-port", strconv.Itoa(o.Port)}
	return launch{name: "Java", args: append(args, serverFlags(o, o.Dir)...), dir: home, orphan: syscall.SIGKILL}
}

func dockerLaunch(docker string, o Options) launch {
	container := "dialplane-dynamodb-" + ident.Hex(4)
	args := []string{docker, "run", "--rm", "--name", container, "-p", fmt.Sprintf("127.0.0.1:%d:8000", o.Port)}
	if o.Dir != "" {
		args = append(args, "-v", o.Dir+":/data", "--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()))
	}
	args = append(args, image, "-jar", jar)
	return launch{
		name: "Docker", args: append(args, serverFlags(o, "/data")...), orphan: syscall.SIGTERM,
		after: []string{docker, "rm", "--force", container},
	}
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns a Java that is new enough, or "". Homebrew's and Debian's
// are looked for where they live, since neither need be on the path.
func findJava(ctx context.Context) string {
	candidates := []string{}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if onPath, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, onPath)
	}
	for _, pattern := range []string{
		"/usr/lib/jvm/*/bin/java", "/opt/homebrew/opt/openjdk*/bin/java", "/usr/local/opt/openjdk*/bin/java",
	} {
		found, _ := filepath.Glob(pattern) // fails only for a bad pattern
		candidates = append(candidates, found...)
	}
	return newEnough(ctx, candidates)
}

// newEnough returns the first Java that is leastJava or newer, or "".
func newEnough(ctx context.Context, candidates []string) string {
	for _, java := range candidates {
		text, err := probe(ctx, java, "-version")
		if err != nil {
			continue
		}
		if m := javaVersion.FindStringSubmatch(text); m != nil {
			if major, err := strconv.Atoi(m[1]); err == nil && major >= leastJava {
				return java
			}
		}
	}
	return ""
}

// findDocker returns the docker command if its engine answers, else "".
func findDocker(ctx context.Context) string {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return ""
	}
	if _, err := probe(ctx, docker, "version", "--format", "{{.Server.Version}}"); err != nil {
		return ""
	}
	return docker
}

func probe(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

func installJava(ctx context.Context, apt string, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, installWait)
	defer cancel()
	for _, args := range [][]string{{"update"}, {"install", "--yes", "--no-install-recommends", "openjdk-17-jre-headless"}} {
		o.logf("installing Java 17: apt-get %s", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("install Java 17: apt-get %s: %w: %s", args[0], err, tail(out))
		}
	}
	return nil
}

// tail returns the end of a command's output, for an error.
func tail(out []byte) string {
	const most = 1000 // bytes
	text := strings.TrimSpace(string(out))
	return text[max(0, len(text)-most):]
}

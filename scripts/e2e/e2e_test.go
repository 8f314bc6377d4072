// Package e2e drives the whole system as its users do: the runner of
// `make run` with its real binaries and its own DynamoDB, over HTTP and SIP.
package e2e

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/document"
)

// system is what TestMain started.
var system struct {
	api, sipAddr string
	credentials  map[string]string
	log          lockedBuffer
}

// lockedBuffer keeps the runner's output for a failing test.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.WriteString(line + "\n")
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: left out with -short")
		os.Exit(0)
	}
	status, err := runSystem(m.Run)
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: %v\n%s", err, system.log.String())
		status = 1
	}
	os.Exit(status)
}

// runSystem starts the runner on free ports with a state of its own, runs the
// tests, and stops it.
func runSystem(tests func() int) (int, error) {
	dir, err := os.MkdirTemp("", "dialplane-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	runner := filepath.Join(dir, "local")
	if out, err := program(root, "go", "build", "-o", runner, "./scripts/local").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the runner: %w\n%s", err, out)
	}
	api, sip := freeAddr(), freeAddr()
	cmd := program(root, runner)
	cmd.Env = append(environment(), "API_ADDR="+api, "SIP_ADDR="+sip, "STATE_DIR="+filepath.Join(dir, "state"),
		"SIP_MIN_EXPIRES=1", "LOG_FORMAT=json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for announced := false; lines.Scan(); {
			system.log.add(lines.Text())
			if !announced && strings.HasPrefix(lines.Text(), "ready:") {
				announced = true
				close(ready)
			}
		}
	}()
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-gone
		cmd.Wait()
	}()
	select {
	case <-ready:
	case <-gone:
		return 1, fmt.Errorf("the runner ended before it was ready")
	case <-time.After(5 * time.Minute): // a first build on a slow machine
		return 1, fmt.Errorf("the runner was not ready in 5 minutes")
	}
	text, err := os.ReadFile(filepath.Join(dir, "state", "credentials.json"))
	if err != nil {
		return 1, err
	}
	if err := json.Unmarshal(text, &system.credentials); err != nil {
		return 1, err
	}
	system.api, system.sipAddr = "http://"+api, sip
	return tests(), nil
}

func program(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

// environment is this process's, without the DynamoDB that other tests share:
// the runner brings its own, as for its users.
func environment() []string {
	var kept []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "DYNAMODB_") && !strings.HasPrefix(setting, "AWS_") {
			kept = append(kept, setting)
		}
	}
	return kept
}

// freeAddr returns a loopback address whose port, and the next one, were free
// for UDP and TCP. The port is below those that the system gives to outgoing
// connections, so that none of them takes it before it is used.
func freeAddr() string {
	for {
		port := 20000 + rand.N(12000)
		if free(port) && free(port+1) { // baresip takes the next one for TLS
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
}

func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	packets, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return packets.Close() == nil
}

// answer is a reply of the API.
type answer struct {
	status int
	header http.Header
	body   document.Object
	text   string
}

// data returns the value at path below the envelope's data.
func (a answer) data(path ...string) any {
	v, _ := document.At(a.body, append([]string{"data"}, path...)...)
	return v
}

// client calls the API with a token.
type client struct {
	t     testing.TB
	token string
}

// call sends a request to a path below /v2 and checks its status. A body that
// is no string is sent as JSON.
func (c client) call(method, path string, body any, want int) answer {
	c.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(encoded)
	}
	r, err := http.NewRequest(method, system.api+"/v2"+path, strings.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.do(r, want)
}

func (c client) do(r *http.Request, want int) answer {
	c.t.Helper()
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	got := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	v, err := document.Decode(text)
	if err != nil {
		c.t.Fatalf("%s %s: answer is no JSON: %v: %s", r.Method, r.URL.Path, err, text)
	}
	got.body = v.(document.Object)
	if got.status != want {
		c.t.Fatalf("%s %s: got %d, want %d: %s\n%s", r.Method, r.URL.Path, got.status, want, text, lastLines(system.log.String()))
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		c.t.Errorf("%s %s: got content type %q", r.Method, r.URL.Path, kind)
	}
	return got
}

func lastLines(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// login returns a client with the demo user's token. All tests share one, as
// logins are limited.
func login(t testing.TB) client {
	t.Helper()
	shared.once.Do(func() { shared.token = freshLogin(t).token })
	if shared.token == "" {
		t.Fatal("the demo user could not log in")
	}
	return client{t: t, token: shared.token}
}

var shared struct {
	once  sync.Once
	token string
}

// freshLogin logs the demo user in.
func freshLogin(t testing.TB) client {
	t.Helper()
	c := system.credentials
	sum := md5.Sum([]byte(c["username"] + ":" + c["password"]))
	got := client{t: t}.call("PUT", "/user_auth", document.Object{"data": document.Object{
		"credentials": hex.EncodeToString(sum[:]), "account_name": c["account_name"]}}, 201)
	return client{t: t, token: got.body["auth_token"].(string)}
}

// devices is the path of the demo account's devices.
func devices() string { return "/accounts/" + system.credentials["account_id"] + "/devices" }

// eventually calls check until it returns "" or 10 s are over.
func eventually(t testing.TB, check func() string) {
	t.Helper()
	problem := "never checked"
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if problem = check(); problem == "" {
			return
		}
	}
	t.Fatal(problem)
}

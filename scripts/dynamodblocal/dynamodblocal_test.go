package dynamodblocal

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperVariable makes this binary the parent that TestServerDiesWithItsParent
// kills.
const helperVariable = "DYNAMODBLOCAL_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			os.Stdout.WriteString("failed: " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString(s.Endpoint() + "\n")
		select {} // until killed
	}
	goleak.VerifyTestMain(m)
}

// start returns a server of this test's own. Not for parallel tests: it hides
// the server that the environment may name.
func start(t *testing.T, ctx context.Context, o Options) *Server {
	t.Helper()
	t.Setenv(EndpointVariable, "")
	s, err := Start(ctx, o)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// wantGone checks that nothing listens any more.
func wantGone(t *testing.T, endpoint string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(endpoint, "http://"), time.Second)
	if err == nil {
		conn.Close()
		t.Errorf("%s still listens", endpoint)
	}
}

// call makes a request that no emulator checks the signature of.
func call(t *testing.T, endpoint, operation, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=other/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s %s %v", operation, resp.Status, text, err)
	}
	return string(text)
}

func TestServerKeepsItsDataAndLeavesNothingBehind(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir() + "/made/on/demand"
	first := start(t, t.Context(), Options{Dir: dir, Log: &log})
	if !strings.Contains(log.String(), "starting DynamoDB Local 2.6.1 on port ") {
		t.Errorf("got progress %q, want a line about the start", log.String())
	}
	call(t, first.Endpoint(), "CreateTable", `{"TableName":"kept","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],
		"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}`)
	for range 2 {
		if err := first.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	<-first.Done()
	wantGone(t, first.Endpoint())

	ctx, cancel := context.WithCancel(t.Context())
	second := start(t, ctx, Options{Dir: dir})
	if got := call(t, second.Endpoint(), "ListTables", "{}"); !strings.Contains(got, "kept") {
		t.Errorf("got tables %s, want what was made before", got)
	}
	cancel()
	select {
	case <-second.Done():
	case <-time.After(2 * stopWait):
		t.Error("the server outlives its context")
	}
	wantGone(t, second.Endpoint())
}

func TestServerDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process that its parent died")
	}
	start(t, t.Context(), Options{}) // skips where no server can run
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"=1", EndpointVariable+"=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	endpoint := strings.TrimSpace(line)
	if !strings.HasPrefix(endpoint, "http://") {
		t.Fatalf("got %q, want an endpoint", line)
	}
	call(t, endpoint, "ListTables", "{}")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	deadline := time.Now().Add(5 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(endpoint, "http://"), time.Second)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server outlives its parent")
		}
		runtime.Gosched()
	}
}

func TestServerOfTheEnvironmentIsLeftAlone(t *testing.T) {
	var operation string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		operation = r.Header.Get("X-Amz-Target")
	}))
	defer other.Close()
	t.Setenv(EndpointVariable, other.URL+"/")
	s, err := Start(t.Context(), Options{Tools: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if s.Endpoint() != other.URL || s.Done() != nil || operation != "DynamoDB_20120810.ListTables" {
		t.Errorf("got %s after %q, want %s, asked for its tables", s.Endpoint(), operation, other.URL)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := listTables(t.Context(), other.URL); err != nil {
		t.Errorf("got %v, want the server to be there still", err)
	}
}

func TestServerOfTheEnvironmentMustAnswer(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	t.Setenv(EndpointVariable, other.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 3*healthPeriod)
	defer cancel()
	if _, err := Start(ctx, Options{}); err == nil || !strings.Contains(err.Error(), EndpointVariable) {
		t.Errorf("got %v, want an error that names %s", err, EndpointVariable)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Setenv(EndpointVariable, "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	if _, err := Start(t.Context(), Options{Tools: t.TempDir(), Port: port}); err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("got %v, want an error that names port %d", err, port)
	}
}

// A program that ends at once is reported with what it said.
func TestLastWordsAreReported(t *testing.T) {
	t.Parallel()
	p, err := startProcess(t.Context(), launch{args: []string{"sh", "-c", "echo no such option >&2; exit 3"}})
	if err != nil {
		t.Fatal(err)
	}
	err = awaitHealth(t.Context(), "http://127.0.0.1:1", p)
	if err == nil || !strings.Contains(err.Error(), "no such option") {
		t.Errorf("got %v, want the program's words", err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if _, err := startProcess(t.Context(), launch{args: []string{t.TempDir() + "/missing"}}); err == nil {
		t.Error("got no error for a program that is not there")
	}
}

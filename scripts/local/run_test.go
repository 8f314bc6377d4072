package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/dialplane/dialplane/scripts/template"
)

// testConfig runs the small repository on free ports with its state in a new
// directory.
func testConfig(t *testing.T) Config {
	t.Helper()
	needServer(t)
	dir := t.TempDir()
	return Config{
		Root: testRoot, APIAddr: "127.0.0.1:0", SIPAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0",
		StateDir: filepath.Join(dir, "state"), BuildDir: filepath.Join(testDir, "build"), ToolsDir: toolsDir,
		TablePrefix: tablePrefix(), LogLevel: "warn", Edge: []string{"SIP_MIN_EXPIRES=30"}, seed: noSeed,
	}
}

// startRun runs the system until stop, which fails the test unless it stops
// cleanly.
func startRun(t *testing.T, cfg Config) (info Info, out *lockedBuffer, stop func()) {
	t.Helper()
	binary(t, edgeFolder) // built once for all tests
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan Info, 1), make(chan error, 1)
	cfg.Ready = func(i Info) { ready <- i }
	out = &lockedBuffer{}
	go func() { done <- run(ctx, cfg, out) }()
	stopped := false
	stop = func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v\n%s", err, out)
		}
	}
	t.Cleanup(stop)
	select {
	case info = <-ready:
	case err := <-done:
		stopped = true
		t.Fatalf("run: %v\n%s", err, out)
	}
	return info, out, stop
}

// putItem writes an item with a fake signature to the system's own table.
func putItem(t *testing.T, info Info, sk string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	db := dynamodb.NewFromConfig(aws.Config{Region: localRegion, BaseEndpoint: &info.DynamoDB, HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: localKeyID, SecretAccessKey: localSecret}, nil
		})})
	_, err := db.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: aws.String(info.Tables["CoreTable"]),
		Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: sk}}})
	if err != nil {
		t.Fatal(err)
	}
}

// call sends a request to the API and returns the status and the body.
func call(t *testing.T, method, url string) (int, string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	status, _, body := send(t, &http.Client{Transport: transport}, newRequest(t, method, url, strings.NewReader(`{"data":{}}`)))
	return status, body
}

// One walk through a whole run and a restart, since each start costs seconds.
func TestRun(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	info, out, stop := startRun(t, cfg)

	status, body := call(t, "POST", info.APIURL+"/do/echo?x=1")
	var got lambdaResult
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	if e := got.Event; e.Resource != "/do/{what}" || e.QueryStringParameters["x"] != "1" || e.Body != `{"data":{}}` || e.RequestContext.Stage != "v2" {
		t.Errorf("the function saw %+v", e)
	}
	environment := strings.Join(got.Environment, "\n")
	for _, want := range []string{"CORE_TABLE=" + info.Tables["CoreTable"], "LOG_LEVEL=warn", "AWS_ENDPOINT_URL=" + info.DynamoDB,
		"AWS_LAMBDA_FUNCTION_NAME=test-lambda", "_HANDLER=bootstrap", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256"} {
		if !strings.Contains(environment, want) {
			t.Errorf("the environment lacks %s:\n%s", want, environment)
		}
	}
	if status, body := call(t, "POST", info.APIURL+"/do/hang"); status != 504 || !strings.Contains(body, `"message":"timeout"`) {
		t.Errorf("a function that hangs: got %d %s", status, body)
	}

	putItem(t, info, "DEVICE#1")
	putItem(t, info, "USER#1") // filtered out
	waitForOutput(t, out, "copied event=INSERT sk=DEVICE#1")
	putItem(t, info, "DEVICE#poison")
	putItem(t, info, "DEVICE#2")
	waitForOutput(t, out, "sk=DEVICE#2")
	if strings.Contains(out.String(), "sk=USER#1") {
		t.Error("a record that the filter drops was delivered")
	}
	letters, err := os.ReadFile(filepath.Join(cfg.StateDir, deadLettersName))
	if err != nil || strings.Count(string(letters), "\n") != 1 || !strings.Contains(string(letters), retriesExhausted) {
		t.Errorf("dead letters: got %q, %v; want the one poisoned record", letters, err)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.Contains(strings.Join(lines, "\n"), "\n"+readyLine(info)+"\n") {
		t.Errorf("there is no line %q in\n%s", readyLine(info), out)
	}
	credentials, err := os.ReadFile(filepath.Join(cfg.StateDir, credentialsName))
	if err != nil {
		t.Fatal(err)
	}

	stop()
	if alive(got.PID) {
		t.Error("a function is left behind")
	}
	if conn, err := net.Dial("tcp", info.HealthAddr); err == nil {
		conn.Close()
		t.Error("the edge is left behind")
	}
	if !strings.Contains(out.String(), "edge drained") {
		t.Error("the edge had no time to drain")
	}

	again, out, stop := startRun(t, cfg)
	if after, err := os.ReadFile(filepath.Join(cfg.StateDir, credentialsName)); err != nil || string(after) != string(credentials) {
		t.Errorf("credentials after a restart: got %s, %v; want %s", after, err, credentials)
	}
	putItem(t, again, "DEVICE#3")
	waitForOutput(t, out, "sk=DEVICE#3")
	if strings.Contains(out.String(), "sk=DEVICE#1") {
		t.Error("a record was delivered again after a restart")
	}
	stop()
}

func TestRunRefusesTablesOfAnotherTemplate(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	if err := cfg.fill(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(testRoot, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	start := func(text string) error {
		parsed, err := template.Parse("template.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s := &system{cfg: cfg, console: newConsole(&lockedBuffer{}, cfg), template: parsed}
		defer s.stop()
		return s.startStore(context.Background())
	}
	if lock, err := lockState(cfg.StateDir); err != nil {
		t.Fatal(err)
	} else {
		defer lock.Close()
	}
	for _, when := range []string{"first", "again"} {
		if err := start(string(data)); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	}
	for _, change := range []struct{ from, to, want string }{
		{"KEYS_ONLY", "ALL", `its index "owner" is owner S HASH projecting KEYS_ONLY, not`},
		{"AttributeName: ttl", "AttributeName: gone", "it expires items by ttl, not by gone"},
	} {
		err := start(strings.Replace(string(data), change.from, change.to, 1))
		if err == nil || !strings.Contains(err.Error(), change.want) || !strings.Contains(err.Error(), "Delete "+cfg.StateDir+" and start again") {
			t.Errorf("got %v, want %q and what to do", err, change.want)
		}
	}
}

func TestRunRefusesATakenAddressBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := testConfig(t)
	cfg.APIAddr = taken.Addr().String()
	out := &lockedBuffer{}
	err = run(context.Background(), cfg, out)
	if err == nil || !strings.Contains(err.Error(), "set API_ADDR to another address") || out.String() != "" {
		t.Errorf("got %v after %q", err, out)
	}
	if _, err := os.Stat(cfg.StateDir); err == nil {
		t.Error("the state directory was made")
	}
}

func TestRunStopsInTheMiddleOfStarting(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cfg.seed = func(context.Context, store, Credentials) error {
		cancel()
		return ctx.Err()
	}
	if err := run(ctx, cfg, &lockedBuffer{}); err == nil {
		t.Error("it became ready")
	}
}

// A runner that is killed takes its children with it, its own DynamoDB among
// them, and what it stored is there at the next start.
func TestNothingOutlivesAKilledRunnerButItsState(t *testing.T) {
	t.Parallel()
	needServer(t) // where that works the child's works too
	state := t.TempDir()
	cmd, _ := startChild(t, state)
	before, err := os.ReadFile(filepath.Join(state, credentialsName))
	if err != nil {
		t.Fatal(err)
	}
	children := descendants(t, cmd.Process.Pid)
	if len(children) < 2 {
		t.Fatalf("got children %v, want the edge and DynamoDB", children)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, pid := range children {
		eventually(t, "process "+strconv.Itoa(pid)+" is gone", func() bool { return !alive(pid) })
	}
	startChild(t, state) // the tables are as they were, and nothing is locked
	if after, err := os.ReadFile(filepath.Join(state, credentialsName)); err != nil || string(after) != string(before) {
		t.Errorf("credentials: got %s, %v; want %s", after, err, before)
	}
}

// descendants lists the processes below pid.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	ps, err := exec.Command("ps", "-e", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Skipf("ps: %v", err)
	}
	children := map[int][]int{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\d+)\s+(\d+)\s*$`).FindAllStringSubmatch(string(ps), -1) {
		child, _ := strconv.Atoi(m[1])
		parent, _ := strconv.Atoi(m[2])
		children[parent] = append(children[parent], child)
	}
	var all []int
	for next := children[pid]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all
}

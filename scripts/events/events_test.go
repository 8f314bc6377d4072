package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/dialplane/dialplane/scripts/policy"
	"github.com/dialplane/dialplane/scripts/template"
	"github.com/dialplane/dialplane/shared/tabletest"
)

const root = "../.."

func TestMain(m *testing.M) { tabletest.Main(m) }

// TestSamples plays every sample twice. All calls to DynamoDB go through a
// proxy that holds them to the function's policies.
func TestSamples(t *testing.T) {
	t.Parallel()
	tmpl, err := template.Load(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := Samples(os.DirFS(filepath.Join(root, "events")))
	if err != nil {
		t.Fatal(err)
	}
	binaries := build(t)
	guards := map[string]*guard{}
	for _, f := range tmpl.Functions {
		statements, err := policy.OfFunction(tmpl, f)
		if err != nil {
			t.Fatal(err)
		}
		guards[f.Name()] = &guard{statements: statements, used: map[string]bool{}}
	}
	t.Run("Play", func(t *testing.T) {
		for _, s := range samples {
			for mode, want := range map[string]string{"AsIs": s.AsIs, "Seeded": s.Seeded} {
				t.Run(strings.TrimSuffix(s.File, ".json")+"/"+mode, func(t *testing.T) {
					t.Parallel()
					i := slices.IndexFunc(tmpl.Functions, func(f template.Function) bool { return f.Name() == s.Function })
					if i < 0 {
						t.Fatalf("there is no function %s", s.Function)
					}
					p := player{tmpl: tmpl, function: tmpl.Functions[i], guard: guards[s.Function],
						binary: filepath.Join(binaries, filepath.FromSlash(s.Function))}
					if got := p.play(t, s, mode == "Seeded"); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				})
			}
		}
	})
	for _, f := range tmpl.Functions {
		for _, idle := range guards[f.Name()].idle() {
			t.Errorf("%s: no sample needs the permission %s", f.ID, idle)
		}
	}
}

// build builds every function for this machine, each area in one go, and
// returns the folder. It is kept: what did not change is not linked again. The
// flags are those of make run, so that both compile once.
func build(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the functions' binaries are started as on Linux")
	}
	into, err := filepath.Abs(filepath.Join(root, ".build", "samples"))
	if err != nil {
		t.Fatal(err)
	}
	areas, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, area := range areas {
		if !area.IsDir() {
			continue
		}
		folder := filepath.Join(into, area.Name())
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-w", "-o", folder+string(filepath.Separator),
			"./functions/"+area.Name()+"/...")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return into
}

// player plays one sample.
type player struct {
	tmpl     *template.Template
	function template.Function
	guard    *guard
	binary   string
}

// play returns the answer in the words of expect.txt.
func (p player) play(t *testing.T, s Sample, seeded bool) string {
	t.Helper()
	tables := tabletest.Local(t)
	event, err := os.ReadFile(filepath.Join(root, "events", filepath.FromSlash(s.File)))
	if err != nil {
		t.Fatal(err)
	}
	if seeded {
		event = seed(t, tables, event)
	}
	proxy := p.guard.watch(t, tables)
	answer, err := invoke(t, p.binary, p.environment(t, tables, proxy), event)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.function.Streams) > 0 {
		return streamAnswer(t, event, answer)
	}
	return requestAnswer(t, answer)
}

// environment is what the template gives to the function, and what Lambda does.
func (p player) environment(t *testing.T, tables *tabletest.Tables, endpoint string) []string {
	t.Helper()
	scope := template.Scope{
		Parameters: map[string]string{"AwsEndpointUrl": endpoint},
		Refs: map[string]string{"CoreTable": tables.Names.Core, "RegistrationsTable": tables.Names.Registrations,
			"SecretsTable": tables.Names.Secrets},
	}
	env := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local"}
	for name, value := range p.function.Environment {
		text, err := p.tmpl.Resolve(value, scope)
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+text)
	}
	return env
}

// requestAnswer returns the status, and checks the envelope around it.
func requestAnswer(t *testing.T, answer []byte) string {
	t.Helper()
	var reply lambda.APIGatewayProxyResponse
	if err := json.Unmarshal(answer, &reply); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	var envelope struct{ Status, Error string }
	if err := json.Unmarshal([]byte(reply.Body), &envelope); err != nil {
		t.Fatalf("%v: %s", err, reply.Body)
	}
	status := strconv.Itoa(reply.StatusCode)
	if failed := reply.StatusCode >= 400; failed != (envelope.Status == "error") || failed && envelope.Error != status {
		t.Errorf("the envelope of a %s does not say so: %s", status, reply.Body)
	}
	return status
}

// streamAnswer returns "done", or "again" if records shall be delivered again,
// which must be records of the event.
func streamAnswer(t *testing.T, event, answer []byte) string {
	t.Helper()
	var reply lambda.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &reply); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	for _, failure := range reply.BatchItemFailures {
		if failure.ItemIdentifier == "" || !bytes.Contains(event, []byte(`"`+failure.ItemIdentifier+`"`)) {
			t.Errorf("%q names no record of the event: Lambda would deliver the whole batch again", failure.ItemIdentifier)
		}
	}
	if len(reply.BatchItemFailures) == 0 {
		return "done"
	}
	return "again"
}

// guard holds a function to its policies, and remembers which it used.
type guard struct {
	statements []policy.Statement

	mu   sync.Mutex
	used map[string]bool // "Sid action"; guarded by mu
}

// watch starts a proxy before the server of tables that refuses what IAM
// would, and returns its URL.
func (g *guard) watch(t *testing.T, tables *tabletest.Tables) string {
	t.Helper()
	server, err := url.Parse(tables.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	resources := map[string]string{tables.Names.Core: "${CoreTable.Arn}", tables.Names.Registrations: "${RegistrationsTable.Arn}",
		tables.Names.Secrets: "${SecretsTable.Arn}"}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = g.check(r.Header.Get("X-Amz-Target"), body, resources)
		}
		if err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not permitted by the template"}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// check returns an error if no statement allows a request to DynamoDB.
func (g *guard) check(target string, body []byte, resources map[string]string) error {
	requests, err := Permissions(target, body, resources)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range requests {
		i := slices.IndexFunc(g.statements, func(s policy.Statement) bool { return s.Allows(r) })
		if i < 0 {
			return fmt.Errorf("the template does not allow %s", r)
		}
		g.used[g.statements[i].Sid+" "+r.Action] = true
	}
	return nil
}

// idle returns the permissions that nothing used.
func (g *guard) idle() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var unused []string
	for _, s := range g.statements {
		for _, action := range s.Actions {
			if name := s.Sid + " " + action; !g.used[name] {
				unused = append(unused, name)
			}
		}
	}
	return unused
}

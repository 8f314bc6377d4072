package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/sip-edge/internal/edgetest"
	"github.com/dialplane/dialplane/sip-edge/internal/sipserver"
)

func TestMain(m *testing.M) {
	sipserver.Configure(slog.New(slog.DiscardHandler))
	// A phone that is silent is given up after 64 times T1: 1.28 s here.
	sip.SetTimers(20*time.Millisecond, 160*time.Millisecond, 200*time.Millisecond)
	goleak.VerifyTestMain(m)
}

const realm = "acme.example.com"

func alice() credential.Credential { return device("alice", "dev") }

func device(username, id string) credential.Credential {
	c := credential.New(realm, username, "s3cret")
	c.AccountID, c.DeviceID = "acc", id
	return c
}

// stream is the stream of the core table: one shard that a test writes to.
type stream struct {
	mu      sync.Mutex
	records []types.Record
	broken  error
}

func (s *stream) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &dynamodb.DescribeTableOutput{Table: &dbtypes.TableDescription{LatestStreamArn: aws.String("arn")}}, s.broken
}

func (s *stream) DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: &types.StreamDescription{Shards: []types.Shard{{ShardId: aws.String("s0")}}}}, nil
}

func (s *stream) GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: aws.String(strconv.Itoa(len(s.records)))}, nil
}

func (s *stream) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := strconv.Atoi(*in.ShardIterator)
	return &dynamodbstreams.GetRecordsOutput{Records: s.records[at:], NextShardIterator: aws.String(strconv.Itoa(len(s.records)))}, nil
}

func (s *stream) insert(pk, sk string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, types.Record{EventName: types.OperationTypeInsert, Dynamodb: &types.StreamRecord{
		SequenceNumber: aws.String(strconv.Itoa(len(s.records))),
		Keys:           map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}},
	}})
}

// journal is a log that a test reads.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

// find returns the first line with that message.
func (j *journal) find(t testing.TB, msg string) map[string]any {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimSpace(j.buf.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); line != "" && err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if entry["msg"] == msg {
			return entry
		}
	}
	return nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// running is an edge over the fake store.
type running struct {
	addresses
	t      testing.TB
	store  *edgetest.Store
	stream *stream
	log    *journal
	stop   func() // waits until the edge has stopped in good order
}

func testConfig() config {
	c, err := loadConfig(func(name string) string {
		return map[string]string{"SIP_ADDR": "127.0.0.1:0", "HEALTH_ADDR": "127.0.0.1:0", "CORE_TABLE": "core", "REGISTRATIONS_TABLE": "registrations",
			"SIP_MIN_EXPIRES": "2", "LOG_LEVEL": "debug"}[name]
	})
	if err != nil {
		panic(err)
	}
	return c
}

// startEdge starts an edge whose store has alice.
func startEdge(t testing.TB) *running {
	t.Helper()
	store := edgetest.NewStore(t)
	store.AddCredential(alice())
	return restartEdge(t, testConfig(), store, &stream{})
}

func restartEdge(t testing.TB, cfg config, store *edgetest.Store, s *stream) *running {
	t.Helper()
	r := &running{t: t, store: store, stream: s, log: &journal{}}
	ctx, cancel := context.WithCancel(context.Background())
	started, done := make(chan addresses, 1), make(chan error, 1)
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() {
		done <- serve(ctx, cfg, log, backend{credentials: store, commands: store, bindings: store, tables: s, streams: s}, started)
	}()
	select {
	case r.addresses = <-started:
	case err := <-done:
		t.Fatal(err)
	case <-time.After(10 * time.Second):
		t.Fatal("edge is not ready")
	}
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("edge does not stop")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// give stores a command and lets the stream tell of it.
func (r *running) give(cred credential.Credential, n *command.Notify, change func(*command.Command)) command.Ref {
	r.t.Helper()
	c := edgetest.NewCommand(cred, time.Now(), n)
	if change != nil {
		change(&c)
	}
	ref := r.store.Give(c)
	r.stream.insert("DEVICE#"+c.AccountID+"#"+c.DeviceID, "COMMAND#"+c.ID)
	return ref
}

// outcome waits until a command is in that state.
func (r *running) outcome(ref command.Ref, state command.State) command.Command {
	r.t.Helper()
	var c command.Command
	edgetest.Eventually(r.t, "command is "+string(state), func() bool {
		c = r.store.Command(ref)
		return c.State == state && (state != command.Pending || c.Due.Equal(c.Expires))
	})
	return c
}

func (r *running) phone(network string, cred credential.Credential) *edgetest.Phone {
	return edgetest.NewPhone(r.t, network, r.SIP, cred)
}

// ready returns what /readyz says.
func ready(t testing.TB, addr netip.AddrPort) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr.String() + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(body))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tables := map[string]string{"CORE_TABLE": "c", "REGISTRATIONS_TABLE": "r"}
	for _, tt := range []struct {
		name string
		env  map[string]string
		bad  []string // what the error must name; none: no error
	}{
		{"Defaults", nil, nil},
		{"Everything", map[string]string{"SIP_ADDR": "[::1]:5070", "SIP_ADVERTISED_ADDR": "sip.example.com:5060", "HEALTH_ADDR": ":9", "SIP_DIGEST_ALGORITHMS": "sha-256 , md5",
			"SIP_MIN_EXPIRES": "1", "SIP_DEFAULT_EXPIRES": "1", "SIP_MAX_EXPIRES": "86400", "NONCE_KEY": strings.Repeat("0f", 16), "LOG_LEVEL": "debug"}, nil},
		{"AnyAddress", map[string]string{"SIP_ADDR": ":5060"}, nil},
		{"ReportsAllAtOnce", map[string]string{"SIP_ADDR": "x", "SIP_ADVERTISED_ADDR": "x", "HEALTH_ADDR": "x", "CORE_TABLE": "-", "REGISTRATIONS_TABLE": "-", "SIP_DIGEST_ALGORITHMS": "x",
			"SIP_MIN_EXPIRES": "x", "SIP_DEFAULT_EXPIRES": "0", "SIP_MAX_EXPIRES": "86401", "NONCE_KEY": "x", "LOG_LEVEL": "x"},
			[]string{"SIP_ADDR", "SIP_ADVERTISED_ADDR", "HEALTH_ADDR", "CORE_TABLE", "REGISTRATIONS_TABLE", "SIP_DIGEST_ALGORITHMS", "SIP_MIN_EXPIRES",
				"SIP_DEFAULT_EXPIRES", "SIP_MAX_EXPIRES", "NONCE_KEY", "LOG_LEVEL"}},
		{"HostName", map[string]string{"SIP_ADDR": "localhost:5060"}, []string{"SIP_ADDR"}},
		{"InjectedHeader", map[string]string{"SIP_ADVERTISED_ADDR": "x\r\nX: 1:5060"}, []string{"SIP_ADVERTISED_ADDR"}},
		{"SameAlgorithmTwice", map[string]string{"SIP_DIGEST_ALGORITHMS": "MD5,md5"}, []string{"SIP_DIGEST_ALGORITHMS"}},
		{"NoAlgorithm", map[string]string{"SIP_DIGEST_ALGORITHMS": "MD5,"}, []string{"SIP_DIGEST_ALGORITHMS"}},
		{"DefaultBelowMinimum", map[string]string{"SIP_MIN_EXPIRES": "4000"}, []string{"SIP_MIN_EXPIRES"}},
		{"ShortKey", map[string]string{"NONCE_KEY": "00112233"}, []string{"NONCE_KEY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(func(name string) string {
				if v, ok := tt.env[name]; ok {
					return strings.TrimPrefix(v, "-")
				}
				return tables[name]
			})
			if (err == nil) != (len(tt.bad) == 0) {
				t.Fatalf("got %v, want an error about %v", err, tt.bad)
			}
			for _, name := range tt.bad {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("got %v, want it to name %s", err, name)
				}
			}
			if err != nil && strings.Contains(err.Error(), "00112233") {
				t.Error("the error shows the key")
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	r := startEdge(t)
	for _, tt := range []struct {
		name   string
		change func(*config)
	}{
		{"SIPPortTaken", func(c *config) { c.sipAddr = r.SIP }},
		{"HealthPortTaken", func(c *config) { c.healthAddr = r.Health.String() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			tt.change(&cfg)
			if err := serve(context.Background(), cfg, slog.New(slog.DiscardHandler), backend{}, nil); err == nil {
				t.Error("got nil, want an error")
			}
		})
	}
	store := edgetest.NewStore(t)
	store.FailWith(func(string) (bool, error) { return false, errors.New("no such table") })
	if err := serve(context.Background(), testConfig(), slog.New(slog.DiscardHandler), backend{bindings: store}, nil); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("got %v, want the store's error", err)
	}
}

func TestRunReportsItsConfiguration(t *testing.T) {
	t.Parallel()
	err := run(context.Background(), func(string) string { return "" }, io.Discard, nil)
	if err == nil || !strings.Contains(err.Error(), "CORE_TABLE") || !strings.Contains(err.Error(), "REGISTRATIONS_TABLE") {
		t.Errorf("got %v, want it to name both tables", err)
	}
}

func TestIsReadyOnlyWhenItTakesPhones(t *testing.T) {
	t.Parallel()
	store := edgetest.NewStore(t)
	store.AddCredential(alice())
	s := &stream{broken: errors.New("no stream")}
	store.FailCall("PutLease", false)
	cfg := testConfig()
	socks, err := listen(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	e, err := build(cfg, slog.New(slog.DiscardHandler), backend{credentials: store, commands: store, bindings: store, tables: s, streams: s}, socks)
	if err != nil {
		t.Fatal(err)
	}
	health := addrPort(socks.health.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	started, done := make(chan addresses, 1), make(chan error, 1)
	go func() { done <- e.run(ctx, slog.New(slog.DiscardHandler), started) }()
	edgetest.Eventually(t, "health answers", func() bool { status, body := ready(t, health); return status == 503 && body == `{"status":"starting"}` })
	p := edgetest.NewPhone(t, "udp", socks.addr(), alice())
	p.Send(p.Request("OPTIONS"))
	edgetest.Eventually(t, "the lease is tried", func() bool { return store.Count("PutLease") > 0 })
	store.FailWith(nil)
	if res := p.Response(); res.StatusCode != 200 {
		t.Errorf("with a lease: got %d, want 200", res.StatusCode)
	}
	if status, body := ready(t, health); status != 503 {
		t.Errorf("without a stream: got %d %s, want 503", status, body)
	}
	s.mu.Lock()
	s.broken = nil
	s.mu.Unlock()
	select {
	case <-started:
	case <-time.After(10 * time.Second):
		t.Fatal("edge is not ready")
	}
	if status, body := ready(t, health); status != 200 || body != `{"status":"ready"}` {
		t.Errorf("got %d %s, want 200", status, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

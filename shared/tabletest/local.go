package tabletest

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dialplane/dialplane/scripts/dynamodblocal"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/table"
)

// server is the one DynamoDB Local of this process, started at first use.
var server = sync.OnceValues(func() (*dynamodblocal.Server, error) {
	started.Store(true)
	return dynamodblocal.Start(context.Background(), dynamodblocal.Options{Log: os.Stderr})
})

// started is true once server was called.
var started atomic.Bool

// Main runs the tests of a package that uses Local, ends the server if one was
// started, and ends the process:
//
//	func TestMain(m *testing.M) { tabletest.Main(m) }
func Main(m *testing.M) {
	status := m.Run()
	if started.Load() {
		if s, err := server(); err == nil {
			_ = s.Stop() // on Linux it ends with this process anyway
		}
	}
	os.Exit(status)
}

// Tables are new, empty tables on DynamoDB Local.
type Tables struct {
	Core          *table.Core
	Registrations *table.Registrations
	Secrets       *table.Secrets
	Client        *dynamodb.Client // of the tables; its requests go through Wire
	Wire          *Wire            // counts and breaks the requests of this test
	Names         Names
	Endpoint      string // URL of the server
}

// Names are what the tables are called.
type Names struct{ Core, Registrations, Secrets string }

// Local makes tables for one test on the server that DYNAMODB_ENDPOINT names,
// or on one that it starts, and removes them afterwards. Where there can be no
// server the test is skipped, and fails if CI is set.
func Local(t testing.TB) *Tables {
	t.Helper()
	s, err := server()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	wire := &Wire{next: transport}
	client := table.NewClient(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		HTTPClient:  &http.Client{Transport: wire, Timeout: 10 * time.Second},
		// As many attempts as by default, without the waits of a real network.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
			})
		},
	})
	prefix := "test-" + ident.Hex(6) + "-"
	names := Names{Core: prefix + "core", Registrations: prefix + "registrations", Secrets: prefix + "secrets"}
	if err := create(t.Context(), client, Definitions(names.Core, names.Registrations, names.Secrets)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		wire.Heal()
		for _, name := range []string{names.Core, names.Registrations, names.Secrets} {
			if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
				t.Errorf("delete table %s: %v", strings.TrimPrefix(name, prefix), err)
			}
		}
		transport.CloseIdleConnections()
	})
	wire.Reset()
	core := table.NewCore(client, names.Core)
	return &Tables{
		Core: core, Registrations: table.NewRegistrations(client, names.Registrations), Secrets: table.NewSecrets(core, names.Secrets),
		Client: client, Wire: wire, Names: names, Endpoint: s.Endpoint(),
	}
}

// Stores returns the tables as what they are stores of.
func (l *Tables) Stores() Stores {
	return Stores{Accounts: l.Core, Users: l.Core, Devices: l.Core, Commands: l.Core, Credentials: l.Core, Auth: l.Core,
		Vault: l.Secrets, Registrations: l.Registrations}
}

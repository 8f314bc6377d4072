// Package table keeps everything in DynamoDB. It is the only code that talks
// to it.
//
// A document, the names it claims and the command it causes are written in one
// transaction: they are there together or not at all. Two documents never hold
// one claim. A write that meets a newer revision is refused and changes
// nothing. A request that the SDK repeats, because an answer was lost, is
// applied once. What a caller reads is what was last written, except where a
// method says that the last second may be missing. Every method answers within
// 8 seconds.
//
// DESIGN.md lists the keys, and what each access costs.
package table

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Environment variables that name the tables.
const (
	CoreVariable          = "CORE_TABLE"
	RegistrationsVariable = "REGISTRATIONS_TABLE"
	SecretsVariable       = "SECRETS_TABLE"
)

const (
	// attemptWait bounds one HTTP request.
	attemptWait = 2 * time.Second
	// operationWait bounds one method of a store with all its requests and
	// retries, so that a function answers before its own 10 s are over.
	operationWait = 8 * time.Second
)

// base is what every table has.
type base struct {
	client *dynamodb.Client
	table  string
	now    func() time.Time
}

// Core is the table of documents, claims, credentials and commands.
type Core struct{ base }

// Registrations is the table of bindings and leases.
type Registrations struct{ base }

// Secrets is the table of the private signing key.
type Secrets struct {
	base
	core *Core
}

// NewCore returns the table of that name.
func NewCore(client *dynamodb.Client, name string) *Core { return &Core{newBase(client, name)} }

// NewRegistrations returns the table of that name.
func NewRegistrations(client *dynamodb.Client, name string) *Registrations {
	return &Registrations{newBase(client, name)}
}

// NewSecrets returns the table of that name. Public halves of keys go to core.
func NewSecrets(core *Core, name string) *Secrets {
	return &Secrets{base: newBase(core.client, name), core: core}
}

func newBase(client *dynamodb.Client, name string) base {
	return base{client: client, table: name, now: time.Now}
}

// Connect returns a client configured by the environment as the AWS SDKs
// document it: AWS_REGION, AWS_ENDPOINT_URL, credentials. The SDK retries as is
// its default.
func Connect(ctx context.Context) (*dynamodb.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	return NewClient(cfg), nil
}

// NewClient returns a client of cfg whose attempts are bounded in time. The
// client of cfg.HTTPClient, if it has one, is left as it is.
func NewClient(cfg aws.Config, options ...func(*dynamodb.Options)) *dynamodb.Client {
	if _, own := cfg.HTTPClient.(*awshttp.BuildableClient); own || cfg.HTTPClient == nil {
		client, _ := cfg.HTTPClient.(*awshttp.BuildableClient)
		if client == nil {
			client = awshttp.NewBuildableClient()
		}
		cfg.HTTPClient = client.WithTimeout(attemptWait)
	}
	return dynamodb.NewFromConfig(cfg, options...)
}

// shared is the one client of a process that opens its tables by the
// environment.
var shared = sync.OnceValues(func() (*dynamodb.Client, error) { return Connect(context.Background()) })

// OpenCore opens the table that CORE_TABLE names.
func OpenCore() (*Core, error) {
	client, name, err := open(CoreVariable)
	if err != nil {
		return nil, err
	}
	return NewCore(client, name), nil
}

// OpenRegistrations opens the table that REGISTRATIONS_TABLE names.
func OpenRegistrations() (*Registrations, error) {
	client, name, err := open(RegistrationsVariable)
	if err != nil {
		return nil, err
	}
	return NewRegistrations(client, name), nil
}

// OpenSecrets opens the table that SECRETS_TABLE names.
func OpenSecrets(core *Core) (*Secrets, error) {
	_, name, err := open(SecretsVariable)
	if err != nil {
		return nil, err
	}
	return NewSecrets(core, name), nil
}

func open(variable string) (*dynamodb.Client, string, error) {
	name := os.Getenv(variable)
	if name == "" {
		return nil, "", errors.New(variable + " is not set: it names a DynamoDB table")
	}
	client, err := shared()
	return client, name, err
}

// MustOpenCore is OpenCore for the start of a function: what is wrong is
// logged and ends the process.
func MustOpenCore() *Core { return must(OpenCore()) }

// MustOpenRegistrations is OpenRegistrations for the start of a function.
func MustOpenRegistrations() *Registrations { return must(OpenRegistrations()) }

// MustOpenSecrets is OpenSecrets for the start of a function.
func MustOpenSecrets(core *Core) *Secrets { return must(OpenSecrets(core)) }

func must[T any](opened T, err error) T {
	if err != nil {
		slog.Error("open table", "err", err)
		os.Exit(1)
	}
	return opened
}

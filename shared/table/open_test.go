package table

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
)

func configFor(client aws.HTTPClient) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://dynamodb.test"), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A function has 10 s. Whatever the store does, there is an answer before.
func TestOperationsEndInTime(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]func(context.Context, *Core) error{
		"read facts": func(ctx context.Context, c *Core) error {
			_, err := c.Facts(ctx, auth.Query{AccountID: "a"})
			return err
		},
		"revoke token": func(ctx context.Context, c *Core) error { return c.Revoke(ctx, "t", time.Now()) },
		"find account by name": func(ctx context.Context, c *Core) error {
			_, err := c.AccountByName(ctx, "n")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					<-req.Context().Done()
					return nil, req.Context().Err()
				})}
				begin := time.Now()
				err := operation(t.Context(), NewCore(NewClient(configFor(silent)), "core"))
				if got := time.Since(begin); got != operationWait {
					t.Errorf("got an answer after %v, want %v", got, operationWait)
				}
				if fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), name+" took longer than 8s") {
					t.Errorf("got %v, want unavailable, naming the operation", err)
				}
			})
		})
	}
}

// A server that accepts and never answers costs attemptWait, not everything:
// the SDK tries again.
func TestAttemptsEndInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dialled []time.Duration
		begin := time.Now()
		client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DisableKeepAlives = true
			tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
				dialled = append(dialled, time.Since(begin))
				near, far := net.Pipe()
				silent := len(dialled) == 1
				go func() {
					defer far.Close()
					if silent {
						_, _ = io.Copy(io.Discard, far)
						return
					}
					req, err := http.ReadRequest(bufio.NewReader(far))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					fmt.Fprint(far, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
				}()
				return near, nil
			}
		})
		if err := NewCore(NewClient(configFor(client)), "core").Revoke(t.Context(), "t", begin); err != nil {
			t.Fatal(err)
		}
		if len(dialled) != 2 || dialled[1] < attemptWait || dialled[1] > attemptWait+2*time.Second {
			t.Errorf("got attempts after %v, want the second soon after %v", dialled, attemptWait)
		}
	})
}

// answers replies to each request with the next text, and to all after the
// last with the last.
func answers(texts ...string) *http.Client {
	n := 0
	return &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		_ = req.Body.Close()
		text := texts[min(n, len(texts)-1)]
		n++
		return &http.Response{StatusCode: 200, Request: req, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}}, nil
	})}
}

func TestUnprocessedKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	const (
		lease = `{"Responses":{"regs":[{"pk":{"S":"EDGE#%s"},"sk":{"S":"LEASE"},"renewed":{"N":"1000"}}]}`
		rest  = `,"UnprocessedKeys":{"regs":{"Keys":[{"pk":{"S":"EDGE#b"},"sk":{"S":"LEASE"}}]}}}`
	)
	client := answers(fmt.Sprintf(lease, "a")+rest, fmt.Sprintf(lease, "b")+"}")
	got, err := NewRegistrations(NewClient(configFor(client)), "regs").Leases(t.Context(), []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, edge := range []string{"a", "b"} {
		if want := (registration.Lease{Edge: edge, Renewed: time.UnixMilli(1000).UTC()}); got[edge] != want {
			t.Errorf("got %+v, want %+v", got[edge], want)
		}
	}

	client = answers(`{"Responses":{}` + rest)
	_, err = NewRegistrations(NewClient(configFor(client)), "regs").Leases(t.Context(), []string{"b"})
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

// What another program wrote must not be taken for something else.
func TestUnreadableItemsAreErrors(t *testing.T) {
	t.Parallel()
	for name, item := range map[string]string{
		"NoDocument":     `{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"}}`,
		"BrokenDocument": `{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"},"doc":{"S":"{"}}`,
		"NoObject":       `{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"},"doc":{"S":"[]"}}`,
		"WrongType":      `{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"ACCOUNT"},"doc":{"S":"{}"},"rev":{"S":"x"}}`,
	} {
		client := answers(`{"Responses":{"core":[` + item + `]}}`)
		_, err := NewCore(NewClient(configFor(client)), "core").Facts(t.Context(), auth.Query{AccountID: "a"})
		if err == nil || fault.Of(err) != fault.Internal {
			t.Errorf("%s: got %v, want an internal error", name, err)
		}
	}
}

// Not parallel: it changes the environment.
func TestOpenNamesTheMissingVariable(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	opens := map[string]func() error{
		CoreVariable:          func() error { _, err := OpenCore(); return err },
		RegistrationsVariable: func() error { _, err := OpenRegistrations(); return err },
		SecretsVariable:       func() error { _, err := OpenSecrets(&Core{}); return err },
	}
	for variable, open := range opens {
		t.Setenv(variable, "")
		if err := open(); err == nil || !strings.HasPrefix(err.Error(), variable+" is not set") {
			t.Errorf("got %v, want an error that names %s", err, variable)
		}
		t.Setenv(variable, "name")
		if err := open(); err != nil {
			t.Errorf("%s: got %v, want success", variable, err)
		}
	}
	core, err := OpenCore()
	if err != nil || core.table != "name" {
		t.Errorf("got %+v and %v, want the table's name", core, err)
	}
}

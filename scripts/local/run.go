package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/dialplane/dialplane/scripts/dynamodblocal"
	"github.com/dialplane/dialplane/scripts/template"
	"golang.org/x/sync/errgroup"
)

// system is everything that runs.
type system struct {
	cfg      Config
	console  *console
	template *template.Template
	info     Info
	// stops end the parts; the part that was started last is ended first.
	stops []func()

	db       aws.Config
	tables   map[string]localTable
	scope    template.Scope    // what the template's intrinsic functions find
	binaries map[string]string // by folder
	targets  map[string]target // by function name
	server   *dynamodblocal.Server
	// sipAddr and healthAddr are the edge's, with the ports that were chosen.
	sipAddr, healthAddr string
}

// run starts everything, calls cfg.Ready and runs until ctx ends; it returns
// when everything has stopped. It returns nil after a clean stop, and an error
// if something could not start or DynamoDB ended.
func run(ctx context.Context, cfg Config, out io.Writer) error {
	if err := cfg.fill(); err != nil {
		return err
	}
	s := &system{cfg: cfg, console: newConsole(out, cfg), targets: map[string]target{}}
	defer s.stop()
	began := time.Now()
	if err := s.start(ctx); err != nil {
		return err
	}
	s.console.sayf("started in %.1f s", time.Since(began).Seconds())
	s.console.sayf("%s%s", screen(s.info), readyLine(s.info))
	if cfg.Ready != nil {
		cfg.Ready(s.info)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.server.Done():
		return errors.New("DynamoDB Local ended by itself; nothing works without it")
	}
}

// later registers how to end a part that has been started.
func (s *system) later(stop func()) { s.stops = append(s.stops, stop) }

func (s *system) stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
}

func (s *system) start(ctx context.Context) (err error) {
	// What fails fast comes first: the template, the addresses, the state.
	if s.template, err = template.Load(filepath.Join(s.cfg.Root, "template.yaml")); err != nil {
		return err
	}
	listener, err := s.claim(ctx)
	if err != nil {
		return err
	}
	lock, err := lockState(s.cfg.StateDir)
	if err != nil {
		return err
	}
	s.later(func() { _ = lock.Close() }) // the end of the process would do as well

	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.build(groupCtx) })
	group.Go(func() error { return s.startStore(groupCtx) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.startEdge(ctx); err != nil {
		return err
	}
	if err := s.startFunctions(); err != nil {
		return err
	}
	if err := s.startStreams(); err != nil {
		return err
	}
	return s.startGateway(listener)
}

// claim takes the addresses. The API's is held from now on: who asks early
// waits until there is an answer.
func (s *system) claim(ctx context.Context) (net.Listener, error) {
	listener, err := listen(ctx, "API_ADDR", s.cfg.APIAddr)
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = listener.Close() }) // an error says that the server closed it
	if s.sipAddr, err = claimSIP(ctx, "SIP_ADDR", s.cfg.SIPAddr); err != nil {
		return nil, err
	}
	s.healthAddr, err = claimTCP(ctx, "HEALTH_ADDR", s.cfg.HealthAddr)
	if err != nil {
		return nil, err
	}
	if _, err := claimTCP(ctx, "DYNAMODB_ADDR", s.cfg.DynamoDBAddr); err != nil {
		return nil, err
	}
	s.info = Info{APIURL: "http://" + reachable(listener.Addr().String()) + "/" + stage, SIPAddr: s.sipAddr, HealthAddr: s.healthAddr}
	return listener, nil
}

// reachable returns an address that a client here can use for one that a
// server listens on.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

func (s *system) build(ctx context.Context) error {
	folders := []string{edgeFolder}
	for _, f := range s.template.Functions {
		folders = append(folders, f.CodeURI)
	}
	s.console.sayf("building %d functions and the SIP edge", len(folders)-1)
	began := time.Now()
	var err error
	if s.binaries, err = build(ctx, s.cfg.Root, s.cfg.BuildDir, folders, s.console); err != nil {
		return err
	}
	s.console.sayf("built in %.1f s", time.Since(began).Seconds())
	return nil
}

// startStore starts DynamoDB, makes the tables and the demo account.
func (s *system) startStore(ctx context.Context) error {
	port, err := portOf(s.cfg.DynamoDBAddr)
	if err != nil {
		return err
	}
	// The server ends with its context, and must outlive ctx: it is stopped
	// last. Only while it starts does the end of ctx end it.
	serverCtx, endServer := context.WithCancel(context.WithoutCancel(ctx))
	s.later(endServer)
	release := context.AfterFunc(ctx, endServer)
	s.server, err = dynamodblocal.Start(serverCtx, dynamodblocal.Options{
		Dir: filepath.Join(s.cfg.StateDir, dynamoDBName), Tools: s.cfg.ToolsDir, Log: s.console, Port: port})
	release()
	if err != nil {
		return err
	}
	s.later(func() {
		if err := s.server.Stop(); err != nil {
			s.console.sayf("%v", err)
		}
	})
	s.info.DynamoDB = s.server.Endpoint()
	transport := &http.Transport{}
	s.later(transport.CloseIdleConnections)
	s.db = aws.Config{
		Region: localRegion, BaseEndpoint: aws.String(s.server.Endpoint()),
		HTTPClient: &http.Client{Transport: transport, Timeout: tableWait},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: localKeyID, SecretAccessKey: localSecret}, nil
		}),
	}
	client := dynamodb.NewFromConfig(s.db)
	s.tables, err = makeTables(ctx, client, s.template, s.cfg.TablePrefix)
	if errors.Is(err, errOtherShape) {
		return fmt.Errorf("%w. Delete %s and start again; what is stored there is lost", err, s.cfg.StateDir)
	}
	if err != nil {
		return err
	}
	s.scope = localScope(s.tables, s.info.DynamoDB, s.cfg.LogLevel)
	s.info.Tables = map[string]string{}
	for id, t := range s.tables {
		s.info.Tables[id] = t.name
	}
	return s.seed(ctx, client)
}

func (s *system) seed(ctx context.Context, client *dynamodb.Client) error {
	c, err := loadCredentials(s.cfg.StateDir)
	if err != nil {
		return err
	}
	if c == (Credentials{}) {
		c = newCredentials()
		if err := storeCredentials(s.cfg.StateDir, c); err != nil { // first: who dies on the way goes on with the same
			return err
		}
	}
	if err := s.cfg.seed(ctx, store{client: client, core: s.tables["CoreTable"].name}, c); err != nil {
		return fmt.Errorf("make the demo account: %w", err)
	}
	s.info.Credentials = c
	return nil
}

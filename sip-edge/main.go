// Command sip-edge keeps phones registered and sends them NOTIFYs.
//
// It serves SIP by UDP and TCP, keeps bindings in DynamoDB, and carries out the
// commands that the API leaves there. DESIGN.md says how, and what is lost when
// it dies. Its settings are in config.go. It ends with status 0 when it was
// told to stop and did.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/dialplane/dialplane/shared/table"
	"github.com/dialplane/dialplane/sip-edge/internal/sipserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout, nil); err != nil {
		fmt.Fprintln(os.Stderr, "sip-edge:", err)
		os.Exit(1)
	}
}

// addresses are where a started edge listens.
type addresses struct{ SIP, Health netip.AddrPort }

// run is main without the process: it returns when ctx ends or a part fails. It
// logs to out. If started is not nil it gets the bound addresses once the edge
// is ready. It may be called once a process, since sipgo has package variables.
func run(ctx context.Context, getenv func(string) string, out io.Writer, started chan<- addresses) error {
	cfg, err := loadConfig(getenv)
	if err != nil {
		return fmt.Errorf("configuration:\n%w", err)
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: cfg.logLevel}))
	sipserver.Configure(log)
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load AWS configuration: %w", err)
	}
	client := table.NewClient(aws)
	core := table.NewCore(client, cfg.coreTable)
	return serve(ctx, cfg, log, backend{
		credentials: core, commands: core, bindings: table.NewRegistrations(client, cfg.registrationsTable),
		tables: client, streams: dynamodbstreams.NewFromConfig(aws),
	}, started)
}

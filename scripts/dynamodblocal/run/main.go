// Command run starts an in-memory DynamoDB Local, runs a command against it
// and stops it. The command finds the server in DYNAMODB_ENDPOINT, and a region
// and credentials that open nothing at AWS. The exit status is the command's.
//
//	go run ./scripts/dynamodblocal/run -- go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/dialplane/dialplane/scripts/dynamodblocal"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run returns the exit status: the command's own, 128 + n if signal n ended
// it, and 1 if it could not be run.
func run(args []string, log io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(log, "usage: run -- command [argument ...]")
		return 2
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-started:
		}
	}()
	server, err := dynamodblocal.Start(ctx, dynamodblocal.Options{Log: log})
	close(started)
	if err != nil {
		fmt.Fprintln(log, err)
		return 1
	}
	status := child(args, server.Endpoint(), signals, log)
	if err := server.Stop(); err != nil {
		fmt.Fprintln(log, err)
		return max(status, 1)
	}
	return status
}

// child runs the command, hands the signals on to it and returns its status.
func child(args []string, endpoint string, signals <-chan os.Signal, log io.Writer) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), dynamodblocal.EndpointVariable+"="+endpoint,
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_SESSION_TOKEN=")
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(log, err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // fails only if it has ended
		case err := <-ended:
			return statusOf(err, log)
		}
	}
}

func statusOf(err error, log io.Writer) int {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		fmt.Fprintln(log, err)
		return 1
	}
	if err == nil {
		return 0
	}
	if how, ok := exit.Sys().(syscall.WaitStatus); ok && how.Signaled() {
		return 128 + int(how.Signal())
	}
	return exit.ExitCode()
}

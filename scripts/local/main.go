// Command local runs the whole of dialplane on this machine: DynamoDB Local
// with the tables of template.yaml, the real function binaries behind stand-ins
// for API Gateway, the Lambda Runtime API and the DynamoDB event source
// mapping, and the SIP edge. It needs no AWS account and talks to none.
//
// What is stored survives a restart, and so do the demo account's credentials.
// Ctrl-C or SIGTERM stops everything in order and leaves no process behind; a
// second one kills what is left. Config lists the settings; all come from the
// environment.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(mainStatus()) }

// mainStatus returns the exit status: 0 after a clean stop.
func mainStatus() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	kill := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Println("stopping; once more to kill what is left")
		cancel()
		<-signals
		signal.Stop(signals) // a third one ends the runner
		close(kill)
	}()
	if err := start(ctx, kill); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "dialplane:", err)
		return 1
	}
	return 0
}

func start(ctx context.Context, kill <-chan struct{}) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	root, err := findRoot(dir)
	if err != nil {
		return err
	}
	cfg, err := configFrom(os.Getenv, root, terminal(os.Stdout))
	if err != nil {
		return err
	}
	cfg.Kill = kill
	return run(ctx, cfg, os.Stdout)
}

// terminal reports whether the file is one.
func terminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

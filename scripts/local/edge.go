package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	// edgeStart is how long the edge may take to be ready.
	edgeStart = 20 * time.Second
	// edgeDrain is longer than the edge takes to drain, as ECS's StopTimeout.
	edgeDrain = 30 * time.Second
	// edgeSteady is how long an edge must have run for its next death not to
	// count as one more in a row.
	edgeSteady = time.Minute
	// readyPeriod is how often a starting edge is asked whether it is ready.
	readyPeriod = 25 * time.Millisecond
)

// edge keeps one SIP edge running.
type edge struct {
	command command
	health  string // host:port of its health endpoint
	out     *source
	log     *slog.Logger
	kill    <-chan struct{}
	sleep   func(ctx context.Context, d time.Duration) error
}

// start starts the edge and waits until it is ready.
func (e *edge) start(ctx context.Context) (*process, error) {
	p, err := startProcess(e.command, e.out, e.kill)
	if err != nil {
		return nil, err
	}
	if err := e.awaitReady(ctx, p); err != nil {
		p.stop(0)
		return nil, err
	}
	return p, nil
}

func (e *edge) awaitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, edgeStart)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(readyPeriod)
	defer tick.Stop()
	for {
		err := askReady(ctx, &client, e.health)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the SIP edge ended at once: %s%s", p.ending(), lastWords(e.out))
		case <-ctx.Done():
			return fmt.Errorf("the SIP edge is not ready within %v: %w%s", edgeStart, err, lastWords(e.out))
		case <-tick.C:
		}
	}
}

// askReady returns nil if the edge says that it takes phones.
func askReady(ctx context.Context, client *http.Client, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// run keeps the edge p going until ctx ends, then lets it drain and waits
// until it is gone. An edge that dies is started again after a pause that
// doubles while it keeps dying.
func (e *edge) run(ctx context.Context, p *process) {
	deaths, began := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			if p.stop(edgeDrain) {
				e.log.Warn("the SIP edge had to be killed")
			}
			return
		case <-p.done:
		}
		if time.Since(began) > edgeSteady {
			deaths = 0
		}
		for {
			deaths++
			pause := backoff(deaths)
			e.log.Error("the SIP edge died and is started again", "ending", p.ending(), "pause_s", pause.Seconds(),
				"last_lines", strings.Join(e.out.lastLines(), "\n"))
			if e.sleep(ctx, pause) != nil {
				return
			}
			next, err := e.start(ctx)
			if err == nil {
				p, began = next, time.Now()
				e.log.Info("the SIP edge runs again")
				break
			}
			if ctx.Err() != nil {
				return
			}
			e.log.Error("the SIP edge does not start", "err", err)
		}
	}
}

// lastWords is the end of a process's output, for an error.
func lastWords(out *source) string {
	lines := out.lastLines()
	if len(lines) == 0 {
		return ""
	}
	return "; its last lines:\n  " + strings.Join(lines, "\n  ")
}

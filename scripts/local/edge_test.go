package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testEdge starts the edge of the test system, or what path names.
func testEdge(t *testing.T, path string) (*edge, *lockedBuffer) {
	t.Helper()
	health, err := claimTCP(context.Background(), "HEALTH_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &lockedBuffer{}
	c := newConsole(out, Config{})
	return &edge{
		command: command{name: edgeFolder, path: path, env: []string{"HEALTH_ADDR=" + health, "PATH=/usr/bin:/bin"}}, health: health,
		out: c.source(edgeFolder), log: c.logger("runner"),
		sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}, out
}

func TestEdgeIsStartedAgainAndDrains(t *testing.T) {
	t.Parallel()
	e, out := testEdge(t, binary(t, edgeFolder))
	ctx, cancel := context.WithCancel(context.Background())
	p, err := e.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.run(ctx, p)
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Post("http://"+e.health+"/die", "", nil); err == nil {
		resp.Body.Close()
	}
	waitForOutput(t, out, "the SIP edge died and is started again ending=\"exit status 7\"")
	waitForOutput(t, out, "the SIP edge runs again")
	if err := askReady(ctx, &client, e.health); err != nil {
		t.Errorf("the second edge: %v", err)
	}
	cancel()
	<-done
	for _, want := range []string{"these are my last words", "edge drained"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want %q in it", out, want)
		}
	}
	if askReady(context.Background(), &client, e.health) == nil {
		t.Error("an edge is left behind")
	}
}

func TestEdgeThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	e, _ := testEdge(t, script(t, "echo CORE_TABLE is not set; exit 4"))
	_, err := e.start(context.Background())
	if err == nil || !strings.Contains(err.Error(), "ended at once: exit status 4; its last lines:\n  CORE_TABLE is not set") {
		t.Errorf("got %v", err)
	}
	stuck, _ := testEdge(t, script(t, "exec sleep 60"))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := stuck.start(ctx); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("got %v", err)
	}
}

func TestEdgeThatKeepsDyingIsGivenUpWhenTheSystemStops(t *testing.T) {
	t.Parallel()
	e, out := testEdge(t, binary(t, edgeFolder))
	ctx, cancel := context.WithCancel(context.Background())
	p, err := e.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e.command.path = script(t, "exit 5") // all later ones fail
	deaths := 0
	e.sleep = func(ctx context.Context, d time.Duration) error {
		if deaths++; d != backoff(deaths) {
			t.Errorf("pause %d: got %v, want %v", deaths, d, backoff(deaths))
		}
		if deaths == 3 {
			cancel()
		}
		return ctx.Err()
	}
	p.stop(0)
	e.run(ctx, p)
	if !strings.Contains(out.String(), "the SIP edge does not start") {
		t.Errorf("got %s", out)
	}
}

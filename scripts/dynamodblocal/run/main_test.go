package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Not parallel: it sets the environment.
func TestRunReturnsTheStatusOfItsCommand(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	t.Setenv("DYNAMODB_ENDPOINT", server.URL)
	t.Setenv("AWS_SESSION_TOKEN", "real")
	t.Setenv("WANT", server.URL)
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"Success", []string{"--", "true"}, 0, ""},
		{"Failure", []string{"--", "sh", "-c", "exit 7"}, 7, ""},
		{"Killed", []string{"--", "sh", "-c", "kill -KILL $$"}, 137, ""},
		{"Environment", []string{"sh", "-c",
			`test "$DYNAMODB_ENDPOINT $AWS_REGION $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN" = "$WANT us-east-1 local local "`}, 0, ""},
		{"NoCommand", []string{"--"}, 2, "usage"},
		{"NoSuchCommand", []string{"--", t.TempDir() + "/missing"}, 1, "missing"},
	} {
		var log bytes.Buffer
		if got := run(c.args, &log); got != c.status || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: got status %d and %q, want %d and %q", c.name, got, log.String(), c.status, c.says)
		}
	}
}

func TestSignalsGoToTheCommand(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	var log bytes.Buffer
	if got := child([]string{"sleep", "60"}, "", signals, &log); got != 128+int(syscall.SIGTERM) {
		t.Errorf("got status %d, want that of a command ended by SIGTERM: %s", got, log.String())
	}
}

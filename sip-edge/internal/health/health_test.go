package health

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, path string
		set                func(*Server)
		status             int
		body               string
	}{
		{"Alive", "GET", "/healthz", func(*Server) {}, 200, `{"status":"ok"}`},
		{"AliveWhileDraining", "GET", "/healthz", (*Server).Drain, 200, `{"status":"ok"}`},
		{"NotReadyAtFirst", "GET", "/readyz", func(*Server) {}, 503, `{"status":"starting"}`},
		{"Ready", "GET", "/readyz", (*Server).Ready, 200, `{"status":"ready"}`},
		{"ReadyByHead", "HEAD", "/readyz", (*Server).Ready, 200, `{"status":"ready"}`},
		{"Draining", "GET", "/readyz", (*Server).Drain, 503, `{"status":"draining"}`},
		{"DrainsForGood", "GET", "/readyz", func(s *Server) { s.Drain(); s.Ready() }, 503, `{"status":"draining"}`},
		{"OtherPath", "GET", "/", (*Server).Ready, 404, `{"status":"not found"}`},
		{"OtherMethod", "POST", "/readyz", (*Server).Ready, 405, `{"status":"method not allowed"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &Server{}
			tt.set(s)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
			if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.body || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("got %d %s %q, want %d %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.status, tt.body)
			}
		})
	}
}

func TestServesUntilStopped(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- new(Server).Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 200 || !strings.Contains(string(body), "ok") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got %v, want nil after a stop", err)
	}
}

func TestBrokenListenerIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := new(Server).Serve(context.Background(), l); err == nil {
		t.Error("got nil, want an error")
	}
}

// Package health tells load balancers and people whether the edge takes phones.
//
// GET /healthz answers 200 while the process works. GET /readyz answers 200 only
// while the edge takes phones, else 503, also while it drains. Both answer JSON:
// {"status": "ok"}, or "starting", "ready", "draining".
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The states of an edge, in their order.
const (
	starting int32 = iota
	ready
	draining
)

var names = [...]string{"starting", "ready", "draining"}

// Server is the health of one edge. The zero value is starting.
type Server struct{ state atomic.Int32 }

// Ready tells that the edge takes phones. It does nothing once it drains.
func (s *Server) Ready() { s.state.CompareAndSwap(starting, ready) }

// Drain tells that the edge takes no new phones, for good.
func (s *Server) Drain() { s.state.Store(draining) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, name := http.StatusOK, "ok"
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		status, name = http.StatusMethodNotAllowed, "method not allowed"
		w.Header().Set("Allow", "GET, HEAD")
	case r.URL.Path == "/healthz":
	case r.URL.Path == "/readyz":
		state := s.state.Load()
		if name = names[state]; state != ready {
			status = http.StatusServiceUnavailable
		}
	default:
		status, name = http.StatusNotFound, "not found"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": name}) // the client may be gone
}

// Serve answers on l until ctx ends, and closes it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health: %w", err)
	}
	return nil
}

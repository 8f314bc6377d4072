package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/emiago/sipgo/sip"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/table"
	"github.com/dialplane/dialplane/sip-edge/internal/changes"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
	"github.com/dialplane/dialplane/sip-edge/internal/health"
	"github.com/dialplane/dialplane/sip-edge/internal/notifier"
	"github.com/dialplane/dialplane/sip-edge/internal/registrar"
	"github.com/dialplane/dialplane/sip-edge/internal/sipserver"
)

// idleMargin is how much longer than the longest expiry a registered phone's
// TCP connection may be silent.
const idleMargin = time.Minute

// backend is everything that an edge needs from outside.
type backend struct {
	credentials credential.Store
	commands    command.Store
	bindings    registration.Store
	tables      changes.Tables
	streams     changes.Streams
}

// edge is the parts of one start of the edge.
type edge struct {
	id       string
	health   *health.Server
	lease    registrar.Lease
	register *registrar.Registrar
	notify   *notifier.Notifier
	feed     *changes.Reader
	server   *sipserver.Server
	sockets  sockets
}

// serve runs an edge until ctx ends or a part fails.
func serve(ctx context.Context, cfg config, log *slog.Logger, from backend, started chan<- addresses) error {
	// Sockets first: a port that is taken fails the start, not the first call.
	socks, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	e, err := build(cfg, log, from, socks)
	if err != nil {
		return errors.Join(err, socks.close())
	}
	return e.run(ctx, log, started)
}

// build makes the parts and joins them.
func build(cfg config, log *slog.Logger, from backend, socks sockets) (*edge, error) {
	e := &edge{id: ident.New(), health: new(health.Server), sockets: socks}
	log = log.With("edge", e.id)
	var err error
	if e.server, err = sipserver.New(log, cfg.maxExpires+idleMargin); err != nil {
		return nil, err
	}
	e.lease = registrar.Lease{Edge: e.id, Store: from.bindings, Now: time.Now, Log: log}
	e.register = registrar.New(registrar.Config{
		Edge: e.id, Credentials: from.credentials, Bindings: from.bindings, Now: time.Now, Log: log,
		Digest:     digest.New(cfg.nonceKey, cfg.algorithms, time.Now),
		MinExpires: cfg.minExpires, DefaultExpires: cfg.defaultExpires, MaxExpires: cfg.maxExpires,
		Fresh: func(accountID, deviceID string) { e.notify.Fresh(accountID, deviceID) }, Trust: e.server.Trust,
	})
	e.notify = notifier.New(notifier.Config{
		Edge: e.id, Commands: from.commands, Bindings: e.register, Now: time.Now, Log: log,
		Phones: &notifier.Sender{
			Edge: e.id, UserAgent: e.server.UserAgent(), Credentials: from.credentials, Now: time.Now,
			UDP: socks.addr(), Advertised: cfg.advertised,
		},
	})
	e.feed = &changes.Reader{
		Table: cfg.coreTable, Tables: from.tables, Streams: from.streams, Log: log,
		Inserted: func(pk, sk string) {
			if item, ok := table.ParseKey(pk, sk); ok && item.Kind == table.KindCommand {
				e.notify.Enqueue(command.Ref{AccountID: item.AccountID, DeviceID: item.DeviceID, ID: item.ID})
			}
		},
	}
	e.server.Handle(sip.REGISTER, e.register.Handle)
	return e, nil
}

// run starts the parts, waits, and stops them in this order: first what takes
// up work, then, when the work in hand is done, what it needs.
func (e *edge) run(ctx context.Context, log *slog.Logger, started chan<- addresses) error {
	// The sockets outlive the work: a NOTIFY in flight needs its 200 OK.
	below, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	base, failed := errgroup.WithContext(below)
	base.Go(func() error { return e.health.Serve(failed, e.sockets.health) })

	work, stopWork := context.WithCancel(ctx)
	defer stopWork()
	defer context.AfterFunc(failed, stopWork)() // the health endpoint, or a socket, is broken
	defer context.AfterFunc(work, e.health.Drain)()

	// Before the first binding there must be a lease.
	err := e.lease.Start(work)
	if err == nil {
		base.Go(func() error { return e.lease.Run(failed) })
		base.Go(func() error { return e.register.Run(failed) })
		base.Go(func() error { return e.server.Serve(failed, e.sockets.udp, e.sockets.tcp) })
		select {
		case <-e.server.Reading(): // before that nothing can be sent
		case <-work.Done():
		}
		workers, running := errgroup.WithContext(work)
		workers.Go(func() error { return e.notify.Run(running) })
		workers.Go(func() error {
			return e.feed.Run(running, func() {
				e.health.Ready()
				at := addresses{SIP: e.sockets.addr(), Health: addrPort(e.sockets.health.Addr())}
				log.Info("ready", "sip_addr", at.SIP.String(), "health_addr", at.Health.String(), "edge", e.id)
				if started != nil {
					started <- at
				}
			})
		})
		err = workers.Wait()
		log.Info("drained", "edge", e.id)
		defer e.giveUp(ctx, log)
	} else if ctx.Err() != nil {
		err = nil // it was told to stop while it waited for the store
	}
	stopBelow()
	return errors.Join(err, base.Wait(), e.sockets.close())
}

// giveUp marks the lease when no more phones are served.
func (e *edge) giveUp(ctx context.Context, log *slog.Logger) {
	if err := e.lease.Stop(context.WithoutCancel(ctx)); err != nil {
		log.Warn("lease not given up", "edge", e.id, "err", err)
	}
	log.Info("stopped", "edge", e.id)
}

// sockets are what an edge listens on.
type sockets struct {
	udp    *net.UDPConn
	tcp    net.Listener
	health net.Listener
}

// maxBinds bounds the tries to find a port that is free for UDP and TCP.
const maxBinds = 20

// listen binds UDP and TCP to one port, and the health endpoint to its own.
func listen(ctx context.Context, cfg config) (s sockets, err error) {
	lc := net.ListenConfig{}
	if s.health, err = lc.Listen(ctx, "tcp", cfg.healthAddr); err != nil {
		return s, fmt.Errorf("listen for health checks: %w", err)
	}
	version := "6"
	if cfg.sipAddr.Addr().Is4() {
		version = "4" // else 0.0.0.0 would be IPv6, too
	} else if cfg.sipAddr.Addr().IsUnspecified() {
		version = "" // both
	}
	for tries := 1; ; tries++ {
		if s.udp, err = net.ListenUDP("udp"+version, net.UDPAddrFromAddrPort(cfg.sipAddr)); err != nil {
			return s, errors.Join(fmt.Errorf("listen for SIP: %w", err), s.health.Close())
		}
		if s.tcp, err = lc.Listen(ctx, "tcp"+version, s.addr().String()); err == nil {
			return s, nil
		}
		_ = s.udp.Close()
		if cfg.sipAddr.Port() != 0 || tries == maxBinds {
			return s, errors.Join(fmt.Errorf("listen for SIP: %w", err), s.health.Close())
		}
	}
}

// addr returns the SIP address.
func (s sockets) addr() netip.AddrPort { return addrPort(s.udp.LocalAddr()) }

// close closes what nobody has closed yet.
func (s sockets) close() error {
	var errs []error
	for _, c := range []interface{ Close() error }{s.udp, s.tcp, s.health} {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func addrPort(addr net.Addr) netip.AddrPort {
	switch addr := addr.(type) {
	case *net.UDPAddr:
		return addr.AddrPort()
	case *net.TCPAddr:
		return addr.AddrPort()
	}
	return netip.AddrPort{}
}

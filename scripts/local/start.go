package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// gatewayDrain is how long requests in flight may take when the system stops.
const gatewayDrain = 5 * time.Second

func (s *system) startEdge(ctx context.Context) error {
	env := baseEnvironment(s.info.DynamoDB)
	maps.Copy(env, map[string]string{
		"SIP_ADDR": s.sipAddr, "HEALTH_ADDR": s.healthAddr, "LOG_LEVEL": s.cfg.LogLevel,
		"CORE_TABLE": s.tables["CoreTable"].name, "REGISTRATIONS_TABLE": s.tables["RegistrationsTable"].name,
	})
	out := s.console.source(edgeFolder)
	e := &edge{
		command: command{name: edgeFolder, path: s.binaries[edgeFolder], dir: s.cfg.StateDir, env: append(flatten(env), s.cfg.Edge...)},
		health:  s.healthAddr, out: out, log: s.console.logger("runner"), kill: s.cfg.Kill, sleep: sleep,
	}
	p, err := e.start(ctx)
	if err != nil {
		return err
	}
	edgeCtx, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { e.run(edgeCtx, p) })
	s.later(func() { end(); running.Wait() })
	return nil
}

// startFunctions makes the functions ready to be invoked; their processes are
// started on first use.
func (s *system) startFunctions() error {
	var functions []*function
	s.later(func() {
		var stops sync.WaitGroup
		for _, f := range functions {
			stops.Go(f.stop)
		}
		stops.Wait()
	})
	for _, f := range s.template.Functions {
		if holds, err := s.template.Holds(f.Condition, s.scope); err != nil || !holds {
			if err != nil {
				return err
			}
			continue
		}
		env, err := functionEnvironment(s.template, f, s.scope, s.info.DynamoDB)
		if err != nil {
			return err
		}
		for _, other := range f.Others {
			s.console.logger("runner").Warn("an event of this type is not raised locally", "function", f.Name(), "event", other.Event, "type", other.Type)
		}
		c := command{name: f.Name(), path: s.binaries[f.CodeURI], dir: filepath.Dir(s.binaries[f.CodeURI]), env: env}
		local := newFunction(functionARN(f.Name()), c, f.Timeout, lambdaLimits, s.console.source(f.Name()), s.cfg.Kill)
		functions = append(functions, local)
		s.targets[f.Name()] = target{name: f.Name(), invoke: local.invoke}
	}
	return nil
}

// startStreams starts an event source mapping for each stream event.
func (s *system) startStreams() error {
	ctx, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	s.later(func() { end(); running.Wait() })
	letters := &deadLetterFile{path: filepath.Join(s.cfg.StateDir, deadLettersName)}
	client := dynamodbstreams.NewFromConfig(s.db)
	for _, f := range s.template.Functions {
		t, runs := s.targets[f.Name()]
		for _, spec := range f.Streams {
			if spec.Disabled || !runs {
				continue
			}
			arn, err := s.template.Resolve(spec.Source, s.scope)
			if err != nil {
				return err
			}
			marks, err := openCheckpoint(filepath.Join(s.cfg.StateDir, streamsName, resourceName(f.Name())+"-"+spec.Event+".json"), arn)
			if err != nil {
				return err
			}
			patterns, err := parseFilters(spec.Filters)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", s.template.Path, spec.Line, err)
			}
			m := &mapping{
				target: t, spec: spec, stream: arn, filters: patterns, reader: dynamoStream{client: client, arn: arn}, marks: marks,
				giveUp: letters.add, log: s.console.logger("streams"), now: time.Now, sleep: sleep,
			}
			running.Go(func() { m.run(ctx) })
		}
	}
	return nil
}

func (s *system) startGateway(listener net.Listener) error {
	g := newGateway(s.console.logger("gateway"))
	for _, f := range s.template.Functions {
		t, runs := s.targets[f.Name()]
		for _, route := range f.Routes {
			if !runs {
				continue
			}
			if err := g.route(route.Method, route.Path, t); err != nil {
				return fmt.Errorf("%s:%d: %w", s.template.Path, route.Line, err)
			}
		}
	}
	server := g.server()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // always ErrServerClosed, after Shutdown or Close
	s.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), gatewayDrain)
		defer cancel()
		go func() {
			select {
			case <-s.cfg.Kill:
				cancel()
			case <-ctx.Done():
			}
		}()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // its only error is that of closing the listener
		}
		serving.Wait()
	})
	return nil
}

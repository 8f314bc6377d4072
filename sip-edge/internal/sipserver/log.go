package sipserver

import (
	"context"
	"log/slog"
)

// quiet returns a logger for sipgo, whose messages are mostly about what peers
// did wrong: it logs them at debug level, whatever sipgo calls them, and leaves
// out whole SIP messages, which hold the answers to digest challenges.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(quietHandler{log.With("component", "sipgo").Handler()})
}

type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, slog.LevelDebug, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "data", "error": // a parser's error quotes the line
		default:
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}

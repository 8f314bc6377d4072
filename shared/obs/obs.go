// Package obs sets up the logs that every process writes the same way: JSON
// lines with snake_case keys, and `err` for an error.
package obs

import (
	"io"
	"log/slog"
)

// Logger returns a logger that writes to out. LOG_LEVEL is debug, info, warn
// or error; anything else is info.
func Logger(out io.Writer, getenv func(string) string) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(getenv("LOG_LEVEL"))); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
}

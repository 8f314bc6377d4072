package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// console puts the lines of many processes on one writer, each line whole.
// For people a line starts with the name of who wrote it and JSON is rendered
// short; for programs every line is a JSON object with a source.
type console struct {
	json  bool
	color bool
	now   func() time.Time

	mu  sync.Mutex
	out io.Writer // guarded by mu
}

func newConsole(out io.Writer, cfg Config) *console {
	return &console{json: cfg.JSONLogs, color: cfg.Color, now: time.Now, out: out}
}

// sayf writes a line of the runner itself: progress and the first screen.
func (c *console) sayf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, format+"\n", args...)
}

// Write takes progress lines of packages that are given a writer.
func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(b)
}

// line writes one line of source.
func (c *console) line(source string, raw []byte) {
	var text string
	if c.json {
		text = jsonLine(source, raw, c.now())
	} else {
		text = c.humanLine(source, raw)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.out, text+"\n")
}

// jsonLine adds the name of the process to a JSON object; another line becomes the message
// of one.
func jsonLine(source string, raw []byte, now time.Time) string {
	head, _ := json.Marshal(source)
	raw = bytes.TrimSpace(raw)
	if len(raw) > 2 && raw[0] == '{' && json.Valid(raw) {
		return `{"process":` + string(head) + "," + strings.TrimLeft(string(raw[1:]), " ")
	}
	text, _ := json.Marshal(map[string]any{"process": source, "time": now.UTC().Format(time.RFC3339Nano), "msg": string(raw)})
	return string(text)
}

// source returns the writer for the output of the named process.
func (c *console) source(name string) *source { return &source{console: c, name: name} }

// logger returns a logger of the runner's own parts, rendered like the rest.
func (c *console) logger(name string) *slog.Logger {
	return slog.New(slog.NewJSONHandler(c.source(name), nil))
}

const (
	// maxLine is where a line without an end is cut, in bytes: the size of the
	// largest CloudWatch log event.
	maxLine = 256 << 10
	// keptLines is how many of a process's last lines are kept for the report
	// of its death.
	keptLines = 12
)

// source cuts what one process writes into lines.
type source struct {
	console *console
	name    string

	mu      sync.Mutex
	partial []byte   // guarded by mu; a line without its end yet
	last    []string // guarded by mu; the last lines
}

// Write takes output in pieces of any size.
func (s *source) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		s.partial = append(s.partial, line...)
		if whole || len(s.partial) > maxLine {
			s.emit()
		}
		b = rest
	}
	return n, nil
}

// flush writes a last line that has no end.
func (s *source) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.partial) > 0 {
		s.emit()
	}
}

// emit needs s.mu.
func (s *source) emit() {
	line := s.partial[:min(len(s.partial), maxLine)]
	s.last = append(s.last, string(line))
	s.last = s.last[max(0, len(s.last)-keptLines):]
	s.console.line(s.name, line)
	s.partial = s.partial[:0]
}

// lastLines returns the end of what was written.
func (s *source) lastLines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.last...)
}

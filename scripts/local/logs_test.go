package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHumanLines(t *testing.T) {
	t.Parallel()
	const at = `"time":"2026-01-02T03:04:05.678Z"`
	clock := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC).Local().Format("15:04:05.000")
	tests := []struct{ name, line, want string }{
		{"Request", `{` + at + `,"level":"INFO","msg":"request","function":"devices/get","method":"GET","route":"GET /devices/{id}","status":200,"duration_ms":3.25,"request_id":"r","device_id":"d"}`,
			clock + " GET /devices/{id} 200 3.25 ms device_id=d"},
		{"FailedRequest", `{` + at + `,"level":"ERROR","msg":"request","method":"GET","route":"/x","status":500,"request_id":"r","err":"no table"}`,
			clock + " ERROR GET /x 500 no table request_id=r"},
		{"Event", `{` + at + `,"level":"WARN","msg":"batch failed","records":3,"note":"two words"}`,
			clock + ` WARN batch failed records=3 note="two words"`},
		{"NoTime", `{"msg":"hello","empty":"","list":["a"],"on":true,"nil":null}`, ` hello list=["a"] on=true nil=null`},
		{"NoMessage", `{"a":1}`, `{"a":1}`},
		{"Text", "plain words", "plain words"},
		{"BrokenJSON", `{"msg":"x"`, `{"msg":"x"`},
		{"TerminalEscapes", "a\x1b[2Jb\rc", `a\x1b[2Jb\rc`},
		{"TerminalEscapesInValues", `{"level":"INFO","msg":"m\u001b[2J","k":"v\u001b"}`, `m\x1b[2J k=v\x1b`},
		{"LineBreaksInValues", `{"level":"INFO","msg":"one\ntwo"}`, "one\n" + strings.Repeat(" ", nameWidth+1) + "two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := &lockedBuffer{}
			fmt.Fprintln(newConsole(out, Config{}).source("devices/get"), tt.line)
			want := fmt.Sprintf("%-*s %s\n", nameWidth, "devices/get", strings.TrimPrefix(tt.want, " "))
			if got := out.String(); got != want {
				t.Errorf("got\n%q, want\n%q", got, want)
			}
		})
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	out := &lockedBuffer{}
	c := newConsole(out, Config{Color: true})
	fmt.Fprintln(c.source("devices/get"), `{"level":"ERROR","msg":"request","method":"GET","status":503,"err":"bad"}`)
	fmt.Fprintln(c.source("devices/get"), `{"level":"WARN","msg":"careful","status":404}`)
	got := out.String()
	for _, want := range []string{colorRed + "ERROR" + colorReset, colorRed + "503" + colorReset, colorRed + "bad" + colorReset, colorYellow + "WARN", colorYellow + "404"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	names := strings.Split(got, "devices/get")
	if len(names) != 3 || !slices.Contains(nameColors, names[0]) || !strings.HasSuffix(names[1], "\n"+names[0]) {
		t.Errorf("got %q, want the name in the same colour twice", got)
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	out := &lockedBuffer{}
	c := newConsole(out, Config{JSONLogs: true})
	c.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	fmt.Fprint(c.source("a/b"), "{\"msg\":\"x\"}\nwords \"quoted\"\n{}\n{\"broken\n")
	want := []string{
		`{"process":"a/b","msg":"x"}`,
		`{"process":"a/b","time":"2026-01-02T03:04:05Z","msg":"words \"quoted\""}`,
		`{"process":"a/b","time":"2026-01-02T03:04:05Z","msg":"{}"}`,
		`{"process":"a/b","time":"2026-01-02T03:04:05Z","msg":"{\"broken"}`,
	}
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d: %q", len(got), len(want), got)
	}
	for i, line := range got {
		checkJSON(t, []byte(line), want[i])
	}
}

func TestSourceCutsLines(t *testing.T) {
	t.Parallel()
	out := &lockedBuffer{}
	s := newConsole(out, Config{}).source("x")
	for _, piece := range []string{"on", "e\ntw", "o\n\nthr", "ee"} {
		fmt.Fprint(s, piece)
	}
	s.flush()
	s.flush() // nothing is left
	if got, want := s.lastLines(), []string{"one", "two", "", "three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	fmt.Fprint(s, strings.Repeat("y", maxLine+10))
	if last := s.lastLines(); len(last[len(last)-1]) != maxLine {
		t.Errorf("a line without an end has %d bytes, want %d", len(last[len(last)-1]), maxLine)
	}
	for i := range 3 * keptLines {
		fmt.Fprintln(s, i)
	}
	if got := s.lastLines(); len(got) != keptLines || got[keptLines-1] != fmt.Sprint(3*keptLines-1) {
		t.Errorf("got last lines %q", got)
	}
}

func TestLinesOfManyStayWhole(t *testing.T) {
	t.Parallel()
	out := &lockedBuffer{}
	c := newConsole(out, Config{JSONLogs: true})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s := c.source(fmt.Sprint(i))
			for range 50 {
				fmt.Fprint(s, `{"msg":"`, strings.Repeat("z", 100), "\"}\n")
			}
		})
	}
	all.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 400 {
		t.Errorf("got %d lines, want 400", len(lines))
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("a line is torn: %q", line)
		}
	}
}

// Whatever a process writes, a terminal gets nothing but text.
func FuzzHumanLine(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"m","a":{"b":[1]}}`))
	f.Add([]byte("\x1b]0;title\x07"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := newConsole(&lockedBuffer{}, Config{})
		for _, r := range c.humanLine("x", raw) {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x9b {
				t.Fatalf("control character %U of %q is passed on", r, raw)
			}
		}
		if line := jsonLine("x", raw, time.Time{}); !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q of %q", line, raw)
		}
	})
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Escape sequences of terminals (ECMA-48, SGR).
const (
	colorReset  = "\x1b[0m"
	colorDim    = "\x1b[2m"
	colorRed    = "\x1b[31m"
	colorYellow = "\x1b[33m"
)

// nameColors are taken in turn by the hash of a name, so that a name always
// has the same: cyan, green, blue, magenta and their bright forms.
var nameColors = []string{"\x1b[36m", "\x1b[32m", "\x1b[34m", "\x1b[35m", "\x1b[96m", "\x1b[92m", "\x1b[94m", "\x1b[95m"}

// nameWidth is the width of the column of names: "streams/automation".
const nameWidth = 18

func (c *console) paint(color, text string) string {
	if !c.color || color == "" || text == "" {
		return text
	}
	return color + text + colorReset
}

func (c *console) humanLine(source string, raw []byte) string {
	h := fnv.New32a()
	h.Write([]byte(source))
	name := c.paint(nameColors[h.Sum32()%uint32(len(nameColors))], fmt.Sprintf("%-*s", nameWidth, source))
	record, ok := parseRecord(raw)
	if !ok {
		return name + " " + plain(string(raw))
	}
	return name + " " + c.record(record)
}

// logField is one member of a JSON log line: a text, or another value as JSON.
type logField struct {
	key, value string
	text       bool
}

// logRecord is a JSON log line: what slog always writes, and the rest in
// order.
type logRecord struct {
	time, level, msg string
	fields           []logField
}

// parseRecord reads a JSON object with a message; ok is false for any other
// line.
func parseRecord(raw []byte) (logRecord, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return logRecord{}, false
	}
	var r logRecord
	found := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return logRecord{}, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return logRecord{}, false
		}
		text := string(value)
		isText := value[0] == '"'
		if isText {
			if err := json.Unmarshal(value, &text); err != nil {
				return logRecord{}, false
			}
		}
		switch key {
		case "time":
			r.time = text
		case "level":
			r.level = text
		case "msg":
			r.msg, found = text, true
		default:
			r.fields = append(r.fields, logField{key.(string), text, isText})
		}
	}
	if _, err := d.Token(); err != nil {
		return logRecord{}, false
	}
	return r, found
}

// take removes a field and returns its value.
func (r *logRecord) take(key string) string {
	i := slices.IndexFunc(r.fields, func(f logField) bool { return f.key == key })
	if i < 0 {
		return ""
	}
	value := r.fields[i].value
	r.fields = slices.Delete(r.fields, i, i+1)
	return value
}

// whoAsked are fields that matter only when something went wrong.
var whoAsked = []string{"request_id", "source", "caller", "caller_user"}

// record renders a log line: time, level unless it is INFO, message, what
// matters of a request, the error, and the remaining fields.
func (c *console) record(r logRecord) string {
	var parts []string
	add := func(color, text string) {
		if text != "" {
			parts = append(parts, c.paint(color, text))
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, r.time); err == nil {
		add(colorDim, at.Local().Format("15:04:05.000"))
	}
	severe := levelColor(r.level)
	if r.level != "INFO" {
		add(severe, r.level)
	}
	r.take("function") // it is the name in front
	if r.level == "INFO" {
		r.fields = slices.DeleteFunc(r.fields, func(f logField) bool { return slices.Contains(whoAsked, f.key) })
	}
	method, route, status := r.take("method"), r.take("route"), r.take("status")
	_, pattern, both := strings.Cut(route, " ")
	if both && strings.HasPrefix(route, method) {
		route = pattern
	}
	if r.msg != "request" || method == "" {
		add("", plain(r.msg))
	}
	add("", plain(strings.TrimSpace(method+" "+route)))
	add(statusColor(status), plain(status))
	if took := r.take("duration_ms"); took != "" {
		add("", plain(took)+" ms")
	}
	failed := r.take("err")
	add(severe, plain(failed))
	for _, f := range r.fields {
		if f.value != "" {
			add(colorDim, plain(f.key)+"="+f.quoted())
		}
	}
	return strings.Join(parts, " ")
}

func levelColor(level string) string {
	switch level {
	case "ERROR":
		return colorRed
	case "WARN":
		return colorYellow
	}
	return colorDim
}

func statusColor(status string) string {
	switch {
	case strings.HasPrefix(status, "5"):
		return colorRed
	case strings.HasPrefix(status, "4"):
		return colorYellow
	}
	return ""
}

// plain makes text of strangers safe for a terminal: what does not print is
// escaped, lines after the first are indented.
func plain(text string) string {
	var b strings.Builder
	for _, r := range strings.TrimRight(text, "\r\n") {
		switch {
		case r == '\n':
			b.WriteString("\n" + strings.Repeat(" ", nameWidth+1))
		case r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// quoted returns the value, with quotes where a text would run into the next.
func (f logField) quoted() string {
	if f.text && strings.ContainsAny(f.value, " \"\n\t") {
		return strconv.Quote(f.value)
	}
	return plain(f.value)
}

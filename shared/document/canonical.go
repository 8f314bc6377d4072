package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Canonical returns obj as JSON with sorted keys, no spaces and no HTML
// escapes: equal objects have equal texts. It panics if obj holds a value that
// no Object may hold.
func Canonical(obj Object) []byte { return appendValue(make([]byte, 0, 1024), obj) }

func appendValue(out []byte, v any) []byte {
	switch v := v.(type) {
	case Object:
		keys := slices.AppendSeq(make([]string, 0, len(v)), maps.Keys(v))
		slices.Sort(keys)
		out = append(out, '{')
		for i, key := range keys {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendString(out, key), ':')
			out = appendValue(out, v[key])
		}
		return append(out, '}')
	case []any:
		out = append(out, '[')
		for i, element := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendValue(out, element)
		}
		return append(out, ']')
	case string:
		return appendString(out, v)
	case json.Number:
		if !json.Valid([]byte(v)) {
			panic(fmt.Sprintf("document: %q is no number", string(v)))
		}
		return append(out, v...)
	case bool:
		if v {
			return append(out, "true"...)
		}
		return append(out, "false"...)
	case nil:
		return append(out, "null"...)
	default:
		panic(fmt.Sprintf("document: a %T is no value of JSON", v))
	}
}

// appendString writes s as encoding/json does, which it asks wherever s needs
// escapes or is not ASCII.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			buf := bytes.NewBuffer(out)
			enc := json.NewEncoder(buf)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(s); err != nil {
				panic(fmt.Sprintf("document: encode a string: %v", err))
			}
			return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}

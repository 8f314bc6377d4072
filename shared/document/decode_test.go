package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	number := func(s string) json.Number { return json.Number(s) }
	for _, test := range []struct {
		name, text string
		want       any
	}{
		{"Null", `null`, nil},
		{"Booleans", `[true,false]`, []any{true, false}},
		{"EmptyObject", `{}`, Object{}},
		{"EmptyList", ` [ ] `, []any{}},
		{"Nested", `{"a":{"b":[1,{"c":null}]}}`, Object{"a": Object{"b": []any{number("1"), Object{"c": nil}}}}},
		{"WhiteSpace", "\t{ \"a\" :\r\n[ 1 , 2 ] , \"b\" : {} }\n", Object{"a": []any{number("1"), number("2")}, "b": Object{}}},
		{"NumbersKeepTheirText", `[0,-0,1.50,1e3,1E+3,-1e-7,12345678901234567890]`,
			[]any{number("0"), number("-0"), number("1.50"), number("1e3"), number("1E+3"), number("-1e-7"), number("12345678901234567890")}},
		{"Escapes", `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "\"\\/\b\f\n\r\té😀"},
		{"EscapedBackslashBeforeQuote", `["\\","\\\""]`, []any{`\`, `\"`}},
		{"EscapedKey", `{"\u0061":1}`, Object{"a": number("1")}},
		{"LoneSurrogateAsEncodingJSON", `"\ud800"`, "\ufffd"},
		{"PlainUnicode", `{"é":"日本"}`, Object{"é": "日本"}},
		{"EmptyKey", `{"":""}`, Object{"": ""}},
		{"DeepestList", strings.Repeat("[", 64) + strings.Repeat("]", 64), nest(64)},
		{"LargestFloat", `1.7976931348623157e308`, number("1.7976931348623157e308")},
		{"SmallestFloat", `5e-324`, number("5e-324")},
		{"LongZero", `0.` + strings.Repeat("0", 62), number(`0.` + strings.Repeat("0", 62))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(test.text))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, %v, want %#v", got, err, test.want)
			}
		})
	}
}

func nest(depth int) any {
	v := []any{}
	for range depth - 1 {
		v = []any{v}
	}
	return v
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"Nothing", ``, "unexpected end of JSON input around 0"},
		{"Blank", "  \n", "unexpected end of JSON input around 3"},
		{"CutObject", `{"a":1`, "unexpected end of JSON input around 6"},
		{"CutString", `{"a":"b`, "unexpected end of JSON input around 7"},
		{"CutEscape", `"\`, "invalid character ' ' in string escape code around 2"},
		{"Word", `{"a":yes}`, "invalid character 'y' looking for beginning of value around 6"},
		{"CutWord", `[tru]`, "invalid character ']' in literal true (expecting 'e') around 5"},
		{"TrailingComma", `{"a":1,}`, "invalid character '}' looking for beginning of object key string around 8"},
		{"TrailingCommaInList", `[1,]`, "invalid character ']' looking for beginning of value around 4"},
		{"MissingColon", `{"a" 1}`, "invalid character '1' after object key around 6"},
		{"UnquotedKey", `{a:1}`, "invalid character 'a' looking for beginning of object key string around 2"},
		{"SingleQuotes", `{'a':1}`, `invalid character '\'' looking for beginning of object key string around 2`},
		{"Comment", `{} // x`, "invalid character '/' after top-level value around 4"},
		{"SecondValue", `{} {}`, "invalid character '{' after top-level value around 4"},
		{"ControlInString", "\"a\nb\"", `invalid character '\n' in string literal around 3`},
		{"UnknownEscape", `"\x"`, "invalid character 'x' in string escape code around 3"},
		{"LeadingZero", `01`, "invalid character '1' after top-level value around 2"},
		{"PlusSign", `+1`, "invalid character '+' looking for beginning of value around 1"},
		{"NaN", `NaN`, "invalid character 'N' looking for beginning of value around 1"},
		{"ByteOrderMark", "\ufeff{}", `invalid character 'ï' looking for beginning of value around 1`},
		{"NotUTF8", "{\"a\":\"\xff\"}", "text is not UTF-8"},
		{"KeyTwice", `{"a":1,"b":{"a":1},"a":2}`, `key "a" appears twice around 22`},
		{"KeyTwiceByEscape", `{"a":1,"\u0061":2}`, `key "a" appears twice around 15`},
		{"KeyTwiceInside", `[{"x":{"a":1,"a":1}}]`, `key "a" appears twice around 16`},
		{"TooDeepList", strings.Repeat("[", 65) + strings.Repeat("]", 65), "values nest deeper than 64 around 64"},
		{"TooDeepObject", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "values nest deeper than 64 around 320"},
		{"Bottomless", strings.Repeat("[", 100000), "invalid character '[' exceeded max depth around 10001"},
		{"HugeNumber", `[1e309]`, "number out of range around 6"},
		{"HugeExponent", `1e999999999`, "number out of range around 11"},
		{"TinyNumber", `1e-400`, "number out of range around 6"},
		{"TinyExponent", `1e-999999999`, "number out of range around 12"},
		{"LongNumber", strings.Repeat("1", 65), "number out of range around 65"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(test.text))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %#v, %v, want %s", got, err, test.want)
			}
		})
	}
}

// reference decodes text as Decode promises to, by the tokens of encoding/json.
func reference(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	v, err := referenceValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text")
	}
	return v, nil
}

func referenceValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(token), 64)
		digits, _, _ := strings.Cut(strings.ToUpper(string(token)), "E")
		if err != nil || len(token) > 64 || f == 0 && strings.Trim(digits, "-0.") != "" {
			return nil, errors.New("number")
		}
		return token, nil
	case json.Delim:
		if depth == 64 {
			return nil, errors.New("depth")
		}
		list, obj := []any{}, Object{}
		for dec.More() {
			var key string
			if token == '{' {
				k, err := dec.Token()
				if err != nil {
					return nil, err
				}
				key = k.(string)
				if _, twice := obj[key]; twice {
					return nil, errors.New("twice")
				}
			}
			v, err := referenceValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list, obj[key] = append(list, v), v
		}
		if _, err := dec.Token(); err != nil {
			return nil, err
		}
		if token == '{' {
			return obj, nil
		}
		return list, nil
	default:
		return token, nil
	}
}

// encoded returns v as encoding/json writes it.
func encoded(t *testing.T, v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// FuzzDecode holds Decode against reference, and checks that what it takes is
// written and read again without change.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.50,-3e7,true,false,null,"é\u00e9\n"],"b":{"c":{}}}`, `{"a":1,"a":2}`, `[1e999,1e-999]`, `"\ud800\udc00"`, `{"":[]}`,
		`[[[[]]]]`, ` {"a" : "\\" , "\"" : 0 } `, "\xff", `{} {}`, `tru`, `-`, `{"a":}`, `[1 2]`, strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Decode(text)
		want, wantErr := reference(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, reference has %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
		obj := Object{"v": got}
		written := Canonical(obj)
		read, err := Decode(written)
		if err != nil {
			if strings.Contains(err.Error(), fmt.Sprintf("deeper than %d", maxDepth)) {
				return // the object around it is one level too many
			}
			t.Fatalf("%s: %v", written, err)
		}
		if !reflect.DeepEqual(read, obj) {
			t.Fatalf("wrote %s, read %#v", written, read)
		}
		if want := encoded(t, obj); !bytes.Equal(written, want) {
			t.Fatalf("wrote %s, encoding/json writes %s", written, want)
		}
		if again := Canonical(read.(Object)); !bytes.Equal(again, written) {
			t.Fatalf("wrote %s, then %s", written, again)
		}
	})
}

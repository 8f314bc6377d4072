package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth bounds how deep values may nest, so that no body can exhaust
	// the stack of a reader. The deepest document that Kazoo's schemas describe
	// is about 10; metaflows nest by choice of the client.
	maxDepth = 64
	// maxNumber bounds the text of a number, in bytes. The shortest decimal
	// that tells every float64 apart has 17 digits.
	maxNumber = 64
)

// Decode reads exactly one JSON value. It takes what encoding/json takes,
// except what two readers could understand differently or what costs them
// without bound: text that is not UTF-8, a key that appears twice in one
// object, nesting deeper than 64, and numbers that are longer than 64 bytes or
// lie outside the range of a float64 (1e999, 1e-999). The strings of the value
// share memory with one copy of text.
func Decode(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("text is not UTF-8")
	}
	if !json.Valid(text) {
		return nil, syntaxError(text)
	}
	d := decoder{text: string(text)}
	v, err := d.value(0)
	if err != nil {
		return nil, fmt.Errorf("%w around %d", err, d.at)
	}
	return v, nil
}

// syntaxError says what is wrong with text, which is not valid JSON.
func syntaxError(text []byte) error {
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w around %d", err, syntax.Offset)
	}
	return err
}

// decoder walks text that is known to be valid JSON, so it looks only for
// where each value ends.
type decoder struct {
	text string
	at   int // next byte to read
}

// next skips white space and returns the byte there.
func (d *decoder) next() byte {
	for {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return c
		}
	}
}

// value reads the value that starts here; depth is how many values hold it.
func (d *decoder) value(depth int) (any, error) {
	switch c := d.next(); c {
	case '{', '[':
		if depth == maxDepth {
			return nil, fmt.Errorf("values nest deeper than %d", maxDepth)
		}
		d.at++
		if c == '{' {
			return d.object(depth + 1)
		}
		return d.list(depth + 1)
	case '"':
		return d.str()
	case 't':
		d.at += len("true")
		return true, nil
	case 'f':
		d.at += len("false")
		return false, nil
	case 'n':
		d.at += len("null")
		return nil, nil
	default:
		return d.number()
	}
}

// object reads the members after "{", and the "}".
func (d *decoder) object(depth int) (any, error) {
	obj := Object{}
	for d.next() != '}' {
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		if _, twice := obj[key]; twice {
			return nil, fmt.Errorf("key %q appears twice", key)
		}
		d.next()
		d.at++ // ":"
		if obj[key], err = d.value(depth); err != nil {
			return nil, err
		}
		if d.next() == ',' {
			d.at++
		}
	}
	d.at++
	return obj, nil
}

// list reads the elements after "[", and the "]".
func (d *decoder) list(depth int) (any, error) {
	list := []any{}
	for d.next() != ']' {
		element, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
		if d.next() == ',' {
			d.at++
		}
	}
	d.at++
	return list, nil
}

// str reads a string. Escapes are decoded by encoding/json.
func (d *decoder) str() (string, error) {
	d.next()
	start := d.at
	escaped := false
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if d.text[d.at] == '\\' {
			escaped = true
			d.at++
		}
	}
	d.at++
	if !escaped {
		return d.text[start+1 : d.at-1], nil
	}
	var s string
	err := json.Unmarshal([]byte(d.text[start:d.at]), &s)
	return s, err
}

// number reads a number.
func (d *decoder) number() (any, error) {
	start := d.at
	for d.at < len(d.text) && strings.IndexByte("+-.0123456789Ee", d.text[d.at]) >= 0 {
		d.at++
	}
	text := d.text[start:d.at]
	if !ranged(text) {
		return nil, errors.New("number out of range")
	}
	return json.Number(text), nil
}

// ranged reports whether text, a number in JSON's notation, is short enough
// and near enough to a float64 for Decode to take it.
func ranged(text string) bool {
	if len(text) > maxNumber {
		return false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return f != 0 || !strings.ContainsAny(mantissa, "123456789") // else it is too small to tell from 0
}

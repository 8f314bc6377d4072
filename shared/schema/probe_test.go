package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

// A probe is a value of one property and what Apply should say of it. Probes
// are made from the definitions, so no property can be forgotten: each keyword
// of each subschema gets a value that keeps it and one that breaks it. What is
// expected is worked out here from the keyword, not by the code under test.
type probe struct {
	path  []step
	value any
	rule  string // "" if the value is good
	at    []string
	want  fault.Violation
}

// step leads to a member or element of parent, which is the least valid value
// that may hold it.
type step struct {
	key    string
	parent any
}

// document returns the document that has the probe's value at its path.
func (p probe) document() document.Object {
	v := p.value
	for _, s := range slices.Backward(p.path) {
		parent := document.CopyValue(s.parent)
		switch parent := parent.(type) {
		case document.Object:
			parent[s.key] = v
		case []any:
			parent[0] = v
		}
		v = parent
	}
	return document.CopyValue(v).(document.Object)
}

// prober makes the probes of one definition.
type prober struct {
	t      testing.TB
	probes []probe
	probed map[string]bool // JSON pointers of the subschemas
}

// sampleKeys has a key for each pattern of patternProperties.
var sampleKeys = map[string]string{
	`^[a-zA-Z0-9]{32}$`: strings.Repeat("a", 32),
	`^[0-9]+$`:          "1",
	`.+`:                "a.key",
	`^[a-zA-z0-9_\-]+$`: "X-Header",
	`^[[:alnum:]_]+$`:   "field",
}

// schema probes one subschema. choice is the path of the outermost oneOf that
// the value decides on, where a violation is told; nil outside of one. isBranch
// says that schema is a branch itself.
func (p *prober) schema(pointer string, path []step, schema document.Object, choice []step, isBranch bool) {
	p.probed[pointer] = true
	for _, value := range p.goods(schema) {
		if _, isObject := value.(document.Object); isObject || len(path) > 0 {
			p.probes = append(p.probes, probe{path: path, value: value})
		}
	}
	// That a branch refuses another type is not probed: a sibling may take it.
	if _, refers := schema["$ref"]; refers { // the definition has its own probes
		if !isBranch {
			p.breaks(path, "x", "type", wrongType(p.resolve(schema), "x"), choice)
		}
		return
	}
	p.scalar(path, schema, choice, isBranch)
	p.object(path, schema, choice)
	branches, _ := schema["oneOf"].([]any)
	for i, branch := range branches {
		inner := choice
		if inner == nil {
			inner = append([]step{}, path...)
		}
		p.schema(fmt.Sprintf("%s/oneOf/%d", pointer, i), path, branch.(document.Object), inner, true)
	}
	for _, keyword := range []string{"properties", "patternProperties"} {
		members, _ := schema[keyword].(document.Object)
		for key, member := range members {
			sample := key
			if keyword == "patternProperties" {
				sample = sampleKeys[key]
			}
			p.schema(pointer+"/"+keyword+"/"+key, p.then(path, sample, schema), member.(document.Object), choice, false)
		}
	}
	if others, ok := schema["additionalProperties"].(document.Object); ok {
		p.schema(pointer+"/additionalProperties", p.then(path, "another.key", schema), others, choice, false)
	}
	if elements, ok := schema["items"].(document.Object); ok {
		p.schema(pointer+"/items", p.then(path, "0", schema), elements, choice, false)
	}
}

func (p *prober) then(path []step, key string, parent document.Object) []step {
	return append(slices.Clone(path), step{key: key, parent: p.good(parent)})
}

// scalar breaks the keywords of simple values.
func (p *prober) scalar(path []step, schema document.Object, choice []step, isBranch bool) {
	breaks := func(value any, rule string, want fault.Violation) {
		want.Value = value
		p.breaks(path, value, rule, want, choice)
	}
	if schema["type"] != nil && schema["oneOf"] == nil && len(path) > 0 && !isBranch {
		wrong := any("x")
		if kind(schema) == "string" {
			wrong = true
		}
		breaks(wrong, "type", wrongType(schema, wrong))
	}
	if enum, ok := schema["enum"].([]any); ok {
		breaks("?", "enum", fault.Violation{Message: "Value not found in enumerated list of values", Target: enum})
		return
	}
	pattern, _ := schema["pattern"].(string)
	if n, ok := bound(schema, "minLength"); ok && schema["format"] == nil {
		if short := strings.Repeat("a", n-1); regexp.MustCompile(pattern).MatchString(short) {
			breaks(short, "minLength", fault.Violation{
				Message: fmt.Sprintf("String must be at least %d characters", n), Target: n, Cause: short})
		}
	}
	if n, ok := bound(schema, "maxLength"); ok {
		long := strings.Repeat("a", n+1)
		if schema["format"] == "email" {
			long = strings.Repeat("a", n) + "@example.com"
		}
		breaks(long, "maxLength", fault.Violation{
			Message: fmt.Sprintf("String must not be more than %d characters", n), Target: n, Cause: long})
	}
	if n, ok := bound(schema, "minimum"); ok {
		breaks(integer(n-1), "minimum", fault.Violation{Message: fmt.Sprintf("Value must be at least %d", n), Target: integer(n)})
	}
	if n, ok := bound(schema, "maximum"); ok {
		breaks(integer(n+1), "maximum", fault.Violation{Message: fmt.Sprintf("Value must be at most %d", n), Target: integer(n)})
	}
	if pattern != "" && schema["format"] == nil {
		n, _ := bound(schema, "minLength")
		breaks(strings.Repeat("a", n)+"\n", "pattern", fault.Violation{Message: "Failed to match pattern '" + pattern + "'", Target: pattern})
		if n, ok := bound(schema, "maxLength"); ok {
			breaks("\x7f"+strings.Repeat("a", n-1), "pattern", fault.Violation{Message: "Failed to match pattern '" + pattern + "'", Target: pattern})
		}
	}
	switch schema["format"] {
	case "email":
		breaks("nobody", "wrong_format", fault.Violation{Message: "Field is not in the correct format", Format: "email"})
	case clientURL:
		breaks("ftp://example.com/", "error", fault.Violation{Message: "invalid client URL"})
	}
	if schema["uniqueItems"] == true {
		element := p.good(schema["items"].(document.Object))
		breaks([]any{element, element}, "uniqueItems", fault.Violation{Message: "List of items is not unique"})
	}
	if branches, ok := schema["oneOf"].([]any); ok && choice == nil {
		wrong := any(true) // of no type that a branch takes, unless:
		if schema["type"] != nil {
			wrong = document.Object{"type": "?"}
		} else if kind(branches[0].(document.Object)) == "boolean" {
			wrong = integer(1)
		}
		breaks(wrong, "not_one_schema_valid", fault.Violation{Message: "failed to validate"})
	}
}

// object breaks the keywords that say which keys an object has.
func (p *prober) object(path []step, schema document.Object, choice []step) {
	required, _ := schema["required"].([]any)
	for _, key := range required {
		lacking := p.good(schema).(document.Object)
		delete(lacking, key.(string))
		p.breaks(path, lacking, "required", fault.Violation{Message: "Field is required but missing", Value: key}, choice, key.(string))
	}
	if schema["additionalProperties"] == false {
		more := p.good(schema).(document.Object)
		more["\n"] = true // a key that none of the patterns matches
		p.breaks(path, more, "additionalProperties", fault.Violation{
			Message: "Strict checking of data is enabled; only include schema-defined properties", Value: true}, choice, "\n")
	}
}

// breaks adds a probe whose violation is told at path and more keys, or at the
// choice that it decides on.
func (p *prober) breaks(path []step, value any, rule string, want fault.Violation, choice []step, more ...string) {
	at := path
	if choice != nil {
		at, more, rule, want = choice, nil, "not_one_schema_valid", fault.Violation{Message: "failed to validate"}
	}
	var keys []string
	for _, s := range at {
		keys = append(keys, s.key)
	}
	p.probes = append(p.probes, probe{path: path, value: value, rule: rule, at: append(keys, more...), want: want})
}

func wrongType(schema document.Object, value any) fault.Violation {
	types := strings.ReplaceAll(strings.Trim(fmt.Sprint(schema["type"]), "[]"), " ", ", ")
	return fault.Violation{Message: "Value did not match type(s): " + types, Target: types, Value: value}
}

// pointers adds the JSON pointers of every subschema of schema to out. It finds
// them by the names of the keywords that hold schemas.
func pointers(pointer string, schema document.Object, out map[string]bool) {
	out[pointer] = true
	for keyword, part := range schema {
		switch part := part.(type) {
		case document.Object:
			switch keyword {
			case "properties", "patternProperties":
				for key := range maps.Keys(part) {
					pointers(pointer+"/"+keyword+"/"+key, part[key].(document.Object), out)
				}
			case "additionalProperties", "items":
				pointers(pointer+"/"+keyword, part, out)
			}
		case []any:
			for i, branch := range part {
				if branch, ok := branch.(document.Object); ok {
					pointers(fmt.Sprintf("%s/%s/%d", pointer, keyword, i), branch, out)
				}
			}
		}
	}
}

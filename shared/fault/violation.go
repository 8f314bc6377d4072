package fault

import (
	"errors"
	"slices"
	"strings"
)

const validationCode = "validation error"

// Violation is one broken rule of one property, in Kazoo's words
// (crossbar kz_json_schema, add_validation_error).
type Violation struct {
	Message string `json:"message"`
	Target  any    `json:"target,omitempty"` // what was expected
	Value   any    `json:"value,omitempty"`  // what was sent
	Cause   any    `json:"cause,omitempty"`  // what it collides with
	Format  string `json:"format,omitempty"` // the format that the value lacks
}

// Violations maps a property's dotted path to the rule it breaks. Array
// indexes are numbers; a dot inside a key is written %2E. As in Kazoo a path
// carries one rule: the last one set stays.
type Violations map[string]map[string]Violation

// Set records that the property at path breaks rule.
func (v Violations) Set(path, rule string, broken Violation) {
	v[path] = map[string]Violation{rule: broken}
}

// Merge adds the violations of more to v.
func (v Violations) Merge(more Violations) {
	for path, rules := range more {
		v[path] = rules
	}
}

// String lists paths and rules, never values: they may be secrets.
func (v Violations) String() string {
	var out []string
	for path, rules := range v {
		for rule := range rules {
			out = append(out, path+" "+rule)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Err returns nil if nothing is broken, else an Invalid error.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: validationCode, Data: v}
}

// Breaks is the Invalid error of a single violation.
func Breaks(path, rule string, broken Violation) error {
	return Violations{path: {rule: broken}}.Err()
}

// ViolationsOf returns the violations that err carries, or nil.
func ViolationsOf(err error) Violations {
	if e, ok := errors.AsType[*Error](err); ok {
		v, _ := e.Data.(Violations)
		return v
	}
	return nil
}

// PathKey escapes one object key for use in a dotted path.
func PathKey(key string) string { return strings.ReplaceAll(key, ".", "%2E") }

package template

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// reader walks the nodes of a template and keeps the first error. After an
// error its methods return zero values.
type reader struct {
	t   *Template
	err error
}

// field is one key of a mapping and what stands under it.
type field struct {
	name  string
	value *yaml.Node
}

func (r *reader) failf(node *yaml.Node, format string, args ...any) {
	if r.err == nil {
		r.err = r.t.errorAt(node, format, args...)
	}
}

// errorAt is an error that names the file and the line of node.
func (t *Template) errorAt(node *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", t.Path, node.Line, fmt.Sprintf(format, args...))
}

// sorted returns the keys of a mapping in the order of the file. A missing
// mapping has none; a key that stands twice is an error.
func (r *reader) sorted(node *yaml.Node) []field {
	if node == nil || r.err != nil {
		return nil
	}
	if node.Kind != yaml.MappingNode || resolvable(node) {
		r.failf(node, "a plain mapping is expected here")
		return nil
	}
	seen := map[string]bool{}
	fields := make([]field, 0, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			r.failf(key, "%s stands here a second time", key.Value)
			return nil
		}
		seen[key.Value] = true
		fields = append(fields, field{key.Value, node.Content[i+1]})
	}
	return fields
}

// resolvable reports whether node is an intrinsic function other than a
// condition, whose long form any mapping with that one key would be.
func resolvable(node *yaml.Node) bool {
	name, _, ok := intrinsic(node)
	return ok && name != "Condition"
}

// fields is sorted as a map.
func (r *reader) fields(node *yaml.Node) map[string]*yaml.Node {
	fields := map[string]*yaml.Node{}
	for _, f := range r.sorted(node) {
		fields[f.name] = f.value
	}
	return fields
}

// items returns the entries of a sequence; a missing sequence has none.
func (r *reader) items(node *yaml.Node) []*yaml.Node {
	if node == nil || r.err != nil {
		return nil
	}
	if node.Kind != yaml.SequenceNode || resolvable(node) {
		r.failf(node, "a plain list is expected here")
		return nil
	}
	return node.Content
}

// literal returns a scalar that must not be an intrinsic function, "" if it is
// missing.
func (r *reader) literal(node *yaml.Node) string {
	if node == nil || r.err != nil {
		return ""
	}
	if _, _, ok := intrinsic(node); ok || node.Kind != yaml.ScalarNode {
		r.failf(node, "plain text is expected here")
		return ""
	}
	return node.Value
}

// text returns a scalar, with intrinsic functions resolved against the
// parameters' defaults; "" if it is missing.
func (r *reader) text(node *yaml.Node) string {
	if node == nil || r.err != nil {
		return ""
	}
	s, err := r.t.Resolve(Value{node}, Scope{})
	if err != nil {
		r.err = err
	}
	return s
}

// required is text that must be there: what names it and where it is missed.
func (r *reader) required(fields map[string]*yaml.Node, name string, owner *yaml.Node) string {
	if fields[name] == nil {
		r.failf(owner, "%s is missing", name)
	}
	return r.text(fields[name])
}

// number returns a whole number, or fallback if it is missing.
func (r *reader) number(node *yaml.Node, fallback int) int {
	if node == nil || r.err != nil {
		return fallback
	}
	s := r.text(node)
	n, err := strconv.Atoi(s)
	if err != nil {
		r.failf(node, "%q is not a whole number", s)
	}
	return n
}

// truth returns a boolean, false if it is missing.
func (r *reader) truth(node *yaml.Node) bool {
	switch s := r.text(node); s {
	case "true":
		return true
	case "false", "":
	default:
		r.failf(node, "%q is neither true nor false", s)
	}
	return false
}

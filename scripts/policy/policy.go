// Package policy reads the IAM statements that a template gives to functions
// and roles, and decides by them as IAM would: what no statement allows is
// denied. It knows the forms that the template uses; any other, which it could
// only misread, is an error that names the line.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dialplane/dialplane/scripts/template"
	"go.yaml.in/yaml/v3"
)

// Statement is one Allow statement.
type Statement struct {
	Sid     string
	Actions []string
	// Resources are references as Fn::Sub writes them, such as
	// "${CoreTable.Arn}/index/due".
	Resources []string
	// LeadingKeys are patterns, one of which each partition key of a request
	// must match; nil: any key.
	LeadingKeys []string
	Line        int
}

// Request is one call of one action on one resource.
type Request struct {
	Action      string   // such as "dynamodb:GetItem"
	Resource    string   // as in Statement
	LeadingKeys []string // partition keys of the items it is about
}

// String returns the request as an error message shows it.
func (r Request) String() string {
	return fmt.Sprintf("%s on %s, keys %q", r.Action, r.Resource, r.LeadingKeys)
}

// Allows reports whether s allows r.
func (s Statement) Allows(r Request) bool {
	if !slices.Contains(s.Actions, r.Action) || !slices.Contains(s.Resources, r.Resource) {
		return false
	}
	if s.LeadingKeys == nil {
		return true
	}
	for _, key := range r.LeadingKeys { // ForAllValues:StringLike
		if !slices.ContainsFunc(s.LeadingKeys, func(pattern string) bool { return like(key, pattern) }) {
			return false
		}
	}
	return true
}

// like reports whether key matches a pattern, whose one wildcard is a "*" at
// its end.
func like(key, pattern string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return key == pattern || open && strings.HasPrefix(key, prefix)
}

// OfFunction returns the statements of a function: its own and those of the
// template's managed policies that it names.
func OfFunction(t *template.Template, f template.Function) ([]Statement, error) {
	r := reader{path: t.Path}
	var all []Statement
	for _, entry := range r.list(f.Policies) {
		if entry.Tag == "!Ref" {
			i := slices.IndexFunc(t.Resources, func(res template.Resource) bool {
				return res.ID == entry.Value && res.Type == "AWS::IAM::ManagedPolicy"
			})
			if i < 0 {
				r.failf(entry, "%s is no managed policy of this template", entry.Value)
				continue
			}
			entry = r.field(t.Resources[i].Properties, "PolicyDocument")
		}
		all = append(all, r.document(entry)...)
	}
	return all, r.err
}

// OfRole returns the statements of a role's inline policies.
func OfRole(t *template.Template, role template.Resource) ([]Statement, error) {
	r := reader{path: t.Path}
	var all []Statement
	for _, inline := range r.list(r.field(role.Properties, "Policies")) {
		all = append(all, r.document(r.field(inline, "PolicyDocument"))...)
	}
	return all, r.err
}

// reader keeps the first error.
type reader struct {
	path string
	err  error
}

func (r *reader) failf(node *yaml.Node, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s:%d: %s", r.path, node.Line, fmt.Sprintf(format, args...))
	}
}

// document reads what has a key Statement.
func (r *reader) document(node *yaml.Node) []Statement {
	var all []Statement
	for _, entry := range r.list(r.field(node, "Statement")) {
		all = append(all, r.statement(entry))
	}
	return all
}

func (r *reader) statement(node *yaml.Node) Statement {
	s := Statement{Line: node.Line}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch key.Value {
		case "Sid":
			s.Sid = value.Value
		case "Effect":
			if value.Value != "Allow" {
				r.failf(value, "only Allow is known here")
			}
		case "Action":
			s.Actions = r.texts(value)
		case "Resource":
			s.Resources = r.texts(value)
		case "Condition":
			s.LeadingKeys = r.texts(r.field(r.only(value, "ForAllValues:StringLike"), "dynamodb:LeadingKeys"))
		default:
			r.failf(key, "%s is not known here", key.Value)
		}
	}
	if s.Sid == "" || len(s.Actions) == 0 || len(s.Resources) == 0 {
		r.failf(node, "a statement needs Sid, Action and Resource")
	}
	return s
}

// only returns what stands under the one key that node has.
func (r *reader) only(node *yaml.Node, name string) *yaml.Node {
	if len(node.Content) != 2 {
		r.failf(node, "only %s is known here", name)
		return nil
	}
	return r.field(node, name)
}

// field returns what stands under a key of a mapping; without it r fails.
func (r *reader) field(node *yaml.Node, name string) *yaml.Node {
	if node == nil {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	r.failf(node, "%s is missing", name)
	return nil
}

// list returns the entries of a sequence, or a single value as the only one.
func (r *reader) list(node *yaml.Node) []*yaml.Node {
	switch {
	case node == nil:
		return nil
	case node.Kind == yaml.SequenceNode:
		return node.Content
	}
	return []*yaml.Node{node}
}

// texts returns one or several scalars, references among them as Fn::Sub
// writes them.
func (r *reader) texts(node *yaml.Node) []string {
	var all []string
	for _, value := range r.list(node) {
		switch {
		case value.Kind != yaml.ScalarNode:
			r.failf(value, "text or a short reference is expected here")
		case value.Tag == "!GetAtt", value.Tag == "!Ref":
			all = append(all, "${"+value.Value+"}")
		case value.Tag == "!Sub", !strings.HasPrefix(value.Tag, "!") || strings.HasPrefix(value.Tag, "!!"):
			all = append(all, value.Value)
		default:
			r.failf(value, "%s is not known here", value.Tag)
		}
	}
	return all
}

// Package template reads a SAM template as the local runner and the tree
// checks need it: functions with their events and environment, tables, and the
// raw nodes of everything else.
//
// Intrinsic functions are kept as they stand and resolved on demand against a
// Scope, so that one template serves a local run and checks alike. What a
// local run would have to guess, such as an unknown intrinsic function, a
// property of the wrong shape or a key that stands twice, is an error that
// names the file and the line.
package template

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// Template is a parsed SAM template. Everything is in the order of the file.
type Template struct {
	// Path is the file's name as it was given to Load; errors start with it.
	Path        string
	Description string
	Parameters  []Parameter
	Functions   []Function
	Tables      []Table
	// Resources are all resources, functions and tables among them.
	Resources []Resource

	conditions map[string]*yaml.Node
}

// Parameter is a value that a deployment may set.
type Parameter struct {
	Name    string
	Type    string
	Default string
	// Required says that there is no default.
	Required bool
	Line     int
}

// Resource is a resource as the template has it.
type Resource struct {
	ID        string // the logical id
	Type      string
	Condition string // name of the condition that it depends on; "" for none
	// Properties and Metadata are the raw mappings; nil where there is none.
	Properties *yaml.Node
	Metadata   *yaml.Node
	Line       int
}

// Load reads the template at path.
func Load(path string) (*Template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse reads a template from data. Errors start with path and a line number.
func Parse(path string, data []byte) (*Template, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: the file is empty", path)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: there must be one YAML document", path)
	}
	t := &Template{Path: path, conditions: map[string]*yaml.Node{}}
	r := &reader{t: t}
	r.template(document.Content[0])
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// template reads the top level.
func (r *reader) template(root *yaml.Node) {
	top := r.fields(root)
	r.noAliases(root)
	// Parameters and conditions first: other sections refer to them.
	for _, f := range r.sorted(top["Parameters"]) {
		r.parameter(f.name, f.value)
	}
	for _, f := range r.sorted(top["Conditions"]) {
		r.t.conditions[f.name] = f.value
	}
	r.t.Description = r.text(top["Description"])
	globals := r.fields(r.fields(top["Globals"])["Function"])
	for _, f := range r.sorted(top["Resources"]) {
		resource := r.resource(f.name, f.value)
		r.t.Resources = append(r.t.Resources, resource)
		switch resource.Type {
		case "AWS::Serverless::Function":
			r.t.Functions = append(r.t.Functions, r.function(resource, globals))
		case "AWS::DynamoDB::Table":
			r.t.Tables = append(r.t.Tables, r.table(resource))
		}
	}
}

func (r *reader) parameter(name string, node *yaml.Node) {
	f := r.fields(node)
	p := Parameter{Name: name, Type: r.literal(f["Type"]), Required: f["Default"] == nil, Line: node.Line}
	if !p.Required {
		p.Default = r.literal(f["Default"])
	}
	r.t.Parameters = append(r.t.Parameters, p)
}

func (r *reader) resource(id string, node *yaml.Node) Resource {
	f := r.fields(node)
	if f["Type"] == nil {
		r.failf(node, "%s has no Type", id)
	}
	return Resource{
		ID: id, Type: r.literal(f["Type"]), Condition: r.literal(f["Condition"]),
		Properties: f["Properties"], Metadata: f["Metadata"], Line: node.Line,
	}
}

// noAliases refuses anchors' uses: CloudFormation does not take them.
func (r *reader) noAliases(node *yaml.Node) {
	if node.Kind == yaml.AliasNode {
		r.failf(node, "an alias (*%s) is not allowed in a template", node.Value)
		return
	}
	for _, child := range node.Content {
		r.noAliases(child)
	}
}

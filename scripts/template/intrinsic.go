package template

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is a property that may hold an intrinsic function. The zero Value is
// absent.
type Value struct{ node *yaml.Node }

// Node returns the raw node, nil if the value is absent.
func (v Value) Node() *yaml.Node { return v.node }

// Scope is what intrinsic functions are resolved against.
type Scope struct {
	// Parameters override the template's defaults.
	Parameters map[string]string
	// Refs is what !Ref of a resource returns, by logical id.
	Refs map[string]string
	// Attributes is what !GetAtt returns, by "<logical id>.<attribute>".
	Attributes map[string]string
	// Region and AccountID are the pseudo parameters AWS::Region and
	// AWS::AccountId. Empty: us-east-1 and 000000000000.
	Region    string
	AccountID string
}

// intrinsic returns the full name and the argument of the intrinsic function
// that node is, be it written !Ref or {Ref: …}.
func intrinsic(node *yaml.Node) (name string, arg *yaml.Node, ok bool) {
	if short, tagged := strings.CutPrefix(node.Tag, "!"); tagged && short != "" && !strings.HasPrefix(short, "!") {
		plain := *node
		plain.Tag = ""
		if short == "Ref" || short == "Condition" {
			return short, &plain, true
		}
		return "Fn::" + short, &plain, true
	}
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 {
		key := node.Content[0].Value
		if key == "Ref" || key == "Condition" || strings.HasPrefix(key, "Fn::") {
			return key, node.Content[1], true
		}
	}
	return "", nil, false
}

// Resolve returns the text of v. It knows Ref, Fn::GetAtt, Fn::Sub, Fn::Join
// and Fn::If; another function, or a name that neither the template nor the
// scope has, is an error that names the line.
func (t *Template) Resolve(v Value, s Scope) (string, error) {
	if v.node == nil {
		return "", fmt.Errorf("%s: a value is missing", t.Path)
	}
	name, arg, ok := intrinsic(v.node)
	if !ok {
		if v.node.Kind != yaml.ScalarNode {
			return "", t.errorAt(v.node, "text is expected here")
		}
		return v.node.Value, nil
	}
	switch name {
	case "Ref":
		return t.ref(arg, arg.Value, s)
	case "Fn::GetAtt":
		return t.getAtt(arg, s)
	case "Fn::Sub":
		return t.sub(arg, s)
	case "Fn::Join":
		return t.join(arg, s)
	case "Fn::If":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 3 {
			return "", t.errorAt(arg, "Fn::If takes a condition and two values")
		}
		holds, err := t.Holds(arg.Content[0].Value, s)
		if err != nil {
			return "", err
		}
		if holds {
			return t.Resolve(Value{arg.Content[1]}, s)
		}
		return t.Resolve(Value{arg.Content[2]}, s)
	}
	return "", t.errorAt(v.node, "%s is not supported here", name)
}

func (t *Template) ref(node *yaml.Node, name string, s Scope) (string, error) {
	if value, ok := s.Parameters[name]; ok {
		return value, nil
	}
	if value, ok := s.Refs[name]; ok {
		return value, nil
	}
	switch name {
	case "AWS::Region":
		return cmp.Or(s.Region, "us-east-1"), nil
	case "AWS::AccountId":
		return cmp.Or(s.AccountID, "000000000000"), nil
	case "AWS::Partition":
		return "aws", nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return "local", nil
	}
	i := slices.IndexFunc(t.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return "", t.errorAt(node, "!Ref %s has no value here", name)
	}
	if t.Parameters[i].Required {
		return "", t.errorAt(node, "the parameter %s has no default and is not set", name)
	}
	return t.Parameters[i].Default, nil
}

func (t *Template) getAtt(arg *yaml.Node, s Scope) (string, error) {
	name := arg.Value
	if arg.Kind == yaml.SequenceNode {
		parts := make([]string, len(arg.Content))
		for i, part := range arg.Content {
			parts[i] = part.Value
		}
		name = strings.Join(parts, ".")
	}
	value, ok := s.Attributes[name]
	if !ok {
		return "", t.errorAt(arg, "!GetAtt %s has no value here", name)
	}
	return value, nil
}

// substitution is ${Name}, ${Name.Attribute} or the escape ${!Literal}.
var substitution = regexp.MustCompile(`\$\{([^}]*)\}`)

func (t *Template) sub(arg *yaml.Node, s Scope) (string, error) {
	text, locals := arg, map[string]*yaml.Node{}
	if arg.Kind == yaml.SequenceNode {
		if len(arg.Content) != 2 {
			return "", t.errorAt(arg, "Fn::Sub takes a text, or a list of a text and a mapping")
		}
		text = arg.Content[0]
		r := reader{t: t}
		if locals = r.fields(arg.Content[1]); r.err != nil {
			return "", r.err
		}
	}
	var failed error
	out := substitution.ReplaceAllStringFunc(text.Value, func(match string) string {
		name := match[2 : len(match)-1]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		value, err := t.substitute(text, name, locals, s)
		if failed == nil {
			failed = err
		}
		return value
	})
	return out, failed
}

func (t *Template) substitute(at *yaml.Node, name string, locals map[string]*yaml.Node, s Scope) (string, error) {
	if local, ok := locals[name]; ok {
		return t.Resolve(Value{local}, s)
	}
	if strings.Contains(name, ".") {
		return t.getAtt(&yaml.Node{Kind: yaml.ScalarNode, Value: name, Line: at.Line}, s)
	}
	return t.ref(at, name, s)
}

func (t *Template) join(arg *yaml.Node, s Scope) (string, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 || arg.Content[1].Kind != yaml.SequenceNode {
		return "", t.errorAt(arg, "Fn::Join takes a separator and a list")
	}
	parts := make([]string, len(arg.Content[1].Content))
	for i, part := range arg.Content[1].Content {
		value, err := t.Resolve(Value{part}, s)
		if err != nil {
			return "", err
		}
		parts[i] = value
	}
	return strings.Join(parts, arg.Content[0].Value), nil
}

// Holds reports whether the condition of that name is met; "" always is.
func (t *Template) Holds(condition string, s Scope) (bool, error) {
	if condition == "" {
		return true, nil
	}
	node, ok := t.conditions[condition]
	if !ok {
		return false, fmt.Errorf("%s: there is no condition %s", t.Path, condition)
	}
	return t.holds(node, s, 0)
}

// maxConditionDepth stops conditions that refer to each other in a circle.
const maxConditionDepth = 20

func (t *Template) holds(node *yaml.Node, s Scope, depth int) (bool, error) {
	name, arg, _ := intrinsic(node)
	if depth > maxConditionDepth {
		return false, t.errorAt(node, "conditions refer to each other in a circle")
	}
	if name == "Condition" {
		next, ok := t.conditions[arg.Value]
		if !ok {
			return false, t.errorAt(node, "there is no condition %s", arg.Value)
		}
		return t.holds(next, s, depth+1)
	}
	if name == "" || arg.Kind != yaml.SequenceNode {
		return false, t.errorAt(node, "a condition is expected here")
	}
	switch {
	case name == "Fn::Equals" && len(arg.Content) == 2:
		left, err := t.Resolve(Value{arg.Content[0]}, s)
		if err != nil {
			return false, err
		}
		right, err := t.Resolve(Value{arg.Content[1]}, s)
		return left == right, err
	case name == "Fn::Not" && len(arg.Content) == 1:
		holds, err := t.holds(arg.Content[0], s, depth+1)
		return !holds, err
	case name == "Fn::And", name == "Fn::Or":
		for _, part := range arg.Content {
			holds, err := t.holds(part, s, depth+1)
			if err != nil || holds == (name == "Fn::Or") {
				return holds, err
			}
		}
		return name == "Fn::And", nil
	}
	return false, t.errorAt(node, "%s is not a condition that is supported here", name)
}

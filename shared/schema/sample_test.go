package schema

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/dialplane/dialplane/shared/document"
)

// resolve returns the definition that schema refers to, or schema itself.
func (p *prober) resolve(schema document.Object) document.Object {
	if id, ok := schema["$ref"].(string); ok {
		return definition(p.t, strings.TrimSuffix(strings.TrimPrefix(id, base), ".json"))
	}
	return schema
}

// good returns the least value that keeps schema.
func (p *prober) good(schema document.Object) any {
	schema = p.resolve(schema)
	for _, choice := range []string{"oneOf", "anyOf"} {
		if branches, ok := schema[choice].([]any); ok {
			return p.good(branches[0].(document.Object))
		}
	}
	if enum, ok := schema["enum"].([]any); ok {
		return enum[0]
	}
	switch kind(schema) {
	case "string":
		switch n, _ := bound(schema, "minLength"); schema["format"] {
		case "email":
			return "a@example.com"
		case clientURL:
			return "https://example.com/path"
		default:
			return strings.Repeat("a", max(n, 1))
		}
	case "integer", "number":
		n, _ := bound(schema, "minimum")
		return integer(n)
	case "boolean":
		return true
	case "array":
		return []any{p.good(schema["items"].(document.Object))}
	case "null":
		return nil
	}
	obj := document.Object{}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		member, _ := document.At(schema, "properties", key.(string))
		obj[key.(string)] = p.good(member.(document.Object))
	}
	return obj
}

// goods returns values that keep schema, those at its limits among them.
func (p *prober) goods(schema document.Object) []any {
	schema = p.resolve(schema)
	values := []any{p.good(schema)}
	enum, _ := schema["enum"].([]any)
	values = append(values, enum...)
	if n, ok := bound(schema, "maxLength"); ok && enum == nil && schema["format"] == nil {
		values = append(values, strings.Repeat("a", n))
		if long := strings.Repeat("é", n); regexp.MustCompile(fmt.Sprint(schema["pattern"])).MatchString(long) {
			values = append(values, long) // lengths count characters
		}
	}
	if n, ok := bound(schema, "maximum"); ok {
		values = append(values, integer(n))
	}
	switch kind(schema) {
	case "boolean":
		values = append(values, false)
	case "array":
		values = append(values, []any{})
	}
	return values
}

// kind returns the first type of schema.
func kind(schema document.Object) string {
	if kinds, ok := schema["type"].([]any); ok {
		return kinds[0].(string)
	}
	s, _ := schema["type"].(string)
	return s
}

func bound(schema document.Object, keyword string) (int, bool) {
	n, ok := schema[keyword].(json.Number)
	i, _ := n.Int64()
	return int(i), ok
}

func integer(n int) json.Number { return json.Number(fmt.Sprint(n)) }

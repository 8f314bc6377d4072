package schema

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/dialplane/dialplane/shared/document"
)

// shape is the part of a schema that changes documents: types to convert to
// and defaults. A nil shape changes nothing. It looks through $ref, allOf,
// properties, patternProperties, additionalProperties and items, but not into
// oneOf and anyOf: which branch is meant is known only after validation.
type shape struct {
	kind     string // type to convert to: integer, number, boolean, or "" for none
	defaults document.Object
	members  map[string]*shape // by key; nil for those that change nothing
	patterns []pattern
	others   *shape // members that neither list above names
	elements *shape // of a list
	all      []*shape
}

// pattern shapes the members whose key matches.
type pattern struct {
	key   *regexp.Regexp
	shape *shape
}

// fill converts v and completes it, and returns what stands in its place.
// Objects and lists are changed in place.
func (s *shape) fill(v any) any {
	if s == nil {
		return v
	}
	v = convert(v, s.kind)
	switch v := v.(type) {
	case document.Object:
		for key, value := range s.defaults {
			if _, there := v[key]; !there {
				v[key] = document.CopyValue(value)
			}
		}
		s.fillMembers(v)
	case []any:
		if s.elements != nil {
			for i, element := range v {
				v[i] = s.elements.fill(element)
			}
		}
	}
	for _, more := range s.all {
		v = more.fill(v)
	}
	return v
}

func (s *shape) fillMembers(obj document.Object) {
	for key, value := range obj {
		member, named := s.members[key]
		if member != nil {
			obj[key] = member.fill(value)
		}
		for _, p := range s.patterns {
			if p.key.MatchString(key) {
				named = true
				obj[key] = p.shape.fill(obj[key])
			}
		}
		if !named && s.others != nil {
			obj[key] = s.others.fill(value)
		}
	}
}

// convert returns v as a value of the given type, or v itself if it is one
// already or cannot be made one (crossbar kz_json_schema:fix_js_types).
func convert(v any, kind string) any {
	switch kind {
	case "boolean":
		switch v {
		case "true":
			return true
		case "false":
			return false
		}
	case "integer":
		return toNumber(v, true)
	case "number":
		return toNumber(v, false)
	}
	return v
}

// toNumber converts v to a number; a whole one is rounded half away from zero,
// as Kazoo does.
func toNumber(v any, whole bool) any {
	text, isText := v.(string)
	if number, ok := v.(json.Number); ok {
		if !whole || !strings.ContainsAny(string(number), ".eE") {
			return v
		}
		text = string(number)
	} else if !isText || strings.Trim(text, "+-.0123456789eE") != "" { // nor NaN, hexadecimal and the like
		return v
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return json.Number(strconv.FormatInt(n, 10))
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return v
	case !whole:
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
	case math.Abs(f) >= 1<<63:
		return v
	}
	return json.Number(strconv.FormatInt(int64(math.Round(f)), 10))
}

// shaper makes shapes of decoded schemas, which gojsonschema has accepted.
type shaper struct {
	defs definitions
	done map[string]*shape // by id of the definition, also while it is being made
}

// shape returns the shape of a schema; nil if it changes nothing, or if part
// is no schema but a boolean or missing.
func (b shaper) shape(part any) (*shape, error) {
	node, ok := part.(document.Object)
	if !ok {
		return nil, nil
	}
	if id, ok := node["$ref"].(string); ok { // its siblings count for nothing in draft 4
		return b.definition(id)
	}
	s := &shape{defaults: defaultsOf(node)}
	switch kind := node["type"]; kind {
	case "integer", "number", "boolean":
		s.kind = kind.(string)
	}
	var err error
	if s.members, err = b.shapes(node["properties"]); err != nil {
		return nil, err
	}
	byPattern, err := b.shapes(node["patternProperties"])
	if err != nil {
		return nil, err
	}
	for key, made := range byPattern {
		s.patterns = append(s.patterns, pattern{regexp.MustCompile(key), made}) // gojsonschema compiled it before
	}
	if s.others, err = b.shape(node["additionalProperties"]); err != nil {
		return nil, err
	}
	if s.elements, err = b.shape(node["items"]); err != nil {
		return nil, err
	}
	parts, _ := node["allOf"].([]any)
	for _, part := range parts {
		made, err := b.shape(part)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, made)
	}
	if s.idle() {
		return nil, nil
	}
	return s, nil
}

// shapes returns the shapes of a map of schemas.
func (b shaper) shapes(part any) (map[string]*shape, error) {
	made := map[string]*shape{}
	parts, _ := part.(document.Object)
	for key, part := range parts {
		var err error
		if made[key], err = b.shape(part); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// definition returns the shape of a shared definition, which may hold itself.
func (b shaper) definition(id string) (*shape, error) {
	if made, ok := b.done[id]; ok {
		return made, nil
	}
	doc, err := b.defs.load(id)
	if err != nil {
		return nil, err
	}
	b.done[id] = &shape{}
	made, err := b.shape(doc)
	if err != nil || made == nil {
		b.done[id] = nil
		return nil, err
	}
	*b.done[id] = *made
	return b.done[id], nil
}

// defaultsOf returns the defaults of node's properties that also have a type,
// which Kazoo asks for too (jesse_validator_draft4:check_default).
func defaultsOf(node document.Object) document.Object {
	out := document.Object{}
	properties, _ := node["properties"].(document.Object)
	for key := range properties {
		_, typed := document.At(properties, key, "type")
		if value, ok := document.At(properties, key, "default"); ok && typed {
			out[key] = value
		}
	}
	return out
}

// idle reports whether s changes nothing.
func (s *shape) idle() bool {
	for _, member := range s.members {
		if member != nil {
			return false
		}
	}
	for _, p := range s.patterns {
		if p.shape != nil {
			return false
		}
	}
	for _, more := range s.all {
		if more != nil {
			return false
		}
	}
	return s.kind == "" && len(s.defaults) == 0 && s.others == nil && s.elements == nil
}

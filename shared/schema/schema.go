// Package schema applies JSON schemas (draft 4) to documents: it converts
// values that were sent as another type, fills in defaults, and tells what is
// broken in Kazoo's words.
//
// A function's schema.json says what that function takes. It may refer to the
// shared definitions in defs and to nothing else: a schema that refers
// elsewhere does not compile, and nothing is ever fetched. Applying a schema
// never panics, and applying it twice changes nothing more. What it says of a
// broken document never holds a password, a pin or a key, and is bounded in
// size.
package schema

import (
	"fmt"

	"github.com/xeipuuv/gojsonschema"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

// maxValues bounds how many values a document may hold, at any depth, and so
// what it costs to validate one: each broken value takes gojsonschema some
// microseconds. Real devices hold some hundreds.
const maxValues = 10000

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	rules *gojsonschema.Schema
	shape *shape
}

// Compile reads a schema. It returns an error if text is not a JSON object, is
// no draft-4 schema, or refers to anything but the shared definitions
// ("https://schemas.dialplane.invalid/<name>.json").
func Compile(text []byte) (*Schema, error) {
	doc, err := document.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("decode schema: %w", err)
	}
	defs := definitions{}
	compiler := gojsonschema.NewSchemaLoader()
	compiler.AutoDetect = false
	compiler.Draft = gojsonschema.Draft4
	rules, err := compiler.Compile(rootLoader{JSONLoader: gojsonschema.NewRawLoader(doc), defs: defs})
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	builder := shaper{defs: defs, done: map[string]*shape{}}
	form, err := builder.shape(doc)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return &Schema{rules: rules, shape: form}, nil
}

// MustCompile is Compile for a schema that is part of the program; it panics
// if the schema is wrong.
func MustCompile(text []byte) *Schema {
	s, err := Compile(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Apply changes obj in place: values whose type should be integer, number or
// boolean are converted if they can be ("300" becomes 300, "true" becomes
// true), and defaults are filled in wherever a property with a type and a
// default is missing from an object that is there. It returns what is broken
// after that; nothing if obj is valid. A document of more than 10,000 values is
// left as it is and refused.
func (s *Schema) Apply(obj document.Object) fault.Violations {
	if count(obj, maxValues) > maxValues {
		return fault.Violations{"data": {"maxSize": {
			Message: fmt.Sprintf("The document must not hold more than %d values", maxValues), Target: maxValues,
		}}}
	}
	s.shape.fill(obj)
	result, err := s.rules.Validate(gojsonschema.NewRawLoader(obj))
	if err != nil {
		panic(fmt.Sprintf("schema: a loader that cannot fail failed: %v", err))
	}
	return violations(result.Errors())
}

// count returns how many values v holds, itself included. It stops counting
// above limit.
func count(v any, limit int) int {
	n := 1
	switch v := v.(type) {
	case document.Object:
		for _, member := range v {
			if n += count(member, limit-n); n > limit {
				break
			}
		}
	case []any:
		for _, element := range v {
			if n += count(element, limit-n); n > limit {
				break
			}
		}
	}
	return n
}

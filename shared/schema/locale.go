package schema

import "github.com/xeipuuv/gojsonschema"

func init() { gojsonschema.Locale = terse{} }

// terse replaces those texts of gojsonschema that it makes for branches of a
// oneOf or anyOf that do not fit. It makes them for valid documents too, by
// running a template, and nobody reads them; a text without placeholders takes
// an eighth of a device's validation off.
type terse struct{ gojsonschema.DefaultLocale }

func (terse) InvalidType() string                  { return "wrong type" }
func (terse) NumberOneOf() string                  { return "not exactly one schema valid" }
func (terse) NumberAnyOf() string                  { return "no schema valid" }
func (terse) Required() string                     { return "property missing" }
func (terse) Enum() string                         { return "not in the enumeration" }
func (terse) DoesNotMatchPattern() string          { return "pattern not matched" }
func (terse) AdditionalPropertyNotAllowed() string { return "property not allowed" }

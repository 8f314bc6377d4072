package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/xeipuuv/gojsonschema"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

const (
	// maxViolations bounds how many broken properties are told of, so that an
	// answer stays small whatever was sent. Those that sort first are kept.
	maxViolations = 256
	// maxShown bounds the JSON text of a value that is shown, in bytes.
	maxShown = 1024
)

// secrets are the keys whose values are never shown.
var secrets = []string{"password", "pin", "credentials", "api_key"}

// separator stands between the keys of a path while it is taken apart. It is
// no UTF-8, so no key holds it.
const separator = "\xff"

// violations renders what gojsonschema found in Kazoo's words (crossbar
// kz_json_schema:error_to_jobj).
func violations(found []gojsonschema.ResultError) fault.Violations {
	if len(found) == 0 {
		return nil
	}
	// Where no branch of a oneOf or anyOf fits, gojsonschema also lists what is
	// wrong with the branch that fits best. Which one was meant is a guess, so
	// only the failed choice itself is told.
	choices := map[string]bool{}
	for _, e := range found {
		if isChoice(e) {
			choices[path(e)] = true
		}
	}
	broken := map[string]gojsonschema.ResultError{}
	for _, e := range found {
		at := path(e)
		if inside(at, choices) || e.Type() == "number_all_of" { // its parts are listed too
			continue
		}
		if choices[at] && !isChoice(e) {
			continue
		}
		if key, ok := e.Details()["property"].(string); ok { // required or not allowed
			at += separator + key
		}
		broken[at] = e
	}
	out := fault.Violations{}
	for _, at := range slices.Sorted(maps.Keys(broken)) {
		if len(out) == maxViolations {
			break
		}
		keys := strings.Split(at, separator)[1:] // without the root
		rule, violation := describe(broken[at])
		if slices.ContainsFunc(keys, isSecret) || !showable(violation.Value) {
			violation.Value, violation.Cause = nil, nil
		}
		for i, key := range keys {
			keys[i] = fault.PathKey(key)
		}
		out.Set(strings.Join(keys, "."), rule, violation)
	}
	return out
}

func path(e gojsonschema.ResultError) string { return e.Context().String(separator) }

func isChoice(e gojsonschema.ResultError) bool {
	return e.Type() == "number_one_of" || e.Type() == "number_any_of"
}

// inside reports whether a path goes through one of choices.
func inside(path string, choices map[string]bool) bool {
	for i := strings.LastIndex(path, separator); i >= 0 && len(choices) > 0; i = strings.LastIndex(path[:i], separator) {
		if choices[path[:i]] {
			return true
		}
	}
	return false
}

func isSecret(key string) bool { return slices.Contains(secrets, key) }

// showable reports whether a value is short and holds no secret.
func showable(v any) bool {
	text, err := json.Marshal(v)
	return err == nil && len(text) <= maxShown && !holdsSecret(v)
}

func holdsSecret(v any) bool {
	switch v := v.(type) {
	case document.Object:
		for key, member := range v {
			if isSecret(key) || holdsSecret(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, holdsSecret)
	}
	return false
}

// describe returns the rule that is broken and how.
func describe(e gojsonschema.ResultError) (string, fault.Violation) {
	d, v := e.Details(), fault.Violation{Value: e.Value()}
	switch e.Type() {
	case "required":
		v.Message, v.Value = "Field is required but missing", d["property"]
		return "required", v
	case "invalid_type":
		types := strings.ReplaceAll(strings.Trim(fmt.Sprint(d["expected"]), "[]"), ",", ", ")
		v.Message, v.Target = "Value did not match type(s): "+types, types
		return "type", v
	case "string_gte":
		v.Message, v.Target, v.Cause = fmt.Sprintf("String must be at least %v characters", d["min"]), d["min"], v.Value
		return "minLength", v
	case "string_lte":
		v.Message, v.Target, v.Cause = fmt.Sprintf("String must not be more than %v characters", d["max"]), d["max"], v.Value
		return "maxLength", v
	case "number_gte", "number_gt":
		v.Target = number(d["min"])
		v.Message = fmt.Sprintf("Value must be at least %v", v.Target)
		return "minimum", v
	case "number_lte", "number_lt":
		v.Target = number(d["max"])
		v.Message = fmt.Sprintf("Value must be at most %v", v.Target)
		return "maximum", v
	case "enum":
		v.Message, v.Target = "Value not found in enumerated list of values", list(d["allowed"])
		return "enum", v
	case "pattern":
		pattern := d["pattern"].(*regexp.Regexp).String()
		v.Message, v.Target = "Failed to match pattern '"+pattern+"'", pattern
		return "pattern", v
	case "array_min_items":
		v.Message, v.Target = fmt.Sprintf("The list must have at least %v items", d["min"]), d["min"]
		return "minItems", v
	case "array_max_items":
		v.Message, v.Target = fmt.Sprintf("The list is more than %v items", d["max"]), d["max"]
		return "maxItems", v
	case "unique":
		v.Message = "List of items is not unique"
		return "uniqueItems", v
	case "array_min_properties":
		v.Message, v.Target = fmt.Sprintf("The object must have at least %v keys", d["min"]), d["min"]
		return "minProperties", v
	case "additional_property_not_allowed":
		v.Message = "Strict checking of data is enabled; only include schema-defined properties"
		return "additionalProperties", v
	case "array_no_additional_items":
		v.Message = "Strict checking of data is enabled; only include schema-defined items"
		return "additionalItems", v
	case "missing_dependency":
		v.Message = "Dependencies were not validated"
		return "dependencies", v
	case "format":
		if d["format"] == clientURL {
			v.Message = "invalid client URL"
			return "error", v
		}
		v.Message, v.Format = "Field is not in the correct format", fmt.Sprint(d["format"])
		return "wrong_format", v
	}
	v.Message = "failed to validate"
	if rule, ok := otherRules[e.Type()]; ok {
		return rule, v
	}
	return e.Type(), v
}

// otherRules are Kazoo's names of the rules that it does not explain (jesse's
// error reasons).
var otherRules = map[string]string{
	"number_one_of":        "not_one_schema_valid",
	"number_any_of":        "any_schemas_not_valid",
	"number_not":           "not_schema_valid",
	"multiple_of":          "not_multiple_of",
	"array_max_properties": "too_many_properties",
}

// number returns a bound as JSON writes it.
func number(bound any) json.Number {
	f := bound.(*big.Float) // gojsonschema's bounds of numbers
	return json.Number(f.Text('f', -1))
}

// list returns the values of an enumeration, which gojsonschema gives as JSON
// texts with commas between them.
func list(allowed any) any {
	values, err := document.Decode(fmt.Appendf(nil, "[%v]", allowed))
	if err != nil {
		return allowed
	}
	return values
}

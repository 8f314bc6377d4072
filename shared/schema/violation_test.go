package schema

import "testing"

// TestKeywords covers what no definition uses yet, so that the first that does
// speaks Kazoo's words.
func TestKeywords(t *testing.T) {
	t.Parallel()
	const strict = "Strict checking of data is enabled; only include schema-defined items"
	for _, test := range []struct{ name, schema, sent, rule, want string }{
		{"MinItems", `{"minItems":2}`, `[1]`, "minItems", `{"message":"The list must have at least 2 items","target":2,"value":[1]}`},
		{"MaxItems", `{"maxItems":1}`, `[1,2]`, "maxItems", `{"message":"The list is more than 1 items","target":1,"value":[1,2]}`},
		{"AdditionalItems", `{"items":[{}],"additionalItems":false}`, `[1,2]`, "additionalItems", `{"message":"` + strict + `","value":[1,2]}`},
		{"MinProperties", `{"minProperties":1}`, `{}`, "minProperties", `{"message":"The object must have at least 1 keys","target":1,"value":{}}`},
		{"MaxProperties", `{"maxProperties":0}`, `{"b":1}`, "too_many_properties", `{"message":"failed to validate","value":{"b":1}}`},
		{"Dependencies", `{"dependencies":{"b":["c"]}}`, `{"b":1}`, "dependencies", `{"message":"Dependencies were not validated","value":{"b":1}}`},
		{"ExclusiveMinimum", `{"minimum":1,"exclusiveMinimum":true}`, `1`, "minimum", `{"message":"Value must be at least 1","target":1,"value":1}`},
		{"ExclusiveMaximum", `{"maximum":2.5,"exclusiveMaximum":true}`, `2.5`, "maximum", `{"message":"Value must be at most 2.5","target":2.5,"value":2.5}`},
		{"MultipleOf", `{"multipleOf":2}`, `3`, "not_multiple_of", `{"message":"failed to validate","value":3}`},
		{"Not", `{"not":{"type":"string"}}`, `"x"`, "not_schema_valid", `{"message":"failed to validate","value":"x"}`},
		{"SeveralTypes", `{"type":["string","null"]}`, `1`, "type", `{"message":"Value did not match type(s): string, null","target":"string, null","value":1}`},
		{"EnumOfManyTypes", `{"enum":[1,"a, b",null,{"c":[true]}]}`, `"x"`, "enum",
			`{"message":"Value not found in enumerated list of values","target":[1,"a, b",null,{"c":[true]}],"value":"x"}`},
		{"Email", `{"format":"email"}`, `"nobody"`, "wrong_format", `{"message":"Field is not in the correct format","value":"nobody","format":"email"}`},
		{"OneOfTwo", `{"oneOf":[{"type":"string"},{"maxLength":9}]}`, `"x"`, "not_one_schema_valid", `{"message":"failed to validate","value":"x"}`},
		{"AllOfTellsItsParts", `{"allOf":[{"maxLength":1},{}]}`, `"xy"`, "maxLength",
			`{"message":"String must not be more than 1 characters","target":1,"value":"xy","cause":"xy"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := Compile([]byte(`{"properties":{"a":` + test.schema + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			got := s.Apply(decode(t, []byte(`{"a":`+test.sent+`}`)))
			if len(got) != 1 || len(got["a"]) != 1 {
				t.Fatalf("got %v, want a %s alone", got, test.rule)
			}
			if violation := canonical(got["a"][test.rule]); violation != test.want {
				t.Errorf("got %s, want %s", violation, test.want)
			}
		})
	}
}

func TestNothingToApply(t *testing.T) {
	t.Parallel()
	s, err := Compile([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	obj := decode(t, []byte(`{"a":[1,{"b":"true"}]}`))
	if got := s.Apply(obj); got != nil || canonical(obj) != `{"a":[1,{"b":"true"}]}` {
		t.Errorf("got %v and %s", got, canonical(obj))
	}
}

package document_test

import (
	"slices"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

func TestChanged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, old, new string
		want           []string
	}{
		{"Nothing", `{"a":1,"b":{"c":[1]}}`, `{"b":{"c":[1]},"a":1}`, nil},
		{"Value", `{"a":1,"b":2}`, `{"a":1,"b":3}`, []string{"b"}},
		{"NestedValue", `{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":3}}`, []string{"a.c"}},
		{"Added", `{}`, `{"a":1}`, []string{"a"}},
		{"Removed", `{"a":1}`, `{}`, []string{"a"}},
		{"AddedObject", `{}`, `{"a":{"b":1,"c":{"d":2}}}`, []string{"a.b", "a.c.d"}},
		{"AddedEmptyObject", `{}`, `{"a":{}}`, []string{"a"}},
		{"RemovedObject", `{"a":{"b":1}}`, `{}`, []string{"a.b"}},
		{"NullIsAValue", `{"a":null}`, `{}`, []string{"a"}},
		{"ListIsOneValue", `{"a":[1,2]}`, `{"a":[1,3]}`, []string{"a"}},
		{"ObjectToText", `{"a":{"b":1}}`, `{"a":"x"}`, []string{"a"}},
		{"DotInKey", `{}`, `{"a.b":1}`, []string{"a%2Eb"}},
		{"FromNothing", ``, `{"a":1}`, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			decode := func(text string) document.Object {
				if text == "" {
					return nil
				}
				v, err := document.Decode([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				return v.(document.Object)
			}
			if got := document.Changed(decode(test.old), decode(test.new)); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

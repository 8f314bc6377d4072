package schema

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

// TestPropertiesAreTheListedOnes compares the definitions with the list of
// properties that clients may count on, so that none changes or goes unseen.
// A change on purpose is made in both.
func TestPropertiesAreTheListedOnes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/properties.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(text)), "\n")
	var got []string
	for _, name := range definitionNames(t) {
		listing(name, "", definition(t, name), &got)
	}
	slices.Sort(got)
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("not in the list: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("only in the list: %s", line)
		}
	}
}

// listing adds a line to out for schema and each subschema: where it is, its
// keywords and their values.
func listing(name, path string, schema document.Object, out *[]string) {
	line := name + " " + path
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		switch keyword {
		case "$schema", "id", "title", "description", "properties", "patternProperties", "items", "oneOf", "anyOf":
			continue
		case "additionalProperties":
			if schema[keyword] != false {
				continue
			}
		}
		value := canonical(schema[keyword])
		line += fmt.Sprintf(" %s=%s", keyword, strings.Replace(value, base, "", 1))
	}
	*out = append(*out, line)
	for _, keyword := range []string{"properties", "patternProperties"} {
		members, _ := schema[keyword].(document.Object)
		for key, member := range members {
			if keyword == "patternProperties" {
				key = "/" + key + "/"
			}
			listing(name, path+"."+key, member.(document.Object), out)
		}
	}
	if others, ok := schema["additionalProperties"].(document.Object); ok {
		listing(name, path+".*", others, out)
	}
	if elements, ok := schema["items"].(document.Object); ok {
		listing(name, path+"[]", elements, out)
	}
	for _, choice := range []string{"oneOf", "anyOf"} {
		branches, _ := schema[choice].([]any)
		for i, branch := range branches {
			listing(name, fmt.Sprintf("%s %s:%d", path, choice, i), branch.(document.Object), out)
		}
	}
}

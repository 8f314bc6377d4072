package schema

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

// definition reads one of defs, by name.
func definition(t testing.TB, name string) document.Object {
	t.Helper()
	text, err := fs.ReadFile(defFiles, "defs/"+name+".json")
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, text)
}

func decode(t testing.TB, text []byte) document.Object {
	t.Helper()
	v, err := document.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return v.(document.Object)
}

// definitionNames lists defs.
func definitionNames(t testing.TB) []string {
	t.Helper()
	files, err := fs.ReadDir(defFiles, "defs")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".json"))
	}
	return names
}

// refer returns a schema that refers to one of defs, as a function's does.
func refer(t testing.TB, name string) *Schema {
	t.Helper()
	s, err := Compile([]byte(`{"$schema":"http://json-schema.org/draft-04/schema#","$ref":"` + base + name + `.json"}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// canonical returns v as JSON, so that values can be compared as clients see them.
func canonical(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestEveryPropertyOfEveryDefinition(t *testing.T) {
	t.Parallel()
	// What anyOf holds is tested by hand, in TestApply.
	byHand := "/properties/sip/properties/custom_sip_headers/anyOf/"
	for _, name := range definitionNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			def, s := definition(t, name), refer(t, name)
			p := prober{t: t, probed: map[string]bool{}}
			p.schema("", nil, def, nil, false)
			all := map[string]bool{}
			pointers("", def, all)
			for pointer := range all {
				if !p.probed[pointer] && !strings.HasPrefix(pointer, byHand) {
					t.Errorf("%s is not probed", pointer)
				}
			}
			for _, probe := range p.probes {
				check(t, s, probe)
			}
			t.Logf("%d subschemas, %d probes", len(all), len(p.probes))
		})
	}
}

func check(t *testing.T, s *Schema, p probe) {
	t.Helper()
	obj := p.document()
	sent := canonical(obj)
	got := s.Apply(obj)
	if p.rule == "" {
		if len(got) > 0 {
			t.Errorf("%.200s: got %v, want nothing", sent, got)
		}
		var path []string
		for _, s := range p.path {
			path = append(path, s.key)
		}
		if value, ok := at(obj, path); !ok || canonical(value) != canonical(p.value) && !isObject(p.value) {
			t.Errorf("%.200s: got %v, want the value as it was", sent, value)
		}
		return
	}
	var keys []string
	secret := false
	for _, key := range p.at {
		secret = secret || key == "password" || key == "pin" || key == "credentials" || key == "api_key"
		keys = append(keys, strings.ReplaceAll(key, ".", "%2E"))
	}
	path := strings.Join(keys, ".")
	violation, ok := got[path][p.rule]
	if !ok || len(got) != 1 || len(got[path]) != 1 {
		t.Errorf("%.200s: got %v, want %s %s alone", sent, got, path, p.rule)
		return
	}
	want := p.want
	if p.rule == "not_one_schema_valid" { // the value there is the whole choice
		want.Value = violation.Value
	}
	if want.Value != nil && len(canonical(want.Value)) > 1024 || secret {
		want.Value, want.Cause = nil, nil
	}
	if canonical(violation) != canonical(want) {
		t.Errorf("%s: got %.300s, want %.300s", path, canonical(violation), canonical(want))
	}
}

func isObject(v any) bool { _, ok := v.(document.Object); return ok }

// at returns the value at path, where "0" leads into a list.
func at(v any, path []string) (any, bool) {
	for _, key := range path {
		switch holder := v.(type) {
		case document.Object:
			member, ok := holder[key]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			v = holder[0]
		default:
			return nil, false
		}
	}
	return v, true
}

func TestEveryDefinitionIsWellFormed(t *testing.T) {
	t.Parallel()
	for _, name := range definitionNames(t) {
		def := definition(t, name)
		if got, want := def["id"], base+name+".json"; got != want {
			t.Errorf("%s: got id %v, want %s", name, got, want)
		}
		if got, want := def["$schema"], "http://json-schema.org/draft-04/schema#"; got != want {
			t.Errorf("%s: got $schema %v, want %s", name, got, want)
		}
		for _, keyword := range []string{"title", "description"} {
			if text, _ := def[keyword].(string); text == "" {
				t.Errorf("%s has no %s", name, keyword)
			}
		}
		checkDescriptions(t, name, def)
	}
}

// checkDescriptions asks every property for a description or a reference.
func checkDescriptions(t *testing.T, path string, schema document.Object) {
	properties, _ := schema["properties"].(document.Object)
	for key, part := range properties {
		property := part.(document.Object)
		described, refers := property["description"] != nil, property["$ref"] != nil
		if !described && !refers {
			t.Errorf("%s.%s has no description", path, key)
		}
		if refers && len(property) > 1 {
			t.Errorf("%s.%s has siblings of $ref, which count for nothing", path, key)
		}
		checkDescriptions(t, path+"."+key, property)
	}
}

func TestEveryFunctionsSchema(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../functions/*/*/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"auth/api": true, "auth/user": true, "devices/create": true, "devices/notify": true,
		"devices/patch": true, "devices/replace": true, "devices/sync": true,
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		delete(want, filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Compile(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		schema := decode(t, text)
		for _, keyword := range []string{"$schema", "title", "description"} {
			if text, _ := schema[keyword].(string); text == "" {
				t.Errorf("%s has no %s", file, keyword)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no schema.json in %v", reflect.ValueOf(want).MapKeys())
	}
}

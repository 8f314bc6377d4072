package document

import (
	"encoding/json"
	"reflect"
	"testing"
)

func object(t testing.TB, text string) Object {
	t.Helper()
	v, err := Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(Object)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, base, patch, want string }{
		{"AddsAndKeeps", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"Replaces", `{"a":1,"b":"x"}`, `{"a":"y"}`, `{"a":"y","b":"x"}`},
		{"MergesObjectsAtEveryDepth", `{"a":{"b":{"c":1,"d":2},"e":3}}`, `{"a":{"b":{"c":9}}}`, `{"a":{"b":{"c":9,"d":2},"e":3}}`},
		{"NullRemoves", `{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{"NullRemovesInside", `{"a":{"b":1,"c":2}}`, `{"a":{"b":null}}`, `{"a":{"c":2}}`},
		{"NullOfWhatIsAbsent", `{"a":1}`, `{"b":null,"c":{"d":null}}`, `{"a":1,"c":{}}`},
		{"EmptyObjectClears", `{"a":{"b":1}}`, `{"a":{}}`, `{"a":{}}`},
		{"EmptyObjectClearsInside", `{"a":{"b":{"c":1},"d":2}}`, `{"a":{"b":{}}}`, `{"a":{"b":{},"d":2}}`},
		{"EmptyObjectIsAdded", `{}`, `{"a":{}}`, `{"a":{}}`},
		{"EmptyObjectReplacesOtherValues", `{"a":[1]}`, `{"a":{}}`, `{"a":{}}`},
		{"ListsAreReplacedWhole", `{"a":[1,2,3]}`, `{"a":[4]}`, `{"a":[4]}`},
		{"ListsKeepTheirNulls", `{"a":[1]}`, `{"a":[null,{"b":null}]}`, `{"a":[null,{"b":null}]}`},
		{"ObjectReplacesOtherValues", `{"a":1}`, `{"a":{"b":2}}`, `{"a":{"b":2}}`},
		{"OtherValuesReplaceObjects", `{"a":{"b":1}}`, `{"a":false}`, `{"a":false}`},
		{"EmptyPatchChangesNothing", `{"a":{"b":[1]}}`, `{}`, `{"a":{"b":[1]}}`},
		{"KeysWithDotsAreKeys", `{"a":{"b":1}}`, `{"a.b":2}`, `{"a":{"b":1},"a.b":2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			base, patch := object(t, test.base), object(t, test.patch)
			got := Merge(base, patch)
			if want := object(t, test.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, want %s", Canonical(got), test.want)
			}
			if !reflect.DeepEqual(base, object(t, test.base)) || !reflect.DeepEqual(patch, object(t, test.patch)) {
				t.Errorf("an argument was changed: %s, %s", Canonical(base), Canonical(patch))
			}
			overwrite(got) // shares nothing with its arguments
			if !reflect.DeepEqual(base, object(t, test.base)) || !reflect.DeepEqual(patch, object(t, test.patch)) {
				t.Errorf("the result shares memory with an argument: %s, %s", Canonical(base), Canonical(patch))
			}
		})
	}
}

// overwrite changes every object and list in v.
func overwrite(v any) {
	switch v := v.(type) {
	case Object:
		for _, member := range v {
			overwrite(member)
		}
		v["overwritten"] = true
	case []any:
		for i, element := range v {
			overwrite(element)
			v[i] = "overwritten"
		}
	}
}

func TestCopySharesNothing(t *testing.T) {
	t.Parallel()
	const text = `{"a":{"b":[1,{"c":"d"}]},"e":null}`
	obj := object(t, text)
	overwrite(Copy(obj))
	if !reflect.DeepEqual(obj, object(t, text)) {
		t.Errorf("got %s, want %s", Canonical(obj), text)
	}
	if got := Copy(nil); got == nil || len(got) != 0 {
		t.Errorf("copy of nil: got %#v, want an empty object", got)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	obj := object(t, ` { "b" : [ 1.50, "<é>&\u2028" ], "a" : { "d" : null, "c" : true } } `)
	const want = `{"a":{"c":true,"d":null},"b":[1.50,"<é>&\u2028"]}`
	if got := string(Canonical(obj)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCanonicalPanicsOnForeignValues(t *testing.T) {
	t.Parallel()
	for _, foreign := range []any{func() {}, 1, 1.5, []string{"a"}, json.Number("0x1"), json.Number(""), json.Number("[]x")} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%#v: got no panic", foreign)
				}
			}()
			Canonical(Object{"a": foreign})
		}()
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	obj := object(t, `{"a":1,"_id":2,"pvt_type":"x","a_b":{"_c":3},"pvt":4}`)
	want := object(t, `{"a":1,"a_b":{"_c":3},"pvt":4}`)
	if got := Public(obj); !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, want %s", Canonical(got), Canonical(want))
	}
	if len(obj) != 5 {
		t.Errorf("the argument was changed: %s", Canonical(obj))
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	obj := object(t, `{"s":{"t":"x","n":5,"on":true,"off":false,"null":null},"l":["x"],"t":"y"}`)
	if v, ok := At(obj, "s", "n"); !ok || v != json.Number("5") {
		t.Errorf("At s.n: got %v, %v", v, ok)
	}
	if v, ok := At(obj, "s", "null"); !ok || v != nil {
		t.Errorf("At s.null: got %v, %v", v, ok)
	}
	if v, ok := At(obj); !ok || !reflect.DeepEqual(v, obj) {
		t.Errorf("At nothing: got %v, %v", v, ok)
	}
	for _, path := range [][]string{{"x"}, {"s", "x"}, {"t", "x"}, {"l", "0"}, {"s", "null", "x"}} {
		if v, ok := At(obj, path...); ok || v != nil {
			t.Errorf("At %v: got %v, %v, want nothing", path, v, ok)
		}
	}
	for _, test := range []struct {
		path []string
		want string
	}{{[]string{"t"}, "y"}, {[]string{"s", "t"}, "x"}, {[]string{"s", "n"}, ""}, {[]string{"none"}, ""}} {
		if got := Text(obj, test.path...); got != test.want {
			t.Errorf("Text %v: got %q, want %q", test.path, got, test.want)
		}
	}
	for _, otherwise := range []bool{true, false} {
		if !Flag(obj, otherwise, "s", "on") || Flag(obj, otherwise, "s", "off") {
			t.Errorf("Flag with %v does not read the stored value", otherwise)
		}
		if Flag(obj, otherwise, "s", "t") != otherwise || Flag(obj, otherwise, "none") != otherwise {
			t.Errorf("Flag without a stored value is not %v", otherwise)
		}
	}
}

func TestWriters(t *testing.T) {
	t.Parallel()
	obj := object(t, `{"a":{"b":1},"c":"text"}`)
	Put(obj, "x", "a", "d", "e")
	Put(obj, "y", "c", "f")
	Put(obj, "z", "g")
	Remove(obj, "a", "b")
	Remove(obj, "a", "none")
	Remove(obj, "none", "none")
	Remove(obj, "g", "h")
	want := object(t, `{"a":{"d":{"e":"x"}},"c":{"f":"y"},"g":"z"}`)
	if !reflect.DeepEqual(obj, want) {
		t.Errorf("got %s, want %s", Canonical(obj), Canonical(want))
	}
	Remove(obj, "a")
	if _, ok := obj["a"]; ok {
		t.Errorf("a is still there: %s", Canonical(obj))
	}
}

package schema

import (
	"os"
	"reflect"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

// FuzzApply feeds every definition with any JSON object. Apply must not panic,
// and a second Apply must find the document as the first left it.
func FuzzApply(f *testing.F) {
	whole, err := os.ReadFile("testdata/vinix-device.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(whole), `{}`, `{"name":"d"}`, `{"name":"","sip":{"password":"x","expire_seconds":"3e2"}}`,
		`{"media":{},"metaflows":{"numbers":{"1":{"children":{".":{}}}}},"call_forward":{"enabled":"true"}}`,
		`{"provision":{"combo_keys":{"1":null,"2":{"type":"parking","value":99}},"endpoint_model":[1]}}`,
		`{"data":{"event":"a","expires_s":"9e99","body":{"data":null}}}`, `{"credentials":7,"api_key":[],"cidrs":{},"":{"":[{}]}}`,
		`{"sip":{"custom_sip_headers":{"in":{"\n":1}}},"flags":[1.0,1,"1"],"outbound_flags":{"static":0}}`,
	} {
		f.Add([]byte(seed))
	}
	schemas := map[string]*Schema{}
	for _, name := range definitionNames(f) {
		schemas[name] = refer(f, name)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := document.Decode(text)
		if err != nil {
			return
		}
		sent, ok := v.(document.Object)
		if !ok {
			return
		}
		for name, s := range schemas {
			once := document.Copy(sent)
			broken := s.Apply(once)
			twice := document.Copy(once)
			again := s.Apply(twice)
			if !reflect.DeepEqual(once, twice) {
				t.Errorf("%s: once %s, twice %s", name, document.Canonical(once), document.Canonical(twice))
			}
			if !reflect.DeepEqual(broken, again) {
				t.Errorf("%s: once %v, twice %v", name, broken, again)
			}
		}
	})
}

package schema

import (
	"reflect"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	const bare = `"call_restriction":{},"contact_list":{},"enabled":true,"exclude_from_queues":false,"music_on_hold":{},
		"mwi_unsolicited_updates":true,"name":"d","register_overwrite_notify":false,"ringtones":{},
		"sip":{"expire_seconds":300,"invite_format":"contact","method":"password"},"suppress_unregister_notifications":false`
	for _, test := range []struct{ name, schema, sent, want string }{
		{"OfANewDevice", "devices", `{"name":"d"}`, `{` + bare + `}`},
		{"OfEmptyMedia", "devices", `{"name":"d","media":{}}`,
			`{` + bare + `,"media":{"audio":{},"encryption":{"enforce_security":false,"methods":[]},"video":{"codecs":[]}}}`},
		{"OfEmptyCallForward", "devices", `{"name":"d","call_forward":{}}`,
			`{` + bare + `,"call_forward":{"direct_calls_only":false,"enabled":false,"failover":false,"ignore_early_media":true,
			"keep_caller_id":true,"require_keypress":true,"substitute":true}}`},
		{"OfEmptyMetaflows", "devices", `{"name":"d","metaflows":{}}`, `{` + bare + `,"metaflows":{"binding_digit":"*"}}`},
		{"OfMetaflowNodes", "devices",
			`{"name":"d","metaflows":{"binding_digit":"#","numbers":{"1":{"module":"a","children":{"x":{"module":"b"}}}},"patterns":{"^2":{"module":"c","data":{"k":1}}}}}`,
			`{` + bare + `,"metaflows":{"binding_digit":"#","numbers":{"1":{"module":"a","data":{},"children":{"x":{"module":"b","data":{}}}}},
			"patterns":{"^2":{"module":"c","data":{"k":1}}}}}`},
		{"KeepWhatIsThere", "devices", `{"name":"d","enabled":false,"sip":{"method":"ip"}}`,
			`{"call_restriction":{},"contact_list":{},"enabled":false,"exclude_from_queues":false,"music_on_hold":{},
			"mwi_unsolicited_updates":true,"name":"d","register_overwrite_notify":false,"ringtones":{},
			"sip":{"expire_seconds":300,"invite_format":"contact","method":"ip"},"suppress_unregister_notifications":false}`},
		{"MakeNoObjectsWithoutDefault", "devices_notify", `{"data":{"event":"e"}}`, `{"data":{"event":"e"}}`},
		{"OfAnAccount", "accounts", `{"name":"a","notifications":{"first_occurrence":{}}}`,
			`{"name":"a","call_restriction":{},"enabled":true,"music_on_hold":{},"preflow":{},"ringtones":{},
			"notifications":{"first_occurrence":{"sent_initial_call":false,"sent_initial_registration":false}}}`},
		{"OfAUser", "users", `{"first_name":"a","last_name":"b"}`,
			`{"first_name":"a","last_name":"b","call_restriction":{},"contact_list":{},"enabled":true,
			"hotdesk":{"enabled":false,"keep_logged_in_elsewhere":false,"require_pin":false},"music_on_hold":{},"priv_level":"user",
			"require_password_update":false,"ringtones":{},"verified":false,"vm_to_email_enabled":true}`},
		{"OfALogin", "user_auth", `{"credentials":"x"}`, `{"credentials":"x","method":"md5"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			obj := decode(t, []byte(test.sent))
			if got := refer(t, test.schema).Apply(obj); len(got) > 0 {
				t.Errorf("got %v, want nothing", got)
			}
			if want := decode(t, []byte(test.want)); !reflect.DeepEqual(obj, want) {
				t.Errorf("got %s, want %s", document.Canonical(obj), document.Canonical(want))
			}
		})
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	t.Parallel()
	s := refer(t, "devices")
	first, second := document.Object{"name": "a"}, document.Object{"name": "b"}
	s.Apply(first)
	document.Put(first, "x", "sip", "username")
	document.Put(first, "x", "music_on_hold", "media_id")
	s.Apply(second)
	if document.Text(second, "sip", "username") != "" || document.Text(second, "music_on_hold", "media_id") != "" {
		t.Errorf("a default was changed through another document: %s", document.Canonical(second))
	}
}

func TestKeywordsThatFill(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, schema, sent, want string }{
		{"AllOf", `{"allOf":[{"$ref":"` + base + `call_waiting.json"},{"properties":{"n":{"type":"integer","default":1}}}]}`,
			`{"enabled":"true"}`, `{"enabled":true,"n":1}`},
		{"DefaultWithoutType", `{"properties":{"a":{"default":1}}}`, `{}`, `{}`},
		{"DefaultBesideRef", `{"properties":{"a":{"$ref":"` + base + `profile.json","type":"object","default":{}}}}`, `{}`, `{"a":{}}`},
		{"ElementsOfLists", `{"properties":{"a":{"items":{"type":"object","properties":{"b":{"type":"boolean","default":true}}}}}}`,
			`{"a":[{},{"b":"false"}]}`, `{"a":[{"b":true},{"b":false}]}`},
		{"MembersByPattern", `{"patternProperties":{"^n":{"type":"number"},"r$":{"type":"object","properties":{"x":{"type":"string","default":"y"}}}}}`,
			`{"n":"1.5","r":{},"s":"2"}`, `{"n":1.5,"r":{"x":"y"},"s":"2"}`},
		{"OtherMembers", `{"properties":{"a":{"type":"string"}},"patternProperties":{"^b":{}},"additionalProperties":{"type":"integer"}}`,
			`{"a":"1","b":"2","c":"3"}`, `{"a":"1","b":"2","c":3}`},
		{"BranchesOfOneOfAreLeft", `{"properties":{"a":{"oneOf":[{"type":"integer"},{"type":"string"}]}}}`, `{"a":"1"}`, `{"a":"1"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := Compile([]byte(test.schema))
			if err != nil {
				t.Fatal(err)
			}
			obj := decode(t, []byte(test.sent))
			if got := s.Apply(obj); len(got) > 0 {
				t.Errorf("got %v, want nothing", got)
			}
			if want := decode(t, []byte(test.want)); !reflect.DeepEqual(obj, want) {
				t.Errorf("got %s, want %s", document.Canonical(obj), document.Canonical(want))
			}
		})
	}
}

func TestConversion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, sent, want string }{
		{"integer", `"300"`, `300`},
		{"integer", `"+300"`, `300`},
		{"integer", `"-7"`, `-7`},
		{"integer", `"007"`, `7`},
		{"integer", `"300.4"`, `300`},
		{"integer", `"300.5"`, `301`},
		{"integer", `"-300.5"`, `-301`},
		{"integer", `300.0`, `300`},
		{"integer", `300.5`, `301`},
		{"integer", `3e2`, `300`},
		{"integer", `12345678901234567890`, `12345678901234567890`},
		{"integer", `"12345678901234567890"`, `"12345678901234567890"`},
		{"integer", `1e30`, `1e30`},
		{"integer", `"1e999"`, `"1e999"`},
		{"integer", `""`, `""`},
		{"integer", `" 300"`, `" 300"`},
		{"integer", `"300 s"`, `"300 s"`},
		{"integer", `"0x10"`, `"0x10"`},
		{"integer", `"1_000"`, `"1_000"`},
		{"integer", `"NaN"`, `"NaN"`},
		{"integer", `"Inf"`, `"Inf"`},
		{"integer", `true`, `true`},
		{"integer", `null`, `null`},
		{"integer", `["1"]`, `["1"]`},
		{"number", `"1.50"`, `1.5`},
		{"number", `"10"`, `10`},
		{"number", `"1e3"`, `1000`},
		{"number", `1.50`, `1.50`},
		{"number", `"x"`, `"x"`},
		{"boolean", `"true"`, `true`},
		{"boolean", `"false"`, `false`},
		{"boolean", `"True"`, `"True"`},
		{"boolean", `1`, `1`},
		{"boolean", `{}`, `{}`},
		{"string", `300`, `300`},
	} {
		s, err := Compile([]byte(`{"properties":{"a":{"type":"` + test.kind + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		obj := decode(t, []byte(`{"a":`+test.sent+`}`))
		s.Apply(obj)
		if got := canonical(obj["a"]); got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.kind, test.sent, got, test.want)
		}
	}
}

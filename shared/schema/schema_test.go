package schema

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

func TestApply(t *testing.T) {
	t.Parallel()
	device := func(members string) string { return `{"name":"d",` + members + `}` }
	failed := func(value string) string { return `{"message":"failed to validate","value":` + value + `}` }
	const noControl = `Failed to match pattern '^[^\\x00-\\x1f\\x7f]*$'","target":"^[^\\x00-\\x1f\\x7f]*$"`
	for _, test := range []struct {
		name, schema, sent string
		want               map[string]string // "path rule" to the violation; empty: nothing is broken
	}{
		{"AsksForTheName", "devices", `{}`, map[string]string{
			"name required": `{"message":"Field is required but missing","value":"name"}`}},
		{"RefusesNull", "devices", device(`"enabled":null,"sip":null`), map[string]string{
			"enabled type": `{"message":"Value did not match type(s): boolean","target":"boolean"}`,
			"sip type":     `{"message":"Value did not match type(s): object","target":"object"}`}},
		{"TellsEveryBrokenProperty", "devices", `{"name":"","sip":{"method":"none","expire_seconds":"soon"}}`, map[string]string{
			"name minLength":          `{"message":"String must be at least 1 characters","target":1,"value":"","cause":""}`,
			"sip.method enum":         `{"message":"Value not found in enumerated list of values","target":["password","ip"],"value":"none"}`,
			"sip.expire_seconds type": `{"message":"Value did not match type(s): integer","target":"integer","value":"soon"}`}},
		{"NumbersListElements", "devices", device(`"media":{"audio":{"codecs":["PCMU","MP3"]}}`), map[string]string{
			"media.audio.codecs.1 enum": `{"message":"Value not found in enumerated list of values","target":` + codecs + `,"value":"MP3"}`}},
		{"EscapesDotsOfKeys", "devices", device(`"dial_plan":{"^1.(\\d+)$":{"prefix":5}}`), map[string]string{
			`dial_plan.^1%2E(\d+)$.prefix type`: `{"message":"Value did not match type(s): string","target":"string","value":5}`}},
		{"FollowsMetaflowsDown", "devices", device(`"metaflows":{"numbers":{"1":{"module":"a","children":{"_.x":{}}}}}`), map[string]string{
			"metaflows.numbers.1.children._%2Ex.module required": `{"message":"Field is required but missing","value":"module"}`}},
		{"TakesAnyModule", "devices", device(`"metaflows":{"patterns":{"x":{"module":"string"}}}`), nil},
		{"RefusesOtherKeysOfNumbers", "devices", device(`"metaflows":{"numbers":{"one":{"module":"a"}}}`), map[string]string{
			"metaflows.numbers.one additionalProperties": `{"message":"Strict checking of data is enabled; only include schema-defined properties","value":{"module":"a"}}`}},
		{"KeepsUnknownKeys", "devices", device(`"ui_metadata":{"a":[1]},"sip":{"registration_expiration":300}`), nil},
		{"TakesAnyRegex", "devices", device(`"formatters":{"to":{"regex":"(["}}`), nil},
		{"TellsOnlyTheFailedChoice", "devices", device(`"formatters":{"to":[{"strip":"perhaps"},{"direction":"up"}]}`), map[string]string{
			"formatters.to not_one_schema_valid": failed(`[{"strip":"perhaps"},{"direction":"up"}]`)}},
		{"TakesEveryKindOfComboKey", "devices", device(`"provision":{"combo_keys":{"0":null,"1":{"type":"parking","value":10},"2":{"type":"parking","value":"10"},
			"3":{"type":"parking","value":{"label":"Lot","value":1}},"4":{"type":"line"},"5":{"type":"speed_dial","value":"200"},
			"6":{"type":"presence","value":{"label":"Bob","value":"201"}},"x":7}}`), nil},
		{"RefusesBadComboKeys", "devices", device(`"provision":{"feature_keys":{"1":{"type":"parking","value":11},"2":{"value":1},"3":{"type":"line","value":{"label":"x"}}}}`), map[string]string{
			"provision.feature_keys.1 not_one_schema_valid": failed(`{"type":"parking","value":11}`),
			"provision.feature_keys.2 not_one_schema_valid": failed(`{"value":1}`),
			"provision.feature_keys.3 not_one_schema_valid": failed(`{"type":"line","value":{"label":"x"}}`)}},
		{"TakesOutboundFlagsEitherWay", "devices", device(`"outbound_flags":{"static":["a"],"dynamic":["b"]}`), nil},
		{"RefusesControlsInOutboundFlags", "devices", device(`"outbound_flags":["a\n"]`), map[string]string{
			"outbound_flags not_one_schema_valid": failed(`["a\n"]`)}},
		{"TakesModelsOfBothBranches", "devices", device(`"provision":{"endpoint_model":7,"check_sync_event":"check-sync"}`), nil},
		{"TakesFlatCustomHeaders", "devices", device(`"sip":{"custom_sip_headers":{"X-A":"1"}}`), nil},
		{"TakesCustomHeadersByDirection", "devices", device(`"sip":{"custom_sip_headers":{"in":{"X-A":"1"},"out":{}}}`), nil},
		{"TakesMixedCustomHeaders", "devices", device(`"sip":{"custom_sip_headers":{"in":{"X-A":"1"},"X-B":"2","X-C":3}}`), nil},
		{"RefusesControlsInFlatHeaders", "devices", device(`"sip":{"custom_sip_headers":{"X-A":"1\r\nX-B: 2"}}`), map[string]string{
			"sip.custom_sip_headers any_schemas_not_valid": failed(`{"X-A":"1\r\nX-B: 2"}`)}},
		{"RefusesControlsInDirectedHeaders", "devices", device(`"sip":{"custom_sip_headers":{"in":{"X-A":"\n"}}}`), map[string]string{
			"sip.custom_sip_headers any_schemas_not_valid": failed(`{"in":{"X-A":"\n"}}`)}},
		{"RefusesControlsInHeaderNames", "devices", device(`"sip":{"custom_sip_headers":{"X-A: 1\r\nX-B":"2"}}`), map[string]string{
			"sip.custom_sip_headers any_schemas_not_valid": failed(`{"X-A: 1\r\nX-B":"2"}`)}},
		{"RefusesHeaderMapsThatAreNone", "devices", device(`"sip":{"custom_sip_headers":"X-A: 1"}`), map[string]string{
			"sip.custom_sip_headers type": `{"message":"Value did not match type(s): object","target":"object","value":"X-A: 1"}`}},
		{"RefusesPrivateURL", "devices", device(`"call_recording":{"any":{"onnet":{"url":"http://127.0.0.1/"}}}`), map[string]string{
			"call_recording.any.onnet.url error": `{"message":"invalid client URL","value":"http://127.0.0.1/"}`}},
		{"TellsTheLastRuleOfAPath", "devices", `{"name":"` + strings.Repeat("a", 129) + `\n"}`, map[string]string{
			"name pattern": `{"message":"` + noControl + `,"value":"` + strings.Repeat("a", 129) + `\n"}`}},
		{"HidesPasswords", "devices", device(`"sip":{"password":"1234"}`), map[string]string{
			"sip.password minLength": `{"message":"String must be at least 5 characters","target":5}`}},
		{"HidesPasswordsInside", "devices", device(`"sip":[{"username":"a","password":"12345"}]`), map[string]string{
			"sip type": `{"message":"Value did not match type(s): object","target":"object"}`}},
		{"HidesPins", "users", `{"first_name":"a","last_name":"b","hotdesk":{"pin":"12"}}`, map[string]string{
			"hotdesk.pin minLength": `{"message":"String must be at least 4 characters","target":4}`}},
		{"HidesCredentials", "user_auth", `{"credentials":["5f4dcc3b5aa765d61d8327deb882cf99"]}`, map[string]string{
			"credentials type": `{"message":"Value did not match type(s): string","target":"string"}`}},
		{"HidesAPIKeys", "api_auth", `{"api_key":"short"}`, map[string]string{
			"api_key minLength": `{"message":"String must be at least 64 characters","target":64}`}},
		{"HidesLongValues", "devices", device(`"device_type":"` + strings.Repeat("a", 1024) + `\n"`), map[string]string{
			"device_type pattern": `{"message":"` + noControl + `}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := map[string]string{}
			for path, rules := range refer(t, test.schema).Apply(decode(t, []byte(test.sent))) {
				for rule, violation := range rules {
					got[path+" "+rule] = canonical(violation)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %d violations, want %d: %v", len(got), len(test.want), got)
			}
			for where, want := range test.want {
				if got[where] != want {
					t.Errorf("%s: got %s, want %s", where, got[where], want)
				}
			}
		})
	}
}

const codecs = `["OPUS","CELT@32000h","G7221@32000h","G7221@16000h","G722","speex@32000h","speex@16000h","PCMU","PCMA","G729","GSM",` +
	`"CELT@48000h","CELT@64000h","G722_16","G722_32","CELT_48","CELT_64","Speex","speex"]`

func TestRefusesControlCharactersWhereTheyDoHarm(t *testing.T) {
	t.Parallel()
	s := refer(t, "devices")
	for _, path := range []string{
		"name", "mac_address", "owner_id", "presence_id", "device_type", "ringtones.internal", "ringtones.external",
		"sip.username", "sip.realm", "sip.ip", "sip.password", "sip.static_route", "sip.static_invite", "sip.route", "sip.forward",
		"sip.proxy", "sip.transport", "sip.number", "sip.custom_sip_interface",
		"provision.check_sync_event", "provision.check_sync_reload", "provision.check_sync_reboot",
		"provision.endpoint_brand", "provision.endpoint_family", "call_forward.number",
		"caller_id.internal.name", "caller_id.internal.number", "caller_id.external.name", "caller_id.external.number",
		"caller_id.emergency.name", "caller_id.emergency.number", "caller_id.asserted.name", "caller_id.asserted.number", "caller_id.asserted.realm",
	} {
		for _, control := range "\x00\t\n\r\x1f\x7f" {
			obj := document.Object{"name": "d"}
			text := strings.Repeat("a", 10) + string(control)
			if path == "owner_id" {
				text = strings.Repeat("a", 31) + string(control)
			}
			document.Put(obj, text, strings.Split(path, ".")...)
			if got := s.Apply(obj); got[path]["pattern"].Message == "" {
				t.Errorf("%s with %q: got %v, want a pattern violation", path, control, got)
			}
		}
	}
}

func TestNotifyEvents(t *testing.T) {
	t.Parallel()
	s := refer(t, "devices_notify")
	for event, good := range map[string]bool{
		"check-sync":                        true,
		"check-sync;reboot=true":            true,
		`ua-profile; profile-type="device"`: true,
		"resync_profile.winfo":              true,
		"aastra-xml;x=a/b":                  true,
		strings.Repeat("a", 128):            true,
		"":                                  false,
		" check-sync":                       false,
		";reboot=true":                      false,
		"check-sync\r\nX-Evil: 1":           false,
		"check-sync\n":                      false,
		"check-sync\x00":                    false,
		"talk,hold":                         false,
		"talk: hold":                        false,
		"événement":                         false,
		strings.Repeat("a", 129):            false,
	} {
		got := s.Apply(document.Object{"data": document.Object{"event": event}})
		if (len(got) == 0) != good {
			t.Errorf("%q: got %v, want good %v", event, got, good)
		}
	}
}

func TestBoundsWhatItTells(t *testing.T) {
	t.Parallel()
	flags := make([]any, 1000)
	for i := range flags {
		flags[i] = true
	}
	got := refer(t, "devices").Apply(document.Object{"flags": flags})
	if len(got) != maxViolations {
		t.Errorf("got %d violations, want %d", len(got), maxViolations)
	}
	for _, path := range []string{"flags.0", "flags.1", "flags.10", "flags.100", "flags.101"} { // sorted as text
		if got[path]["type"].Message == "" {
			t.Errorf("%s is not told", path)
		}
	}
}

func TestBoundsTheValuesOfADocument(t *testing.T) {
	t.Parallel()
	s := refer(t, "devices")
	obj := func(n int) document.Object { // of n values
		list := make([]any, n-3)
		return document.Object{"name": "d", "unknown": list}
	}
	if got := s.Apply(obj(maxValues)); len(got) > 0 {
		t.Errorf("%d values: got %v, want nothing", maxValues, got)
	}
	full := obj(maxValues + 1)
	want := fault.Violations{"data": {"maxSize": {Message: "The document must not hold more than 10000 values", Target: 10000}}}
	if got := s.Apply(full); !reflect.DeepEqual(got, want) {
		t.Errorf("%d values: got %v, want %v", maxValues+1, got, want)
	}
	if len(full) != 2 {
		t.Errorf("a refused document was changed")
	}
}

func TestWholeDeviceRoundTrips(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vinix-device.json")
	if err != nil {
		t.Fatal(err)
	}
	obj, want := decode(t, text), decode(t, text)
	if got := refer(t, "devices").Apply(obj); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
	// The defaults of what the body sends empty.
	document.Put(want, decode(t, []byte(`{"enforce_security":false,"methods":[]}`)), "media", "encryption")
	document.Put(want, []any{}, "media", "video", "codecs")
	document.Put(want, decode(t, []byte(`{"expire_seconds":300,"invite_format":"contact","method":"password"}`)), "sip")
	if !reflect.DeepEqual(obj, want) {
		t.Errorf("got %s, want %s", document.Canonical(obj), document.Canonical(want))
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		fmt.Fprint(w, `{"type":"object"}`)
	}))
	defer server.Close()
	file := t.TempDir() + "/schema.json"
	if err := os.WriteFile(file, []byte(`{"type":"object"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, schema string }{
		{"Web", `{"$ref":"` + server.URL + `/a.json"}`},
		{"WebInOneOf", `{"oneOf":[{"$ref":"` + server.URL + `/b.json"}]}`},
		{"WebInDefinitions", `{"definitions":{"a":{"$ref":"` + server.URL + `/c.json"}}}`},
		{"RelativeToWeb", `{"id":"` + server.URL + `/","properties":{"a":{"$ref":"d.json"}}}`},
		{"File", `{"$ref":"file://` + file + `"}`},
		{"UnknownDefinition", `{"properties":{"a":{"$ref":"` + base + `nothing.json"}}}`},
		{"NameOnly", `{"$ref":"devices.json"}`},
		{"PathOutOfDefinitions", `{"$ref":"` + base + `../schema.go"}`},
		{"Pointer", `{"$ref":"#/definitions/a","definitions":{"a":{}}}`},
		{"MetaSchema", `{"properties":{"a":{"$ref":"http://json-schema.org/draft-04/schema"}}}`},
		{"NoJSON", `{`},
		{"TwoDocuments", `{} {}`},
		{"NoObject", `[]`},
		{"UnknownType", `{"type":"text"}`},
		{"WrongPattern", `{"patternProperties":{"(":{}}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Compile([]byte(test.schema)); err == nil {
				t.Error("got no error")
			}
			defer func() {
				if recover() == nil {
					t.Error("MustCompile did not panic")
				}
			}()
			MustCompile([]byte(test.schema))
		})
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d schemas were fetched", n)
	}
}

func TestApplyFromManyGoroutines(t *testing.T) {
	t.Parallel()
	s := refer(t, "devices")
	text, err := os.ReadFile("testdata/vinix-device.json")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			obj := decode(t, text)
			obj["enabled"] = "perhaps"
			if got := s.Apply(obj); len(got) != 1 {
				t.Errorf("got %v, want one violation", got)
			}
		})
	}
	all.Wait()
}

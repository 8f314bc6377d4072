package device_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
)

// store keeps the last change; its other methods are not used here.
type store struct {
	device.Store
	change device.Change
	added  command.Command
}

func (s *store) WriteDevice(_ context.Context, c device.Change) error  { s.change = c; return nil }
func (s *store) RemoveDevice(_ context.Context, c device.Change) error { s.change = c; return nil }
func (s *store) AddCommand(_ context.Context, c command.Command) error { s.added = c; return nil }

// anything is a schema that is always content.
type anything struct{}

func (anything) Apply(document.Object) fault.Violations { return nil }

var (
	now   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	actor = device.Actor{
		Account: account.Account{ID: "acc", Realm: "demo.localhost", Enabled: true},
		Author:  device.Author{AccountID: "caller", UserID: "user", RequestID: "req"},
	}
)

func newService() (device.Service, *store) {
	s := &store{}
	return device.Service{Store: s, Schema: anything{}, Now: func() time.Time { return now }}, s
}

func object(t *testing.T, text string) document.Object {
	t.Helper()
	v, err := document.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v.(document.Object)
}

func TestNormalises(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, sent, stored string }{
		{"MACAddress", `{"mac_address":"00:04:F2:AB:7E:FD"}`, `{"mac_address":"0004f2ab7efd"}`},
		{"MACAddressWithoutDigits", `{"mac_address":"string"}`, `{"mac_address":"string"}`},
		{"OutboundFlags", `{"outbound_flags":[" a ","b"]}`, `{"outbound_flags":["a","b"]}`},
		{"OutboundFlagsObjectStays", `{"outbound_flags":{"static":["x"]}}`, `{"outbound_flags":{"static":["x"]}}`},
		{"OwnRealmGoes", `{"sip":{"realm":"Demo.LOCALHOST","username":"u1"}}`, `{"sip":{"username":"u1"}}`},
		{"OtherRealmStays", `{"sip":{"realm":"Other.Example"}}`, `{"sip":{"realm":"other.example"}}`},
		{"NullsOfProvisionGo", `{"provision":{"id":null,"keys":{"a":null,"b":1}}}`, `{"provision":{"keys":{"b":1}}}`},
		{"EmergencyNumber", `{"caller_id":{"emergency":{"number":"(415) 555-0100"}}}`, `{"caller_id":{"emergency":{"number":"+14155550100"}}}`},
		{"ForeignEmergencyNumber", `{"caller_id":{"emergency":{"number":"+44 20 7946 0000"}}}`, `{"caller_id":{"emergency":{"number":"+442079460000"}}}`},
		{"ShortEmergencyNumber", `{"caller_id":{"emergency":{"number":"112"}}}`, `{"caller_id":{"emergency":{"number":"112"}}}`},
		{"PrivateKeysGo", `{"_id":"x","pvt_type":"y","ui_metadata":{"a":1}}`, `{"ui_metadata":{"a":1}}`},
		{"SyncGoes", `{"sync":true}`, `{}`},
		{"WrongTypesAreLeftToTheSchema", `{"mac_address":1,"provision":"x","sip":[]}`, `{"mac_address":1,"provision":"x","sip":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service, kept := newService()
			if _, err := service.Create(t.Context(), actor, object(t, test.sent)); err != nil {
				t.Fatal(err)
			}
			if got := string(document.Canonical(kept.change.Device.Doc)); got != test.stored {
				t.Errorf("got %s, want %s", got, test.stored)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	mobile := device.Device{ID: "d", AccountID: "acc", Rev: 1, Doc: document.Object{
		"device_type": "mobile", "mobile": document.Object{"mdn": "+14155550100"}}}
	desk := device.Device{ID: "d", AccountID: "acc", Rev: 1, Doc: document.Object{"device_type": "sip_device"}}
	for _, test := range []struct {
		name       string
		old        device.Device
		data       string
		path, rule string
		message    string
	}{
		{"AddressThatIsNoIPv4", device.Device{}, `{"sip":{"method":"ip","ip":"2001:db8::1"}}`, "sip.ip", "type", "Must be a valid IPv4 RFC 791"},
		{"MissingAddress", device.Device{}, `{"sip":{"method":"ip"}}`, "sip.ip", "type", "Must be a valid IPv4 RFC 791"},
		{"UnknownMethod", device.Device{}, `{"sip":{"method":"magic"}}`, "sip.method", "enum", "SIP authentication method is invalid"},
		{"MobileWithoutNumber", device.Device{}, `{"device_type":"mobile"}`, "mobile.mdn", "required", "Field is required but missing"},
		{"ChangedNumber", mobile, `{"device_type":"mobile","mobile":{"mdn":"+14155550199"}}`, "mobile.mdn", "invalid", "Mobile Device Number cannot be changed"},
		{"ChangedType", desk, `{"device_type":"fax"}`, "device_type", "invalid", "Not authorized to change type of device"},
		{"MalformedID", device.Device{}, `{"id":"a#b"}`, "id", "pattern", "An id is 1 to 64 letters, digits, '-' and '_'"},
		{"IDThatIsNoText", device.Device{}, `{"id":7}`, "id", "pattern", "An id is 1 to 64 letters, digits, '-' and '_'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service, kept := newService()
			var err error
			if test.old.Rev == 0 {
				_, err = service.Create(t.Context(), actor, object(t, test.data))
			} else {
				_, err = service.Replace(t.Context(), actor, test.old, object(t, test.data))
			}
			got, ok := fault.ViolationsOf(err)[test.path][test.rule]
			if !ok || got.Message != test.message {
				t.Errorf("got %v, want %s %s %q", err, test.path, test.rule, test.message)
			}
			if kept.change.Device.ID != "" {
				t.Error("it was stored all the same")
			}
		})
	}
}

func TestSuperduperMayChangeType(t *testing.T) {
	t.Parallel()
	service, _ := newService()
	by := actor
	by.Superduper = true
	old := device.Device{ID: "d", AccountID: "acc", Rev: 1, Doc: document.Object{"device_type": "sip_device"}}
	d, err := service.Patch(t.Context(), by, old, object(t, `{"device_type":"fax"}`))
	if err != nil || d.Doc["device_type"] != "fax" {
		t.Errorf("got %v, %v", d.Doc, err)
	}
}

func TestReplaceKeepsTypeThatTheClientOmits(t *testing.T) {
	t.Parallel()
	service, _ := newService()
	old := device.Device{ID: "d", AccountID: "acc", Rev: 1, Doc: document.Object{"device_type": "fax", "name": "a"}}
	d, err := service.Replace(t.Context(), actor, old, object(t, `{"name":"b"}`))
	if err != nil || d.Doc["device_type"] != "fax" || d.Doc["name"] != "b" || d.Rev != 2 {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestCreateHonoursTheIDOfTheClient(t *testing.T) {
	t.Parallel()
	service, _ := newService()
	d, err := service.Create(t.Context(), actor, object(t, `{"id":"4f3330e78e664bb57f8fb23fbaac2429"}`))
	if err != nil || d.ID != "4f3330e78e664bb57f8fb23fbaac2429" || len(d.Doc) != 0 {
		t.Errorf("got %v, %v", d, err)
	}
	if d, _ := service.Create(t.Context(), actor, document.Object{}); len(d.ID) != 32 {
		t.Errorf("made id %q", d.ID)
	}
}

func TestRefusesWhatNoItemCanHold(t *testing.T) {
	t.Parallel()
	service, _ := newService()
	_, err := service.Create(t.Context(), actor, document.Object{"ui_metadata": strings.Repeat("x", 390_000)})
	if fault.Of(err) != fault.TooLarge {
		t.Errorf("got %v, want %v", err, fault.TooLarge)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	secret := credential.New("demo.localhost", "Bob", "secret1")
	secret.AccountID, secret.DeviceID, secret.OwnerID = "acc", "d", "own"
	nopass := credential.Credential{Realm: "demo.localhost", Username: "Bob", AccountID: "acc", DeviceID: "d", Enabled: true}
	foreign := credential.New("other.example", "Bob", "secret1")
	foreign.AccountID, foreign.DeviceID, foreign.Enabled = "acc", "d", false
	address := credential.Credential{Realm: "demo.localhost", AccountID: "acc", DeviceID: "d", Enabled: true}
	for _, test := range []struct {
		name, data string
		want       device.Claims
	}{
		{"Nothing", `{"name":"n"}`, device.Claims{OwnRealm: true}},
		{"Password", `{"owner_id":"own","sip":{"username":"Bob","password":"secret1"}}`, device.Claims{Credential: &secret, OwnRealm: true}},
		{"UsernameWithoutPasswordHasNoDigest", `{"sip":{"username":"Bob"}}`, device.Claims{Credential: &nopass, OwnRealm: true}},
		{"DisabledInOtherRealm", `{"enabled":false,"sip":{"username":"Bob","password":"secret1","realm":"Other.example"}}`, device.Claims{Credential: &foreign}},
		{"Address", `{"sip":{"method":"ip","ip":"192.0.2.7"}}`, device.Claims{Address: &address, IP: "192.0.2.7", OwnRealm: true}},
		{"MACAddress", `{"mac_address":"00:04:F2:AB:7E:FD"}`, device.Claims{MAC: "0004f2ab7efd", OwnRealm: true}},
		{"MobileNumber", `{"device_type":"mobile","mobile":{"mdn":"+1"}}`, device.Claims{MDN: "+1", OwnRealm: true}},
		{"NumberOfNoMobile", `{"mobile":{"mdn":"+1"}}`, device.Claims{OwnRealm: true}},
		{"Hotdesk", `{"hotdesk":{"users":{"u2":{},"u1":{}}}}`, device.Claims{Users: []string{"u1", "u2"}, OwnRealm: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service, kept := newService()
			data := object(t, test.data)
			data["id"] = "d"
			if _, err := service.Create(t.Context(), actor, data); err != nil {
				t.Fatal(err)
			}
			if got := kept.change.Claims; !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestConsequences(t *testing.T) {
	t.Parallel()
	base := `{"name":"n","enabled":true,"sip":{"username":"bob","password":"secret1"}}`
	address := `{"sip":{"method":"ip","ip":"192.0.2.7"}}`
	for _, test := range []struct {
		name, before, patch string
		drop, notify        bool
	}{
		{"NewName", base, `{"name":"m"}`, false, false},
		{"NewNameWithSync", base, `{"name":"m","sync":true}`, false, false},
		{"NewPassword", base, `{"sip":{"password":"secret2"}}`, true, false},
		{"NewPasswordWithSync", base, `{"sip":{"password":"secret2"},"sync":true}`, true, true},
		{"NewUsername", base, `{"sip":{"username":"bobby"}}`, true, false},
		{"OtherCaseOfUsername", base, `{"sip":{"username":"Bob"}}`, true, false},
		{"NewRealm", base, `{"sip":{"realm":"other.example"}}`, true, false},
		{"NoUsername", base, `{"sip":{"username":null}}`, true, false},
		{"Disabled", base, `{"enabled":false}`, true, false},
		{"StillDisabled", `{"enabled":false,"sip":{"username":"bob"}}`, `{"name":"m"}`, false, false},
		{"Enabled", `{"enabled":false,"sip":{"username":"bob"}}`, `{"enabled":true}`, false, false},
		{"NeverHadACredential", `{"name":"n"}`, `{"sip":{"username":"bob","password":"secret1"}}`, false, false},
		{"NewAddress", address, `{"sip":{"ip":"192.0.2.8"}}`, true, false},
		{"AddressToPassword", address, `{"sip":{"method":"password","username":"bob"}}`, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service, kept := newService()
			old := device.Device{ID: "d", AccountID: "acc", Rev: 4, Doc: object(t, test.before)}
			if _, err := service.Patch(t.Context(), actor, old, object(t, test.patch)); err != nil {
				t.Fatal(err)
			}
			cmd := kept.change.Command
			if drop, notify := cmd != nil && cmd.Drop, cmd != nil && cmd.Notify != nil; drop != test.drop || notify != test.notify {
				t.Fatalf("got drop %v, notify %v; want %v, %v", drop, notify, test.drop, test.notify)
			}
			if cmd == nil {
				return
			}
			if cmd.AccountID != "acc" || cmd.DeviceID != "d" || cmd.State != command.Pending || cmd.RequestID != "req" ||
				!cmd.Created.Equal(now) || !cmd.Expires.Equal(now.Add(command.DefaultLife)) || len(cmd.ID) != 26 {
				t.Errorf("got command %+v", cmd)
			}
			if test.before == base && cmd.AOR != "bob@demo.localhost" {
				t.Errorf("got AOR %q: the phones are bound to the old one", cmd.AOR)
			}
		})
	}
}

func TestDeleteCutsThePhoneOff(t *testing.T) {
	t.Parallel()
	service, kept := newService()
	d := device.Device{ID: "d", AccountID: "acc", Rev: 4, Doc: object(t, `{"sip":{"username":"bob","password":"secret1"}}`)}
	if err := service.Delete(t.Context(), actor, d); err != nil {
		t.Fatal(err)
	}
	c := kept.change
	if c.Command == nil || !c.Command.Drop || c.Old.Credential == nil || c.Claims.Credential != nil {
		t.Errorf("got %+v", c)
	}
}

func TestSyncWords(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	doc := `{"provision":{"endpoint_brand":"yealink","check_sync_event":"a","check_sync_reboot":"b","check_sync_reload":"c"}}`
	for _, test := range []struct {
		name, doc string
		reboot    *bool
		event     string
	}{
		{"OfTheDevice", doc, nil, "a"},
		{"OfTheDeviceForReboot", doc, &yes, "b"},
		{"OfTheDeviceForReload", doc, &no, "c"},
		{"LeftToTheVendor", `{}`, &yes, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service, kept := newService()
			d := device.Device{ID: "d", AccountID: "acc", Rev: 1, Doc: object(t, test.doc)}
			id, err := service.Sync(t.Context(), actor, d, test.reboot, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			cmd := kept.added
			if cmd.ID != id || cmd.Notify.Event != test.event || cmd.Notify.Reboot != test.reboot || cmd.Drop ||
				!cmd.Expires.Equal(now.Add(time.Minute)) {
				t.Errorf("got %+v, %+v", cmd, cmd.Notify)
			}
		})
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	full := object(t, `{"name":"n","owner_id":"o","enabled":false,"device_type":"fax","mac_address":"0a","mobile":{"mdn":"1"},
		"call_recording":{},"flags":["f"],"sip":{"username":"bob"},"timezone":"x"}`)
	for _, test := range []struct {
		name string
		got  document.Object
		want string
	}{
		{"Full", device.Device{ID: "d", Doc: full}.Summary(), `{"call_recording":{},"device_type":"fax","enabled":false,"flags":["f"],"id":"d","mac_address":"0a","mobile":{"mdn":"1"},"name":"n","owner_id":"o","username":"bob"}`},
		{"Bare", device.Device{ID: "d", Doc: document.Object{"name": "n"}}.Summary(), `{"device_type":"sip_device","enabled":true,"flags":[],"id":"d","mac_address":"","name":"n"}`},
		{"OfOwner", device.Device{ID: "d", Doc: full}.UserSummary("o"), `{"call_recording":{},"device_type":"fax","enabled":false,"hotdesked":false,"id":"d","mac_address":"0a","name":"n","owner_id":"o"}`},
		{"OfGuest", device.Device{ID: "d", Doc: document.Object{"name": "n", "owner_id": "o"}}.UserSummary("g"), `{"device_type":"sip_device","enabled":true,"hotdesked":true,"id":"d","mac_address":"","name":"n","owner_id":"o"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, _ := json.Marshal(test.got); string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/document"
)

// TestDocumentedRequests sends what Kazoo's documentation of devices shows, in
// its order, with the headers that its curl lines send.
func TestDocumentedRequests(t *testing.T) {
	t.Parallel()
	c := login(t)
	const (
		asJSON = "application/json"
		asForm = "application/x-www-form-urlencoded" // what curl says of -d
		whole  = `{"data":{
        "name": "new device",
        "call_restriction": {},
        "caller_id": {},
        "contact_list": {},
        "dial_plan": {},
        "enabled": true,
        "exclude_from_queues": false,
        "media": {
            "audio": {"codecs": ["PCMU"]},
            "encryption": {"enforce_security": false, "methods": []},
            "video": {"codecs": []}
        },
        "music_on_hold": {},
        "mwi_unsolicited_updates": true,
        "register_overwrite_notify": false,
        "ringtones": {},
        "sip": {
            "invite_format": "username",
            "method": "password",
            "registration_expiration": 300
        },
        "suppress_unregister_notifications": false,
        "id": "4f3330e78e664bb57f8fb23fbaac2429"
        }}`
	)
	created := c.call("PUT", devices(), `{"data":{"name":"New Device"}}`, 201)
	id := created.data("id").(string)
	if location := created.header.Get("Location"); location != "/v2"+devices()+"/"+id {
		t.Errorf("got location %q", location)
	}
	const defaults = `{"call_restriction":{},"contact_list":{},"enabled":true,"exclude_from_queues":false,"music_on_hold":{},` +
		`"mwi_unsolicited_updates":true,"name":"New Device","register_overwrite_notify":false,"ringtones":{},` +
		`"sip":{"expire_seconds":300,"invite_format":"contact","method":"password"},"suppress_unregister_notifications":false}`
	made := document.Copy(created.data().(document.Object))
	delete(made, "id")
	if got := string(document.Canonical(made)); got != defaults {
		t.Errorf("got device %s, want %s", got, defaults)
	}

	userID := "0123456789abcdef0123456789abcdef"
	for _, request := range []struct {
		name, method, path, contentType, body string
		status                                int
		check                                 func(t *testing.T, got answer)
	}{
		{"Fetch", "GET", devices(), "", "", 200, func(t *testing.T, got answer) {
			size, _ := got.body["page_size"].(interface{ String() string })
			if list := got.data().([]any); size == nil || size.String() == "0" || len(list) == 0 {
				t.Errorf("got %s", got.text)
			}
		}},
		{"FetchOne", "GET", devices() + "/" + id, "", "", 200, func(t *testing.T, got answer) {
			if got.data("name") != "New Device" {
				t.Errorf("got %s", got.text)
			}
		}},
		{"Change", "POST", devices() + "/" + id, asJSON, whole, 200, func(t *testing.T, got answer) {
			format, _ := document.At(got.body, "data", "sip", "registration_expiration")
			if got.data("name") != "new device" || got.data("id") != id || format == nil {
				t.Errorf("got %s", got.text)
			}
		}},
		{"Patch", "PATCH", devices() + "/" + id, asForm, `{"data":{"presence_id":"dis_my_device"}}`, 200, func(t *testing.T, got answer) {
			if got.data("presence_id") != "dis_my_device" || got.data("name") != "new device" {
				t.Errorf("got %s", got.text)
			}
		}},
		{"Notify", "POST", devices() + "/" + id + "/notify", asJSON, "{\"action\": \"notify\",\n         \"data\": {\n           \"event\": \"event\"\n         }\n        }", 200, func(t *testing.T, got answer) {
			if got.data() != "NOTIFY sent" {
				t.Errorf("got %s", got.text)
			}
		}},
		{"Status", "GET", devices() + "/status", "", "", 200, nil},
		{"Reboot", "POST", devices() + "/" + id + "/sync", "", "", 200, func(t *testing.T, got answer) {
			if got.data() != "sync request sent" {
				t.Errorf("got %s", got.text)
			}
		}},
		{"UsersDevices", "GET", "/accounts/" + system.credentials["account_id"] + "/users/" + userID + "/devices", "", "", 200, nil},
		{"AuthnByIP", "PUT", devices(), asJSON, `{"data":{"enabled":true,"name":"authn_by_ip","sip":{"invite_format":"e164", "ip":"192.0.2.77","method":"ip"}}}`, 201, func(t *testing.T, got answer) {
			removeLater(t, c, got.data("id").(string))
			if got.data("sip", "ip") != "192.0.2.77" || got.data("sip", "method") != "ip" {
				t.Errorf("got %s", got.text)
			}
		}},
		{"Remove", "DELETE", devices() + "/" + id, "", "", 200, func(t *testing.T, got answer) {
			if got.data("id") != id || got.data("_read_only", "deleted") != true {
				t.Errorf("got %s", got.text)
			}
		}},
		{"RemovedIsGone", "GET", devices() + "/" + id, "", "", 404, func(t *testing.T, got answer) {
			if got.body["message"] != "bad_identifier" || got.data("cause") != id || got.body["error"] != "404" || got.body["code"] != "bad_identifier" {
				t.Errorf("got %s", got.text)
			}
		}},
	} {
		t.Run(request.name, func(t *testing.T) { // in order: each builds on the one before
			c := client{t: t, token: c.token}
			r, err := http.NewRequest(request.method, system.api+"/v2"+request.path, strings.NewReader(request.body))
			if err != nil {
				t.Fatal(err)
			}
			if request.contentType != "" {
				r.Header.Set("Content-Type", request.contentType)
			}
			got := c.do(r, request.status)
			if request.status < 300 && (got.body["status"] != "success" || got.body["auth_token"] != c.token || got.body["request_id"] == nil) {
				t.Errorf("got envelope %s", got.text)
			}
			if request.check != nil {
				request.check(t, got)
			}
		})
	}
}

func TestDevicesOfAUser(t *testing.T) {
	t.Parallel()
	c := login(t)
	userID, guest := "aaaabbbbccccddddeeeeffff00001111", "aaaabbbbccccddddeeeeffff00002222"
	owned := c.call("PUT", devices(), `{"data":{"name":"owned","owner_id":"`+userID+`","hotdesk":{"users":{"`+guest+`":{}}}}}`, 201).data("id")
	removeLater(t, c, owned.(string))
	path := "/accounts/" + system.credentials["account_id"] + "/users/"
	for user, hotdesked := range map[string]bool{userID: false, guest: true} {
		eventually(t, func() string {
			got := c.call("GET", path+user+"/devices", nil, 200)
			list := got.data().([]any)
			if len(list) == 1 && list[0].(document.Object)["id"] == owned && list[0].(document.Object)["hotdesked"] == hotdesked {
				return ""
			}
			return "got " + got.text
		})
	}
}

func TestPathsOfAllPrefixes(t *testing.T) {
	t.Parallel()
	c := login(t)
	for _, prefix := range []string{"", "/v1", "/v2"} {
		r, err := http.NewRequest("GET", system.api+prefix+devices(), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.do(r, 200)
	}
	if got := c.call("GET", "/nothing/here", nil, 404); got.body["message"] != "not_found" {
		t.Errorf("got %s", got.text)
	}
	if got := c.call("DELETE", devices(), nil, 405); got.body["message"] != "invalid_method" {
		t.Errorf("got %s", got.text)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	byKey := client{t: t}.call("PUT", "/api_auth", document.Object{"data": document.Object{"api_key": system.credentials["api_key"]}}, 201)
	c := client{t: t, token: byKey.body["auth_token"].(string)}
	c.call("GET", devices(), nil, 200)

	bearer, err := http.NewRequest("GET", system.api+"/v2"+devices(), nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer.Header.Set("Authorization", "Bearer "+c.token)
	client{t: t}.do(bearer, 200)
	client{t: t}.call("GET", devices()+"?auth_token="+c.token, nil, 200)

	for name, token := range map[string]string{"None": "", "Garbage": "x.y.z", "Cut": c.token[:len(c.token)-4]} {
		if got := (client{t: t, token: token}).call("GET", devices(), nil, 401); got.body["message"] != "invalid_credentials" {
			t.Errorf("%s: got %s", name, got.text)
		}
	}
	c.call("DELETE", "/token_auth", nil, 200)
	c.call("GET", devices(), nil, 401)

	wrong := `{"data":{"credentials":"` + strings.Repeat("0", 32) + `","account_name":"` + system.credentials["account_name"] + `"}}`
	nobody := `{"data":{"credentials":"` + strings.Repeat("0", 32) + `","account_name":"no such account"}}`
	a, b := client{t: t}.call("PUT", "/user_auth", wrong, 401), client{t: t}.call("PUT", "/user_auth", nobody, 401)
	if a.data("message") != b.data("message") || a.body["message"] != b.body["message"] {
		t.Errorf("a wrong password and an unknown account differ: %s, %s", a.text, b.text)
	}
}

func TestRefusedBodiesStoreNothing(t *testing.T) {
	t.Parallel()
	c := login(t)
	name := "refused-body"
	for what, body := range map[string]string{
		"Oversized":    `{"data":{"name":"` + name + `","pad":"` + strings.Repeat("x", 500_000) + `"}}`,
		"Truncated":    `{"data":{"name":"` + name + `"`,
		"DuplicateKey": `{"data":{"name":"` + name + `","name":"` + name + `"}}`,
		"WrongType":    `{"data":{"name":"` + name + `","ringtones":7}}`,
		"NotJSON":      `name=` + name,
	} {
		want := 400
		if what == "Oversized" {
			want = 413
		}
		if got := c.call("PUT", devices(), body, want); got.body["message"] != "validation error" || got.body["code"] != "validation_error" {
			t.Errorf("%s: got %s", what, got.text)
		}
	}
	if got := c.call("GET", devices()+"?filter_name="+name, nil, 200); len(got.data().([]any)) != 0 {
		t.Errorf("something was stored: %s", got.text)
	}
}

// TestVinixBody stores the whole body of Vinix's documentation and gets it
// back as it was sent, with nothing but defaults added.
func TestVinixBody(t *testing.T) {
	t.Parallel()
	c := login(t)
	text, err := os.ReadFile("../../shared/schema/testdata/vinix-device.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := document.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	sent := v.(document.Object)
	delete(sent, "device_type") // belongs to the device's creation
	id := c.call("PUT", devices(), `{"data":{"name":"before"}}`, 201).data("id").(string)
	c.call("POST", devices()+"/"+id, document.Object{"data": sent}, 200)
	got := c.call("GET", devices()+"/"+id, nil, 200).data().(document.Object)
	for _, path := range document.Changed(sent, got) {
		if _, wasSent := document.At(sent, strings.Split(path, ".")...); wasSent {
			t.Errorf("%s came back changed", path)
		}
	}
}

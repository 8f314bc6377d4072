package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: create(w.Devices)}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		status     int
		path, rule string // of the violation
	}{
		{"NameIsEnough", `{"data":{"name":"d"}}`, 201, "", ""},
		{"UnknownKeysAreKept", `{"data":{"name":"d","ui_metadata":{"v":1}}}`, 201, "", ""},
		{"RefusesEmptyBody", ``, 400, "name", "required"},
		{"RefusesWrongType", `{"data":{"name":"d","enabled":{}}}`, 400, "enabled", "type"},
		{"RefusesTakenUsername", `{"data":{"name":"d","sip":{"username":"BOB","password":"secret1"}}}`, 400, "sip.username", "unique"},
		{"RefusesTakenMAC", `{"data":{"name":"d","mac_address":"00-04-f2-ab-7e-fd"}}`, 400, "mac_address", "unique"},
		{"RefusesTakenAddress", `{"data":{"name":"d","sip":{"method":"ip","ip":"192.0.2.7"}}}`, 400, "sip.ip", "unique"},
		{"RefusesForeignRealm", `{"data":{"name":"d","sip":{"username":"eve","password":"secret1","realm":"stranger.example"}}}`, 400, "sip.realm", "unique"},
		{"RefusesBadAddress", `{"data":{"name":"d","sip":{"method":"ip","ip":"x"}}}`, 400, "sip.ip", "type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := endpointtest.New(t)
			w.Device(`{"name":"first","mac_address":"0004f2ab7efd","sip":{"username":"bob","password":"secret1"}}`)
			w.Device(`{"name":"second","sip":{"method":"ip","ip":"192.0.2.7"}}`)
			got := w.Call(serve(w), "PUT", w.Path("/devices"), test.body, test.status)
			if test.status == 400 && got.Data(test.path, test.rule, "message") == nil {
				t.Errorf("nothing is said of %s %s: %s", test.path, test.rule, got.Text)
			}
			if test.status == 201 {
				id, _ := got.Data("id").(string)
				if w.Stored(id) == nil || got.Header["Location"][0] != "/v2"+w.Path("/devices/"+id) {
					t.Errorf("stored %v, header %v", w.Stored(id), got.Header)
				}
			}
		})
	}
}

func TestTakenIDIsAConflict(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(`{"name":"first"}`)
	w.Call(serve(w), "PUT", w.Path("/devices"), `{"data":{"id":"`+d.ID+`","name":"second"}}`, 409)
	if got := w.Stored(d.ID); got.Doc["name"] != "first" {
		t.Errorf("stored %v", got.Doc)
	}
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	for when, stored := range map[tabletest.When]bool{tabletest.Before: false, tabletest.After: true} {
		w := endpointtest.New(t)
		w.Store.Fail("WriteDevice", 1, when)
		w.Call(serve(w), "PUT", w.Path("/devices"), `{"data":{"id":"d1","name":"d","sip":{"username":"bob","password":"secret1"}}}`, 503)
		if got := w.Stored("d1") != nil; got != stored { // the fake checks that claims and document go together
			t.Errorf("stored: %v, want %v", got, stored)
		}
	}
}

func TestStrangersMayNot(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	w.Call(serve(w), "PUT", "/accounts/"+w.Stranger.ID+"/devices", `{"data":{"name":"d"}}`, 403)
	w.Token = ""
	w.Call(serve(w), "PUT", w.Path("/devices"), `{"data":{"name":"d"}}`, 401)
}

package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: patch(w.Devices)}
}

const before = `{"name":"old","timezone":"UTC","media":{"fax_option":true},"sip":{"username":"bob","password":"secret1"}}`

func TestPatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		status     int
		path, want string // what is then stored there, as text; "-" for nothing
	}{
		{"ChangesTheName", `{"data":{"name":"new"}}`, 200, "name", "new"},
		{"KeepsWhatIsNotSent", `{"data":{"name":"new"}}`, 200, "timezone", "UTC"},
		{"NullRemoves", `{"data":{"timezone":null}}`, 200, "timezone", "-"},
		{"RefusesToRemoveTheName", `{"data":{"name":null}}`, 400, "name", "old"},
		{"EmptyPatchIsFine", `{"data":{}}`, 200, "name", "old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := endpointtest.New(t)
			d := w.Device(before)
			got := w.Call(serve(w), "PATCH", w.Path("/devices/"+d.ID), test.body, test.status)
			stored := w.Stored(d.ID)
			if value, ok := stored.Doc[test.path]; (test.want == "-") == ok || (ok && value != test.want) {
				t.Errorf("%s is %v, want %q", test.path, value, test.want)
			}
			if rev := stored.Rev; (test.status == 200) != (rev == 2) {
				t.Errorf("stored revision %d after a %d", rev, test.status)
			}
			if test.status == 200 && got.Body["revision"] != stored.Revision() {
				t.Errorf("got revision %v", got.Body["revision"])
			}
		})
	}
}

func TestUnknownDeviceIsNotFound(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	w.Call(serve(w), "PATCH", w.Path("/devices/none"), `{"data":{"name":"new"}}`, 404)
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(before)
	first := d.Revision()
	w.IfMatch = `"2-00000000000000000000000000000000"`
	if got := w.Call(serve(w), "PATCH", w.Path("/devices/"+d.ID), `{"data":{"name":"new"}}`, 412); got.Data("cause") != first {
		t.Errorf("the answer does not tell the revision: %s", got.Text)
	}
	w.IfMatch = `"` + first + `"`
	w.Call(serve(w), "PATCH", w.Path("/devices/"+d.ID), `{"data":{"name":"new"}}`, 200)
	w.Call(serve(w), "PATCH", w.Path("/devices/"+d.ID), `{"data":{"name":"new"}}`, 412) // it is no longer that one
	if rev := w.Stored(d.ID).Rev; rev != 2 {
		t.Errorf("stored revision %d, want 2", rev)
	}
}

// TestStoreThatFails changes the password, which makes a command: whatever
// happens, it is there exactly if the change is.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	for when, want := range map[tabletest.When]int{tabletest.Before: 0, tabletest.After: 1} {
		w := endpointtest.New(t)
		d := w.Device(before)
		w.Store.Fail("WriteDevice", 1, when)
		w.Call(serve(w), "PATCH", w.Path("/devices/"+d.ID), `{"data":{"name":"old","sip":{"username":"bob","password":"secret2"}}}`, 503)
		commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
		if err != nil {
			t.Fatal(err)
		}
		if changed := w.Stored(d.ID).Rev == 2; changed != (want == 1) || len(commands) != want {
			t.Errorf("changed: %v, commands: %v", changed, commands)
		}
		if want == 1 && (!commands[0].Drop || commands[0].State != command.Pending) {
			t.Errorf("got command %+v", commands[0])
		}
	}
}

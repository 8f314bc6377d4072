package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: notify(w.Devices)}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		want                     string // event, or message of the error
	}{
		{"AsKazoosCodeWants", "PUT", "", `{"action":"notify","data":{"data":{"event":"resync"}}}`, 201, "resync"},
		{"AsKazooDocuments", "PUT", "", `{"action":"notify","data":{"event":"resync"}}`, 201, "resync"},
		{"AsItsSDKSends", "PUT", "", `{"data":{"action":"notify","data":{"event":"resync"}}}`, 201, "resync"},
		{"ActionInTheQuery", "PUT", "?action=notify", `{"data":{"event":"resync"}}`, 201, "resync"},
		{"AsItsCurlLineSays", "POST", "/notify", `{"action":"notify","data":{"event":"resync"}}`, 200, "resync"},
		{"PathSaysItAll", "POST", "/notify", `{"data":{"event":"check-sync;reboot=true"}}`, 200, "check-sync;reboot=true"},
		{"RefusesNoAction", "PUT", "", `{"data":{"event":"resync"}}`, 400, "action required"},
		{"RefusesEmptyBody", "PUT", "", ``, 400, "action required"},
		{"RefusesUnknownAction", "PUT", "", `{"action":"explode","data":{"event":"resync"}}`, 400, "invalid action"},
		{"RefusesUnknownActionByPost", "POST", "/notify", `{"action":"explode","data":{"event":"resync"}}`, 400, "invalid action"},
		{"RefusesNoEvent", "PUT", "", `{"action":"notify","data":{}}`, 400, "validation error"},
		{"RefusesHeaderInjection", "PUT", "", `{"action":"notify","data":{"event":"a\r\nX: y"}}`, 400, "validation error"},
		{"RefusesHalfABody", "PUT", "", `{"action":"notify","data":{"event":"a","body":{"data":"x"}}}`, 400, "validation error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := endpointtest.New(t)
			d := w.Device(`{"name":"d","sip":{"username":"bob","password":"secret1"}}`)
			got := w.Call(serve(w), test.method, w.Path("/devices/"+d.ID+test.path), test.body, test.status)
			commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
			if err != nil {
				t.Fatal(err)
			}
			if test.status >= 400 {
				if got.Body["message"] != test.want || len(commands) != 0 {
					t.Errorf("got %s, commands %v", got.Text, commands)
				}
				return
			}
			if got.Data() != "NOTIFY sent" || len(commands) != 1 || commands[0].Notify.Event != test.want || got.Body["command_id"] != commands[0].ID {
				t.Errorf("got %s, commands %+v", got.Text, commands)
			}
		})
	}
}

func TestBodyOfTheNotify(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(`{"name":"d"}`)
	w.Call(serve(w), "PUT", w.Path("/devices/"+d.ID), `{"action":"notify","data":{"event":"e","body":{"content_type":"text/plain","data":"line\r\n"}}}`, 201)
	commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
	if err != nil || commands[0].Notify.ContentType != "text/plain" || commands[0].Notify.Body != "line\r\n" {
		t.Errorf("got %+v, %v", commands[0].Notify, err)
	}
}

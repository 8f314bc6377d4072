package main

import (
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: sync(w.Devices)}
}

func TestSync(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, test := range []struct {
		name, query, body string
		status            int
		reboot            *bool
		life              time.Duration
	}{
		{"Plain", "", "", 200, nil, command.DefaultLife},
		{"Reboot", "?reboot=true", "", 200, &yes, command.DefaultLife},
		{"Reload", "?reboot=false", "", 200, &no, command.DefaultLife},
		{"InTheBody", "", `{"data":{"reboot":true,"expires_s":60}}`, 200, &yes, time.Minute},
		{"NowOrNever", "?expires_s=0", "", 200, nil, command.AtOnce},
		{"RefusesNonsense", "?reboot=maybe", "", 400, nil, 0},
		{"RefusesNegativeTime", "?expires_s=-1", "", 400, nil, 0},
		{"RefusesMoreThanAWeek", "?expires_s=604801", "", 400, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := endpointtest.New(t)
			d := w.Device(`{"name":"d","sip":{"username":"bob","password":"secret1"}}`)
			got := w.Call(serve(w), "POST", w.Path("/devices/"+d.ID+"/sync")+test.query, test.body, test.status)
			commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
			if err != nil || (len(commands) == 1) != (test.status == 200) {
				t.Fatalf("got commands %v, %v", commands, err)
			}
			if test.status != 200 {
				return
			}
			c := commands[0]
			if got.Data() != "sync request sent" || got.Body["command_id"] != c.ID {
				t.Errorf("got %s", got.Text)
			}
			if (c.Notify.Reboot == nil) != (test.reboot == nil) || (test.reboot != nil && *c.Notify.Reboot != *test.reboot) || c.Expires.Sub(c.Created) != test.life {
				t.Errorf("got %+v, %+v", c, c.Notify)
			}
		})
	}
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	for when, want := range map[tabletest.When]int{tabletest.Before: 0, tabletest.After: 1} {
		w := endpointtest.New(t)
		d := w.Device(`{"name":"d"}`)
		w.Store.Fail("AddCommand", 1, when)
		w.Call(serve(w), "POST", w.Path("/devices/"+d.ID+"/sync"), "", 503)
		if commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10); err != nil || len(commands) != want {
			t.Errorf("got commands %v, %v, want %d", commands, err, want)
		}
	}
}

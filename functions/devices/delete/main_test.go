package main

import (
	"testing"

	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: remove(w.Devices)}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(`{"name":"d","mac_address":"0004f2ab7efd","sip":{"username":"bob","password":"secret1"}}`)
	got := w.Call(serve(w), "DELETE", w.Path("/devices/"+d.ID), "", 200)
	if got.Data("id") != d.ID || got.Data("_read_only", "deleted") != true || w.Stored(d.ID) != nil {
		t.Errorf("got %s, stored %v", got.Text, w.Stored(d.ID))
	}
	commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
	if err != nil || len(commands) != 1 || !commands[0].Drop || commands[0].AOR != "bob@acme.example" {
		t.Errorf("got commands %+v, %v", commands, err)
	}
	w.Call(serve(w), "DELETE", w.Path("/devices/"+d.ID), "", 404)
	w.Device(`{"name":"d","mac_address":"0004f2ab7efd","sip":{"username":"bob","password":"secret1"}}`) // its names are free again
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	for when, gone := range map[tabletest.When]bool{tabletest.Before: false, tabletest.After: true} {
		w := endpointtest.New(t)
		d := w.Device(`{"name":"d","sip":{"username":"bob","password":"secret1"}}`)
		w.Store.Fail("RemoveDevice", 1, when)
		w.Call(serve(w), "DELETE", w.Path("/devices/"+d.ID), "", 503)
		commands, err := w.Store.Commands(t.Context(), d.AccountID, d.ID, 10)
		if err != nil {
			t.Fatal(err)
		}
		if removed := w.Stored(d.ID) == nil; removed != gone || (len(commands) == 1) != gone {
			t.Errorf("removed: %v, commands: %v, want both %v", removed, commands, gone)
		}
	}
}

package main

import (
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/endpoint/endpointtest"
)

func serve(w *endpointtest.World) endpoint.Endpoint {
	return endpoint.Endpoint{Routes: routes, Gate: w.Gate, Handle: commands(w.Store, now)}
}

// now is after the second command ran out of time.
func now() time.Time { return endpointtest.Now().Add(time.Hour) }

func TestCommands(t *testing.T) {
	t.Parallel()
	w := endpointtest.New(t)
	d := w.Device(`{"name":"d","sip":{"username":"bob","password":"secret1"}}`)
	by := device.Actor{Account: w.Account, Author: device.Author{RequestID: "r1"}}
	first, err := w.Devices.Notify(t.Context(), by, d, command.Notify{Event: "resync"}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimCommand(t.Context(), command.Ref{AccountID: d.AccountID, DeviceID: d.ID, ID: first}, "edge", endpointtest.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.State = command.Failed
	c.Deliveries = []command.Delivery{{Contact: "sip:bob@192.0.2.1", Transport: "UDP", Received: "192.0.2.1:5060", Event: "resync",
		Edge: "edge", Status: 481, Reason: "Subscription does not exist", Sent: endpointtest.Now(), Answered: endpointtest.Now()}}
	if err := w.Store.FinishCommand(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.Devices.Now = func() time.Time { return endpointtest.Now().Add(time.Second) }
	if _, err := w.Devices.Sync(t.Context(), by, d, nil, time.Minute); err != nil {
		t.Fatal(err)
	}

	got := w.Call(serve(w), "GET", w.Path("/devices/"+d.ID+"/commands"), "", 200)
	if n := len(got.Data().([]any)); n != 2 {
		t.Fatalf("got %d receipts: %s", n, got.Text)
	}
	const newest = `{"id":"`
	if got.Text[len(`{"data":[`):][:len(newest)] != newest {
		t.Errorf("got %s", got.Text)
	}
	receipts := got.Data().([]any)
	expired, failed := receipts[0].(map[string]any), receipts[1].(map[string]any)
	if expired["state"] != "expired" || expired["event"] != "check-sync" {
		t.Errorf("newest: got %v", expired)
	}
	if failed["state"] != "failed" || failed["event"] != "resync" || failed["request_id"] != "r1" {
		t.Errorf("oldest: got %v", failed)
	}
	delivery := failed["deliveries"].([]any)[0].(map[string]any)
	if delivery["contact"] != "sip:bob@192.0.2.1" || delivery["reason"] != "Subscription does not exist" || delivery["answered"] != "2026-01-02T03:04:05Z" {
		t.Errorf("got delivery %v", delivery)
	}
	if one := w.Call(serve(w), "GET", w.Path("/devices/"+d.ID+"/commands?page_size=1"), "", 200); len(one.Data().([]any)) != 1 {
		t.Errorf("got %s", one.Text)
	}
	w.Call(serve(w), "GET", w.Path("/devices/none/commands"), "", 404)
}

// Command notify serves PUT /accounts/{account_id}/devices/{device_id} and POST /accounts/{account_id}/devices/{device_id}/notify.
//
// Template: DevicesNotifyFunction. Sample event: events/devices/notify.json.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"PUT /accounts/{account_id}/devices/{device_id}", "POST /accounts/{account_id}/devices/{device_id}/notify"}

//go:embed schema.json
var schemaJSON []byte

var body = schema.MustCompile(schemaJSON)

func main() {
	core := table.MustOpenCore()
	devices := device.Service{Store: core, Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "devices/notify", Routes: routes, Gate: auth.NewGate(core), Handle: notify(devices)})
}

type notifier interface {
	Notify(ctx context.Context, by device.Actor, d device.Device, n command.Notify, life time.Duration) (string, error)
}

// notify sends the device's phones a NOTIFY with the event that the client
// names. Kazoo's code wants the parameters in `data.data`, its documents show
// them in `data`: both are taken. A phone that is offline gets it when it
// registers.
func notify(devices notifier) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		if err := checkAction(r); err != nil {
			return endpoint.Reply{}, err
		}
		sent := document.Object{"data": r.Data}
		if _, nested := r.Data["data"].(document.Object); nested {
			sent = r.Data
		}
		if err := body.Apply(sent).Err(); err != nil {
			return endpoint.Reply{}, err
		}
		params := sent["data"].(document.Object)
		n := command.Notify{
			Event:       document.Text(params, "event"),
			ContentType: document.Text(params, "body", "content_type"),
			Body:        document.Text(params, "body", "data"),
		}
		id, err := devices.Notify(ctx, r.Session.Actor(r.ID), *r.Session.Device, n, command.Life(params))
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("notify device: %w", err)
		}
		reply := endpoint.Reply{Status: http.StatusOK, Data: "NOTIFY sent", Command: id}
		if r.Method() == http.MethodPut {
			reply.Status = http.StatusCreated
		}
		return reply, nil
	}
}

// checkAction refuses a PUT without the action notify, which is the only one.
// The path of the POST says it already.
func checkAction(r *endpoint.Request) error {
	switch action := r.Text("action"); {
	case action == "notify", action == "" && r.Method() == http.MethodPost:
		return nil
	case action == "":
		return &fault.Error{Kind: fault.Refused, Code: "action required"}
	default:
		return &fault.Error{Kind: fault.Refused, Code: "invalid action"}
	}
}

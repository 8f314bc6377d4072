// Command create serves PUT /accounts/{account_id}/devices.
//
// Template: DevicesCreateFunction. Sample event: events/devices/create.json.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"PUT /accounts/{account_id}/devices"}

//go:embed schema.json
var schemaJSON []byte

func main() {
	core := table.MustOpenCore()
	devices := device.Service{Store: core, Schema: schema.MustCompile(schemaJSON), Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "devices/create", Routes: routes, Gate: auth.NewGate(core), Handle: create(devices)})
}

type creator interface {
	Create(ctx context.Context, by device.Actor, data document.Object) (device.Device, error)
}

// create stores a new device and answers it with its defaults filled in.
func create(devices creator) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		d, err := devices.Create(ctx, r.Session.Actor(r.ID), r.Data)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("create device: %w", err)
		}
		return endpoint.Reply{Status: http.StatusCreated, Data: d.JSON(), Revision: d.Revision(), Created: d.ID}, nil
	}
}

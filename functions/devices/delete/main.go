// Command delete serves DELETE /accounts/{account_id}/devices/{device_id}.
//
// Template: DevicesDeleteFunction. Sample event: events/devices/delete.json.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"DELETE /accounts/{account_id}/devices/{device_id}"}

func main() {
	core := table.MustOpenCore()
	devices := device.Service{Store: core, Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "devices/delete", Routes: routes, Gate: auth.NewGate(core), Handle: remove(devices)})
}

type remover interface {
	Delete(ctx context.Context, by device.Actor, d device.Device) error
}

// remove deletes the device, cuts its phones off, and answers the document as
// it was.
func remove(devices remover) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		d := *r.Session.Device
		if err := devices.Delete(ctx, r.Session.Actor(r.ID), d); err != nil {
			return endpoint.Reply{}, fmt.Errorf("delete device: %w", err)
		}
		gone := d.View()
		gone["_read_only"] = document.Object{"deleted": true}
		return endpoint.Reply{Status: http.StatusOK, Data: gone, Revision: d.Revision()}, nil
	}
}

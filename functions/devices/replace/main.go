// Command replace serves POST /accounts/{account_id}/devices/{device_id}.
//
// Template: DevicesReplaceFunction. Sample event: events/devices/replace.json.
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

var routes = []string{"POST /accounts/{account_id}/devices/{device_id}"}

//go:embed schema.json
var schemaJSON []byte

func main() {
	core := table.MustOpenCore()
	devices := device.Service{Store: core, Schema: schema.MustCompile(schemaJSON), Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "devices/replace", Routes: routes, Gate: auth.NewGate(core), Handle: replace(devices)})
}

type replacer interface {
	Replace(ctx context.Context, by device.Actor, old device.Device, data document.Object) (device.Device, error)
}

// replace stores the data in place of the whole document.
func replace(devices replacer) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		d, err := devices.Replace(ctx, r.Session.Actor(r.ID), *r.Session.Device, r.Data)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("replace device: %w", err)
		}
		return endpoint.Reply{Status: http.StatusOK, Data: d.JSON(), Revision: d.Revision()}, nil
	}
}

// Command sync serves POST /accounts/{account_id}/devices/{device_id}/sync.
//
// Template: DevicesSyncFunction. Sample event: events/devices/sync.json.
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
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/schema"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"POST /accounts/{account_id}/devices/{device_id}/sync"}

//go:embed schema.json
var schemaJSON []byte

var body = schema.MustCompile(schemaJSON)

func main() {
	core := table.MustOpenCore()
	devices := device.Service{Store: core, Now: time.Now}
	endpoint.Start(endpoint.Endpoint{Name: "devices/sync", Routes: routes, Gate: auth.NewGate(core), Handle: sync(devices)})
}

type syncer interface {
	Sync(ctx context.Context, by device.Actor, d device.Device, reboot *bool, life time.Duration) (string, error)
}

// sync asks the device's phones to check their configuration. ?reboot=true
// and false say whether to restart; else the phone decides. A phone that is
// offline is asked when it registers.
func sync(devices syncer) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		asked := r.Params("reboot", "expires_s")
		if err := body.Apply(asked).Err(); err != nil {
			return endpoint.Reply{}, err
		}
		var reboot *bool
		if said, ok := asked["reboot"].(bool); ok {
			reboot = &said
		}
		id, err := devices.Sync(ctx, r.Session.Actor(r.ID), *r.Session.Device, reboot, command.Life(asked))
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("sync device: %w", err)
		}
		return endpoint.Reply{Status: http.StatusOK, Data: "sync request sent", Command: id}, nil
	}
}

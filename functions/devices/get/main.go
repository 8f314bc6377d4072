// Command get serves GET /accounts/{account_id}/devices/{device_id}.
//
// Template: DevicesGetFunction. Sample event: events/devices/get.json.
package main

import (
	"context"
	"net/http"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"GET /accounts/{account_id}/devices/{device_id}"}

func main() {
	core := table.MustOpenCore()
	endpoint.Start(endpoint.Endpoint{Name: "devices/get", Routes: routes, Gate: auth.NewGate(core), Handle: get})
}

// get answers the device that admission has read.
func get(_ context.Context, r *endpoint.Request) (endpoint.Reply, error) {
	d := r.Session.Device
	return endpoint.Reply{Status: http.StatusOK, Data: d.JSON(), Revision: d.Revision()}, nil
}

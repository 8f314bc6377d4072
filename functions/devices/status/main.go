// Command status serves GET /accounts/{account_id}/devices/status.
//
// Template: DevicesStatusFunction. Sample event: events/devices/status.json.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"GET /accounts/{account_id}/devices/status"}

func main() {
	core := table.MustOpenCore()
	endpoint.Start(endpoint.Endpoint{Name: "devices/status", Routes: routes, Gate: auth.NewGate(core), Handle: status(table.MustOpenRegistrations(), time.Now)})
}

// status lists the devices that are registered now, each once.
func status(store registration.Store, now func() time.Time) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		bindings, err := store.AccountBindings(ctx, r.Session.Account.ID)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("read bindings: %w", err)
		}
		if bindings, err = registration.LiveOnly(ctx, store, bindings, now()); err != nil {
			return endpoint.Reply{}, fmt.Errorf("judge bindings: %w", err)
		}
		registered, seen := []document.Object{}, map[string]bool{}
		for _, b := range bindings {
			if !seen[b.DeviceID] {
				seen[b.DeviceID] = true
				registered = append(registered, document.Object{"device_id": b.DeviceID, "registered": true})
			}
		}
		return endpoint.Reply{Status: http.StatusOK, Data: registered}, nil
	}
}

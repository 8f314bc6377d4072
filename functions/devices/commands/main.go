// Command commands serves GET /accounts/{account_id}/devices/{device_id}/commands.
//
// Template: DevicesCommandsFunction. Sample event: events/devices/commands.json.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/listing"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"GET /accounts/{account_id}/devices/{device_id}/commands"}

func main() {
	core := table.MustOpenCore()
	endpoint.Start(endpoint.Endpoint{Name: "devices/commands", Routes: routes, Gate: auth.NewGate(core), Handle: commands(core, time.Now)})
}

type reader interface {
	Commands(ctx context.Context, accountID, deviceID string, limit int) ([]command.Command, error)
}

// commands answers the receipts of the device's recent NOTIFYs, newest first,
// as many as page_size says.
func commands(store reader, now func() time.Time) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		asked, err := listing.Parse(r.Query)
		if err != nil {
			return endpoint.Reply{}, err
		}
		recent, err := store.Commands(ctx, r.Session.Account.ID, r.Session.Device.ID, asked.PageSize)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("read commands: %w", err)
		}
		page := asked.NewPage()
		for _, c := range recent {
			page.Add(c.ID, c.Receipt(now()))
		}
		return endpoint.Reply{Status: http.StatusOK, Page: page}, nil
	}
}

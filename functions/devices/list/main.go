// Command list serves GET /accounts/{account_id}/devices.
//
// Template: DevicesListFunction. Sample event: events/devices/list.json.
package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/endpoint"
	"github.com/dialplane/dialplane/shared/listing"
	"github.com/dialplane/dialplane/shared/table"
)

var routes = []string{"GET /accounts/{account_id}/devices"}

func main() {
	core := table.MustOpenCore()
	endpoint.Start(endpoint.Endpoint{Name: "devices/list", Routes: routes, Gate: auth.NewGate(core), Handle: list(core)})
}

type lister interface {
	ListDevices(ctx context.Context, accountID, from string, descending bool, yield func(device.Device) bool) error
}

// list answers a page of summaries. Filters look at the whole documents.
func list(devices lister) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		asked, err := listing.Parse(r.Query)
		if err != nil {
			return endpoint.Reply{}, err
		}
		page := asked.NewPage()
		err = devices.ListDevices(ctx, r.Session.Account.ID, asked.From, asked.Descending, func(d device.Device) bool {
			if !asked.Match(d.Subject()) {
				return true
			}
			return page.Add(d.ID, d.Summary())
		})
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("list devices: %w", err)
		}
		return endpoint.Reply{Status: http.StatusOK, Page: page}, page.Err()
	}
}

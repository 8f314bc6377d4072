// Command devices serves GET /accounts/{account_id}/users/{user_id}/devices.
//
// Template: UsersDevicesFunction. Sample event: events/users/devices.json.
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

var routes = []string{"GET /accounts/{account_id}/users/{user_id}/devices"}

func main() {
	core := table.MustOpenCore()
	endpoint.Start(endpoint.Endpoint{Name: "users/devices", Routes: routes, Gate: auth.NewGate(core), Handle: devices(core)})
}

type finder interface {
	UserDevices(ctx context.Context, accountID, userID string) ([]device.Device, error)
}

// devices answers the devices that a user owns or is hot-desked onto.
func devices(store finder) endpoint.Handler {
	return func(ctx context.Context, r *endpoint.Request) (endpoint.Reply, error) {
		asked, err := listing.Parse(r.Query)
		if err != nil {
			return endpoint.Reply{}, err
		}
		userID := r.PathValue("user_id")
		found, err := store.UserDevices(ctx, r.Session.Account.ID, userID)
		if err != nil {
			return endpoint.Reply{}, fmt.Errorf("find devices of user: %w", err)
		}
		page := asked.NewPage()
		for _, d := range listing.Arrange(asked, found, func(d device.Device) string { return d.ID }) {
			if asked.Match(d.Subject()) && !page.Add(d.ID, d.UserSummary(userID)) {
				break
			}
		}
		return endpoint.Reply{Status: http.StatusOK, Page: page}, page.Err()
	}
}

package command

import "time"

// Receipt is what clients see of a command: what was to be sent, where it
// stands, and one delivery for every phone it was sent to.
type Receipt struct {
	ID         string     `json:"id"`
	State      State      `json:"state"`
	Event      string     `json:"event,omitempty"` // as asked for; each delivery tells it as sent
	Drop       bool       `json:"drop"`            // the phones' registrations were to be removed
	Created    time.Time  `json:"created"`
	Expires    time.Time  `json:"expires"`
	Attempts   int        `json:"attempts"`
	Deliveries []Delivery `json:"deliveries"`
	RequestID  string     `json:"request_id"`
}

// Receipt returns the receipt of c. A pending command whose time is up has
// expired, whether or not an edge has come to say so.
func (c Command) Receipt(now time.Time) Receipt {
	r := Receipt{
		ID: c.ID, State: c.State, Drop: c.Drop, Created: c.Created.UTC(), Expires: c.Expires.UTC(),
		Attempts: c.Attempts, Deliveries: c.Deliveries, RequestID: c.RequestID,
	}
	if r.State == Pending && !now.Before(c.Expires) {
		r.State = Expired
	}
	if r.Deliveries == nil {
		r.Deliveries = []Delivery{}
	}
	if n := c.Notify; n != nil {
		r.Event = n.Event
		if r.Event == "" {
			r.Event = "check-sync"
		}
	}
	return r
}

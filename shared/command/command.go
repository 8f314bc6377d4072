// Package command describes what the API asks the edge to do to a device's
// phones: send them a NOTIFY, forget their bindings, or first one and then the
// other.
//
// A command is an item written in the same transaction as the change that
// causes it. The stream wakes an edge; the item is the truth:
//
//	          claim             every phone answered
//	pending ---------> sending ----------------------> delivered | failed
//	   ^  \               |
//	   |   \ time is up   | the edge died: its claim ran out
//	   |    `-> expired   |
//	   `------------------'
//
// A command with no live binding stays pending until the phone registers or
// its time is up.
package command

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/document"
)

// State is where a command stands.
type State string

// The states. The last three are final.
const (
	Pending   State = "pending"   // no edge has it; it may be waiting for the phone to register
	Sending   State = "sending"   // an edge has claimed it, until Due
	Delivered State = "delivered" // at least one phone answered 2xx, or there was only a drop to do and it is done
	Failed    State = "failed"    // every phone refused or stayed silent
	Expired   State = "expired"   // no phone registered in time
)

// Final reports whether the state never changes again.
func (s State) Final() bool { return s == Delivered || s == Failed || s == Expired }

// Bounds on a command's life.
const (
	// DefaultLife is how long a NOTIFY waits for a phone that is offline.
	DefaultLife = 24 * time.Hour
	// AtOnce is how long a NOTIFY may take that shall not wait for a phone: the
	// stream wakes an edge within a second.
	AtOnce = 15 * time.Second
	// Retention is how long a receipt can be read after the command was made.
	Retention = 7 * 24 * time.Hour
	// ClaimLife is how long an edge may take over one command before another
	// may claim it: longer than Timer F, 32 s (RFC 3261 section 17.1.2.2).
	ClaimLife = 45 * time.Second
	// SweepAfter is how long a command waits for the stream before a sweeper
	// takes it up.
	SweepAfter = 20 * time.Second
	// MaxAttempts bounds how often edges that die may leave a command behind.
	MaxAttempts = 3
	// MaxDeliveries bounds the receipts kept in one command.
	MaxDeliveries = 32
)

// Notify is what to send. An empty Event means "make the phone check its
// configuration": the edge picks the words that the phone's vendor knows, by
// Reboot, Brand and the phone's User-Agent.
type Notify struct {
	Event       string // value of the Event header, such as "check-sync"
	Reboot      *bool  // of check-sync: true reboots, false reloads, nil leaves it to the phone
	Brand       string // provision.endpoint_brand, for the vendor's words
	ContentType string // empty means no body
	Body        string
}

// Command is one thing to do to the phones of one device.
type Command struct {
	ID        string // sorts by time of making
	AccountID string
	DeviceID  string
	// AOR is whose bindings it is for, as it was when the command was made.
	// It is empty for a device that has no SIP username; then the command is
	// for every binding of the device.
	AOR      credential.AOR
	Notify   *Notify // nil: nothing to send
	Drop     bool    // then remove the AOR's bindings of this device
	State    State
	Created  time.Time
	Expires  time.Time // pending turns to expired
	Due      time.Time // when a sweeper should look: lost by the stream, claim ran out, or time is up
	Edge     string    // who claimed it last
	Claim    string    // names the last claim; only its holder may finish the command
	Attempts int       // claims since it was last given up in good order
	// Deliveries has one entry a phone and attempt, oldest first.
	Deliveries []Delivery
	RequestID  string // of the API request that made it
}

// Delivery is the receipt of one NOTIFY to one contact.
type Delivery struct {
	Contact   string    `json:"contact"`   // the registered Contact URI
	Transport string    `json:"transport"` // UDP, TCP, TLS, WS or WSS
	Received  string    `json:"received"`  // host:port that the NOTIFY was sent to
	Event     string    `json:"event"`     // Event header as sent
	Edge      string    `json:"edge"`
	Status    int       `json:"status"` // SIP status code of the answer; 0 if there was none
	Reason    string    `json:"reason"` // its reason phrase, or why there was no answer
	Sent      time.Time `json:"sent"`
	Answered  time.Time `json:"answered,omitzero"` // zero if there was no answer
}

// OK reports whether the phone accepted.
func (d Delivery) OK() bool { return d.Status >= 200 && d.Status < 300 }

// Ref names a stored command.
type Ref struct {
	AccountID, DeviceID, ID string
}

// Ref returns the name of c.
func (c Command) Ref() Ref { return Ref{AccountID: c.AccountID, DeviceID: c.DeviceID, ID: c.ID} }

// Store is what an edge does with commands. All methods return
// fault.Unreachable if the store does not answer, in which case a write may or
// may not have happened.
type Store interface {
	// ClaimCommand gives a command to edge until now + ClaimLife and returns
	// it as claimed: Sending, with a new Claim and Attempts counted up. It
	// returns fault.NotFound if there is no such command and fault.Conflict if
	// it is final or another claim has not run out.
	ClaimCommand(ctx context.Context, ref Ref, edge string, now time.Time) (Command, error)
	// FinishCommand stores c's State, Due, Attempts and Deliveries if its
	// Claim is still the stored one, else returns fault.Conflict. The state
	// Pending gives the claim up.
	FinishCommand(ctx context.Context, c Command) error
	// PendingCommands returns the pending commands of a device, oldest first,
	// read consistently.
	PendingCommands(ctx context.Context, accountID, deviceID string) ([]Command, error)
	// DueCommands names commands that are not final and whose Due has come,
	// at most limit. What was written within the last second may be missing.
	DueCommands(ctx context.Context, now time.Time, limit int) ([]Ref, error)
}

// Life returns how long the command that a client asks for may wait for the
// phone: expires_s of params, in seconds, else DefaultLife. Less than AtOnce
// is AtOnce, or no edge could be in time.
func Life(params document.Object) time.Duration {
	if n, ok := params["expires_s"].(json.Number); ok {
		if seconds, err := n.Int64(); err == nil {
			return max(AtOnce, time.Duration(seconds)*time.Second)
		}
	}
	return DefaultLife
}

package device

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// maxSize bounds a stored document, in bytes of canonical JSON. An item of
// DynamoDB holds 400 KB in all; the rest is for keys and attributes.
const maxSize = 380_000

// Schema validates the document that would be stored. Apply converts values
// of the wrong type where Kazoo does, fills in defaults, and returns what is
// broken.
type Schema interface {
	Apply(doc document.Object) fault.Violations
}

// Service changes devices.
type Service struct {
	Store  Store
	Schema Schema
	Now    func() time.Time
}

// Actor says where and for whom a change is made.
type Actor struct {
	Account    account.Account // whose device it is
	Author     Author
	Superduper bool // the caller may do what only Kazoo's superduper admins may
}

// Create stores a new device of data, which it takes over. Its id is data's
// `id`, if it has one.
//
// Errors: fault.Invalid naming each broken property; fault.Conflict if the id
// is taken; fault.TooLarge; fault.Unavailable.
func (s Service) Create(ctx context.Context, by Actor, data document.Object) (Device, error) {
	id := ident.New()
	if chosen, given := data["id"]; given {
		text, _ := chosen.(string)
		if !ident.Valid(text) {
			return Device{}, fault.Breaks("id", "pattern", fault.Violation{
				Message: "An id is 1 to 64 letters, digits, '-' and '_'", Value: chosen})
		}
		id = text
	}
	now := s.Now()
	d := Device{ID: id, AccountID: by.Account.ID, Created: now}
	return s.write(ctx, by, Device{}, d, data)
}

// Replace stores data, which it takes over, in place of old's document. A
// device keeps its type if data says nothing of it. Errors as for Create;
// fault.Conflict if old is no longer what is stored.
func (s Service) Replace(ctx context.Context, by Actor, old Device, data document.Object) (Device, error) {
	if kept, has := old.Doc["device_type"]; has {
		if _, says := data["device_type"]; !says {
			data["device_type"] = kept
		}
	}
	return s.write(ctx, by, old, old, data)
}

// Patch merges data into old's document: objects merge, null removes, an empty
// object clears, everything else replaces. Errors as for Replace.
func (s Service) Patch(ctx context.Context, by Actor, old Device, data document.Object) (Device, error) {
	return s.write(ctx, by, old, old, document.Merge(old.Doc, data))
}

// write runs the one way from what a client sent to what is stored. It changes
// data.
func (s Service) write(ctx context.Context, by Actor, old, d Device, data document.Object) (Device, error) {
	doc := document.Public(data)
	delete(doc, "id")
	wantsSync := document.Flag(doc, false, "sync")
	delete(doc, "sync")

	normalise(doc, by.Account.Realm)
	broken := s.Schema.Apply(doc)
	if broken == nil {
		broken = fault.Violations{}
	}
	check(broken, doc, old, by.Superduper)
	if err := broken.Err(); err != nil {
		return Device{}, err
	}
	text := document.Canonical(doc)
	if len(text) > maxSize {
		return Device{}, fault.BodyTooLarge(maxSize)
	}

	d.Doc, d.text, d.Rev, d.Modified, d.By = doc, string(text), old.Rev+1, s.Now(), by.Author
	change := Change{Device: d, Claims: claims(d, by.Account)}
	if old.Rev > 0 {
		change.Old = claims(old, by.Account)
		change.Command = s.consequence(by, change, wantsSync)
	}
	if err := s.Store.WriteDevice(ctx, change); err != nil {
		return Device{}, fmt.Errorf("write device: %w", err)
	}
	return d, nil
}

// Delete removes d and cuts its phones off. Errors: fault.Conflict if d is no
// longer what is stored; fault.Unavailable.
func (s Service) Delete(ctx context.Context, by Actor, d Device) error {
	change := Change{Device: d, Old: claims(d, by.Account)}
	change.Command = s.consequence(by, change, false)
	if err := s.Store.RemoveDevice(ctx, change); err != nil {
		return fmt.Errorf("remove device: %w", err)
	}
	return nil
}

// consequence returns what a change asks of the edge. A phone whose credential
// is gone, changed or disabled is cut off; before that it is told to fetch its
// new configuration, if the client asked for that.
func (s Service) consequence(by Actor, c Change, wantsSync bool) *command.Command {
	before, after := c.Old.sipCredential(), c.Claims.sipCredential()
	if before == nil {
		return nil
	}
	if after != nil && after.SameSecret(*before) && c.Claims.IP == c.Old.IP && (after.Enabled || !before.Enabled) {
		return nil
	}
	cmd := s.newCommand(by, c.Device, c.Old, command.DefaultLife)
	cmd.Drop = true
	if wantsSync {
		cmd.Notify = checkSync(c.Device, nil)
	}
	return &cmd
}

func (s Service) newCommand(by Actor, d Device, held Claims, life time.Duration) command.Command {
	now := s.Now()
	cmd := command.Command{
		ID: ident.Ordered(now), AccountID: d.AccountID, DeviceID: d.ID, State: command.Pending,
		Created: now, Expires: now.Add(life), Due: now.Add(command.SweepAfter), RequestID: by.Author.RequestID,
	}
	if c := held.sipCredential(); c != nil && c.Username != "" {
		cmd.AOR = c.AOR()
	}
	return cmd
}

// Sync asks the device's phones to check their configuration, and to restart
// first if reboot says so. It returns the id of the command. A phone that is
// offline is told when it registers, if that is within life. Errors: fault.NotFound if the device is gone; fault.Unavailable.
func (s Service) Sync(ctx context.Context, by Actor, d Device, reboot *bool, life time.Duration) (string, error) {
	return s.send(ctx, by, d, checkSync(d, reboot), life)
}

// Notify sends n to the device's phones. See Sync.
func (s Service) Notify(ctx context.Context, by Actor, d Device, n command.Notify, life time.Duration) (string, error) {
	return s.send(ctx, by, d, &n, life)
}

func (s Service) send(ctx context.Context, by Actor, d Device, n *command.Notify, life time.Duration) (string, error) {
	cmd := s.newCommand(by, d, claims(d, by.Account), life)
	cmd.Notify = n
	if err := s.Store.AddCommand(ctx, cmd); err != nil {
		return "", fmt.Errorf("add command: %w", err)
	}
	return cmd.ID, nil
}

// checkSync is the NOTIFY that makes a phone look for a new configuration. The
// words may be set for a device (provision.check_sync_event, _reboot and
// _reload, Kazoo 4.3); else the edge takes those of the phone's vendor.
func checkSync(d Device, reboot *bool) *command.Notify {
	key := "check_sync_event"
	if reboot != nil {
		key = "check_sync_reload"
		if *reboot {
			key = "check_sync_reboot"
		}
	}
	return &command.Notify{
		Event:  strings.TrimSpace(document.Text(d.Doc, "provision", key)),
		Reboot: reboot,
		Brand:  document.Text(d.Doc, "provision", "endpoint_brand"),
	}
}

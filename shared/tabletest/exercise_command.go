package tabletest

import (
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// at returns a pending command made at a time.
func at(d device.Device, made time.Time) command.Command {
	c := Reboot(d)
	c.ID, c.Created, c.Expires, c.Due = ident.Ordered(made), made, made.Add(command.DefaultLife), made.Add(command.SweepAfter)
	return c
}

func receipt(sent time.Time) command.Delivery {
	return command.Delivery{Contact: "sip:alice@192.0.2.1:5062", Transport: "UDP", Received: "192.0.2.1:5062", Event: "check-sync;reboot=true",
		Edge: "edge-1", Status: 481, Reason: "Subscription does not exist", Sent: sent, Answered: sent.Add(12345 * time.Microsecond)}
}

func exerciseCommands(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	c := Device(a)
	other := Device(a)
	other.Device.ID = c.Device.ID + "0" // a longer id is another device
	write(t, s, c, other)
	var newestFirst []command.Command
	for i := range 5 {
		cmd := at(c.Device, began.Add(time.Duration(i)*time.Second))
		must(t, s.Devices.AddCommand(ctx, cmd))
		newestFirst = append([]command.Command{cmd}, newestFirst...)
	}
	must(t, s.Devices.AddCommand(ctx, at(other.Device, began)))
	wantCommands(t, s, c.Device, newestFirst)
	got, err := s.Devices.Commands(ctx, a.ID, c.Device.ID, 2)
	must(t, err)
	wantEqual(t, "two commands", got, newestFirst[:2])
	got, err = s.Devices.Commands(ctx, a.ID, c.Device.ID, 0)
	must(t, err)
	wantEqual(t, "no commands", len(got), 0)

	nowhere := at(c.Device, began)
	nowhere.DeviceID = "missing"
	wantKind(t, s.Devices.AddCommand(ctx, nowhere), fault.NotFound)

	claimed, err := s.Commands.ClaimCommand(ctx, newestFirst[2].Ref(), "edge-1", began)
	must(t, err)
	pending, err := s.Commands.PendingCommands(ctx, a.ID, c.Device.ID)
	must(t, err)
	wantEqual(t, "pending commands", pending, []command.Command{newestFirst[4], newestFirst[3], newestFirst[1], newestFirst[0]})
	claimed.State, claimed.Due = command.Pending, began.Add(time.Hour)
	must(t, s.Commands.FinishCommand(ctx, claimed))
	pending, err = s.Commands.PendingCommands(ctx, a.ID, c.Device.ID)
	must(t, err)
	wantEqual(t, "number of pending commands", len(pending), 5)
	wantEqual(t, "command given up", pending[2], claimed)
}

func exerciseClaimedCommands(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	c := Device(a)
	write(t, s, c)
	cmd := at(c.Device, began)
	must(t, s.Devices.AddCommand(ctx, cmd))
	now := began.Add(time.Minute)

	first, err := s.Commands.ClaimCommand(ctx, cmd.Ref(), "edge-1", now)
	must(t, err)
	want := cmd
	want.State, want.Edge, want.Claim, want.Attempts, want.Due = command.Sending, "edge-1", first.Claim, 1, now.Add(command.ClaimLife)
	wantEqual(t, "claimed command", first, want)
	if first.Claim == "" {
		t.Error("got no claim")
	}
	_, err = s.Commands.ClaimCommand(ctx, cmd.Ref(), "edge-2", now.Add(command.ClaimLife-time.Millisecond))
	wantKind(t, err, fault.Conflict)

	// The claim runs out; another edge takes over.
	second, err := s.Commands.ClaimCommand(ctx, cmd.Ref(), "edge-2", now.Add(command.ClaimLife))
	must(t, err)
	if second.Attempts != 2 || second.Claim == first.Claim {
		t.Errorf("got attempt %d of claim %s, want attempt 2 of another claim", second.Attempts, second.Claim)
	}
	first.State = command.Delivered
	wantKind(t, s.Commands.FinishCommand(ctx, first), fault.Conflict)
	wantCommands(t, s, c.Device, []command.Command{second})

	// Given up in good order: whoever had it has it no more.
	second.State, second.Due, second.Attempts = command.Pending, now.Add(time.Hour), 0
	second.Deliveries = []command.Delivery{receipt(now)}
	must(t, s.Commands.FinishCommand(ctx, second))
	wantCommands(t, s, c.Device, []command.Command{second})
	late := second
	late.State = command.Failed
	wantKind(t, s.Commands.FinishCommand(ctx, late), fault.Conflict)

	third, err := s.Commands.ClaimCommand(ctx, cmd.Ref(), "edge-3", now)
	must(t, err)
	third.State = command.Delivered
	third.Deliveries = append(third.Deliveries, receipt(now.Add(time.Second)))
	must(t, s.Commands.FinishCommand(ctx, third))
	must(t, s.Commands.FinishCommand(ctx, third)) // the same again is no error
	final := third
	final.Due = time.Time{}
	wantCommands(t, s, c.Device, []command.Command{final})

	// Final is final.
	third.State = command.Failed
	wantKind(t, s.Commands.FinishCommand(ctx, third), fault.Conflict)
	_, err = s.Commands.ClaimCommand(ctx, cmd.Ref(), "edge-4", now.Add(time.Hour))
	wantKind(t, err, fault.Conflict)
	wantCommands(t, s, c.Device, []command.Command{final})

	missing := cmd
	missing.ID = ident.Ordered(began)
	_, err = s.Commands.ClaimCommand(ctx, missing.Ref(), "edge-1", now)
	wantKind(t, err, fault.NotFound)
	wantKind(t, s.Commands.FinishCommand(ctx, missing), fault.Conflict)
}

func exerciseDueCommands(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	c := Device(a)
	write(t, s, c)
	var refs []command.Ref
	for i := range 20 {
		cmd := at(c.Device, began.Add(time.Duration(i)*time.Second))
		must(t, s.Devices.AddCommand(ctx, cmd))
		refs = append(refs, cmd.Ref())
	}
	due := func(now time.Time, limit int) []command.Ref {
		t.Helper()
		got, err := s.Commands.DueCommands(ctx, now, limit)
		must(t, err)
		return append([]command.Ref{}, got...)
	}
	wantEqual(t, "before any is due", due(began.Add(command.SweepAfter-1), 100), []command.Ref{})
	wantEqual(t, "when the first is due", due(began.Add(command.SweepAfter), 100), refs[:1])
	wantEqual(t, "the oldest", due(began.Add(time.Hour), 3), refs[:3])
	wantEqual(t, "all", due(began.Add(time.Hour), 100), refs)
	wantEqual(t, "none wanted", due(began.Add(time.Hour), 0), []command.Ref{})

	// A claimed command is due when its claim runs out; a final one never.
	now := began.Add(time.Hour)
	claimed, err := s.Commands.ClaimCommand(ctx, refs[0], "edge-1", now)
	must(t, err)
	wantEqual(t, "without the claimed", due(now, 100), refs[1:])
	wantEqual(t, "with the abandoned", due(now.Add(command.ClaimLife), 100), append(append([]command.Ref{}, refs[1:]...), refs[0]))
	claimed.State = command.Failed
	must(t, s.Commands.FinishCommand(ctx, claimed))
	wantEqual(t, "without the final", due(now.Add(time.Hour), 100), refs[1:])
}

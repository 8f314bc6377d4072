package tabletest

import (
	"sync"
	"testing"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/fault"
)

// racers is how many try the same thing at once.
const racers = 50

// race runs try for each racer at once and returns who succeeded. The others
// must have lost, not failed.
func race(t *testing.T, try func(n int) error) (winners []int) {
	t.Helper()
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		start = make(chan struct{})
	)
	for n := range racers {
		all.Go(func() {
			<-start
			err := try(n)
			mu.Lock()
			defer mu.Unlock()
			switch kind := fault.Of(err); {
			case err == nil:
				winners = append(winners, n)
			case kind != fault.Invalid && kind != fault.Conflict:
				t.Errorf("racer %d: got %v, want a violation or a conflict", n, err)
			}
		})
	}
	close(start)
	all.Wait()
	return winners
}

func exerciseRaces(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)

	t.Run("OneCreatesUsernameAndMAC", func(t *testing.T) {
		entries := make([]device.Change, racers)
		for n := range entries {
			entries[n] = Phone(a, "contested")
			entries[n].Claims.MAC = "0004f2ab7efd"
			cmd := Reboot(entries[n].Device)
			entries[n].Command = &cmd
		}
		winners := race(t, func(n int) error { return s.Devices.WriteDevice(ctx, entries[n]) })
		if len(winners) != 1 {
			t.Fatalf("got winners %v, want one", winners)
		}
		winner := entries[winners[0]]
		for n, entry := range entries {
			want := &winner.Device
			if n != winners[0] {
				want = nil
				wantCommands(t, s, entry.Device, nil)
			}
			wantEqual(t, "device", read(t, s, entry.Device), want)
		}
		held, err := s.Credentials.Credential(ctx, a.Realm, "contested")
		must(t, err)
		wantEqual(t, "credential", held, *winner.Claims.Credential)
		// The losers left nothing: once the winner is gone all is free.
		must(t, s.Devices.RemoveDevice(ctx, Removal(winner)))
		heir := Phone(a, "contested")
		heir.Claims.MAC = winner.Claims.MAC
		write(t, s, heir)
	})
	t.Run("OneUpdatesRevision", func(t *testing.T) {
		c := Phone(a, "stable")
		write(t, s, c)
		entries := make([]device.Change, racers)
		for n := range entries {
			entries[n] = Next(c)
			entries[n].Device.By.RequestID = string(rune('A' + n))
			if n%2 == 0 { // a transaction against a plain put
				cmd := Reboot(c.Device)
				entries[n].Command = &cmd
			}
		}
		winners := race(t, func(n int) error { return s.Devices.WriteDevice(ctx, entries[n]) })
		if len(winners) != 1 {
			t.Fatalf("got winners %v, want one", winners)
		}
		winner := entries[winners[0]]
		wantEqual(t, "device", read(t, s, c.Device), &winner.Device)
		var want []command.Command
		if winner.Command != nil {
			want = []command.Command{*winner.Command}
		}
		wantCommands(t, s, c.Device, want)
	})
	t.Run("OneCreatesAccount", func(t *testing.T) {
		contested := Account()
		winners := race(t, func(int) error {
			a := Account()
			a.Realm = contested.Realm
			return s.Accounts.CreateAccount(ctx, a)
		})
		if len(winners) != 1 {
			t.Fatalf("got winners %v, want one", winners)
		}
	})
}

func exerciseCommandRaces(t *testing.T, s Stores) {
	ctx := t.Context()
	a := stored(t, s)
	c := Device(a)
	write(t, s, c)
	cmd := Reboot(c.Device)
	must(t, s.Devices.AddCommand(ctx, cmd))

	claims := make([]command.Command, racers)
	claim := func(n int) (err error) {
		claims[n], err = s.Commands.ClaimCommand(ctx, cmd.Ref(), string(rune('A'+n)), began)
		return err
	}
	winners := race(t, claim)
	if len(winners) != 1 {
		t.Fatalf("got winners %v, want one", winners)
	}
	won := claims[winners[0]]
	if won.Edge != string(rune('A'+winners[0])) || won.Attempts != 1 {
		t.Errorf("got edge %s and attempt %d, want the winner's first", won.Edge, won.Attempts)
	}
	winners = race(t, func(n int) error {
		mine := won
		mine.State = command.Failed
		mine.Deliveries = []command.Delivery{{Status: 400 + n}}
		return s.Commands.FinishCommand(ctx, mine)
	})
	if len(winners) != 1 {
		t.Fatalf("got winners %v, want one", winners)
	}
}

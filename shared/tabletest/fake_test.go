package tabletest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/tabletest"
)

func TestFakeKeepsThePromisesOfTheStores(t *testing.T) {
	t.Parallel()
	tabletest.Exercise(t, func(t testing.TB) tabletest.Stores { return tabletest.New(t).Stores() })
}

// recorder keeps what a test would have failed with.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()        {}
func (r *recorder) Cleanup(func()) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestFakeFailsTestsThatBreakInvariants(t *testing.T) {
	t.Parallel()
	a := tabletest.Account()
	for _, c := range []struct {
		name string
		do   func(*testing.T, *tabletest.Fake)
		want string // in a failure; empty: none
	}{
		{"Nothing", func(t *testing.T, f *tabletest.Fake) {
			c := tabletest.Phone(a, "alice")
			must(t, f.WriteDevice(t.Context(), c))
			must(t, f.RemoveDevice(t.Context(), tabletest.Removal(c)))
		}, ""},
		{"ForgottenDeviceClaims", func(t *testing.T, f *tabletest.Fake) {
			c := tabletest.Phone(a, "alice")
			must(t, f.WriteDevice(t.Context(), c))
			c = tabletest.Next(c)
			c.Old.Credential = nil
			_ = f.WriteDevice(t.Context(), c)
		}, "gives back claims that are not what it holds"},
		{"ForgottenClaimsOfRemovedDevice", func(t *testing.T, f *tabletest.Fake) {
			c := tabletest.Phone(a, "alice")
			must(t, f.WriteDevice(t.Context(), c))
			gone := tabletest.Removal(c)
			gone.Old.Credential = nil
			_ = f.RemoveDevice(t.Context(), gone)
		}, "gives back claims that are not what it holds"},
		{"ForgottenHotdeskUsers", func(t *testing.T, f *tabletest.Fake) {
			c := tabletest.Device(a)
			c.Claims.Users = []string{"u"}
			must(t, f.WriteDevice(t.Context(), c))
			c = tabletest.Next(c)
			c.Old.Users = nil
			_ = f.WriteDevice(t.Context(), c)
		}, "gives back claims that are not what it holds"},
		{"ForgottenAccountNames", func(t *testing.T, f *tabletest.Fake) {
			b := a
			b.Rev, b.Realm = 2, "new.test"
			_ = f.UpdateAccount(t.Context(), b, b)
		}, "gives back names that are not what it holds"},
		{"ForgottenUserNames", func(t *testing.T, f *tabletest.Fake) {
			u := tabletest.User(a, "alice")
			must(t, f.CreateUser(t.Context(), u))
			v := u
			v.Rev, v.Username = 2, "bob"
			_ = f.UpdateUser(t.Context(), v, v)
		}, "gives back names that are not what it holds"},
		{"FinalCommandWrittenAgain", func(t *testing.T, f *tabletest.Fake) {
			c := tabletest.Device(a)
			must(t, f.WriteDevice(t.Context(), c))
			cmd := tabletest.Reboot(c.Device)
			cmd.State = command.Failed
			must(t, f.AddCommand(t.Context(), cmd))
			cmd.State = command.Pending
			_ = f.AddCommand(t.Context(), cmd)
		}, "final, now pending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			f := tabletest.New(r)
			must(t, f.CreateAccount(t.Context(), a))
			c.do(t, f)
			f.Check()
			got := strings.Join(r.failures, "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got failures %q, want %q", got, c.want)
			}
		})
	}
}

func TestFakeFailsBeforeOrAfter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := tabletest.New(t)
	a := tabletest.Account()
	find := func() error { _, err := f.AccountByRealm(ctx, a.Realm); return err }

	f.Fail("CreateAccount", 1, tabletest.Before)
	if err := f.CreateAccount(ctx, a); fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if err := find(); fault.Of(err) != fault.NotFound {
		t.Errorf("got %v, want nothing stored", err)
	}
	f.Fail("CreateAccount", 1, tabletest.After)
	if err := f.CreateAccount(ctx, a); fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	must(t, find())
	f.Fail("", 1, tabletest.Before)
	if err := find(); fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}

	broken := errors.New("broken")
	f.Intercept(func(op string) (bool, error) {
		switch op {
		case "CreateAccount":
			return true, broken
		case "AccountByName":
			return false, nil
		}
		return true, nil
	})
	b := tabletest.Account()
	if err := f.CreateAccount(ctx, b); !errors.Is(err, broken) {
		t.Errorf("got %v, want the hook's error", err)
	}
	if _, err := f.AccountByRealm(ctx, b.Realm); err != nil {
		t.Errorf("got %v, want what was stored", err)
	}
	if _, err := f.AccountByName(ctx, "x"); fault.Of(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if got := f.Calls(); got["CreateAccount"] != 3 || got["AccountByName"] != 1 {
		t.Errorf("got calls %v, want 3 of CreateAccount and 1 of AccountByName", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package tabletest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/user"
)

// Fake is an in-memory stand-in for all tables. It implements account.Store,
// user.Store, device.Store, command.Store, credential.Store, auth.Store,
// auth.Vault and registration.Store, and is safe for concurrent use.
//
// After every call it checks that each document holds exactly its claims, that
// no claim is without its document, that every device has its account and that
// no final command changes; what is broken fails the test. It also fails the
// test when a caller gives back other claims than the device holds: the real
// table would then leave some behind.
type Fake struct {
	// Now tells which public keys have expired. It may be replaced before the
	// first call.
	Now func() time.Time

	t testing.TB

	mu     sync.Mutex
	hook   func(op string) (apply bool, err error) // guarded by mu, as all below
	faults []*fakeFault
	calls  map[string]int

	accounts map[string]account.Account
	users    map[id]user.User
	devices  map[id]heldDevice
	claims   map[string]heldClaim
	commands map[command.Ref]command.Command
	revoked  map[string]bool
	attempts map[string]int
	public   map[string]publicKey
	signing  *auth.Key
	bindings map[bindingName]registration.Binding
	leases   map[string]registration.Lease
}

// id names a user or a device.
type id struct{ account, id string }

type heldDevice struct {
	device device.Device
	claims device.Claims
}

type heldClaim struct {
	holder     string // see holder
	account    string
	credential *credential.Credential
}

type publicKey struct {
	key  auth.Key
	keep time.Time
}

type bindingName struct {
	aor credential.AOR
	key string
}

// New returns an empty fake. Its invariants are checked once more when the
// test ends.
func New(t testing.TB) *Fake {
	f := &Fake{
		Now: time.Now, t: t, calls: map[string]int{},
		accounts: map[string]account.Account{}, users: map[id]user.User{}, devices: map[id]heldDevice{},
		claims: map[string]heldClaim{}, commands: map[command.Ref]command.Command{}, revoked: map[string]bool{},
		attempts: map[string]int{}, public: map[string]publicKey{}, bindings: map[bindingName]registration.Binding{},
		leases: map[string]registration.Lease{},
	}
	t.Cleanup(func() { f.Check() })
	return f
}

// Stores returns the fake as each of its stores.
func (f *Fake) Stores() Stores {
	return Stores{Accounts: f, Users: f, Devices: f, Commands: f, Credentials: f, Auth: f, Vault: f, Registrations: f}
}

// When says on which side of its effect a call fails.
type When uint8

// The two sides.
const (
	Before When = iota // nothing happens: refused, or the request was lost
	After              // it happens and then fails: the answer was lost
)

type fakeFault struct {
	op   string
	left int
	when When
}

// errInjected is the cause of the errors that Fail asks for.
var errInjected = errors.New("injected by the test")

// Fail makes the next `times` calls of a method, such as "WriteDevice", return
// fault.Unreachable, before or after they take effect. "" is any method.
func (f *Fake) Fail(op string, times int, when When) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fakeFault{op, times, when})
}

// Intercept has hook asked before every call: whether the call shall take
// effect, and the error to return whatever it did, nil for its own. Without
// effect and without an error a call returns fault.Unreachable.
func (f *Fake) Intercept(hook func(op string) (apply bool, err error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns how often each method was called, failed calls included.
func (f *Fake) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// do runs one method: faults, effect, invariants.
func (f *Fake) do(op string, effect func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	apply, injected := f.fate(op)
	if !apply {
		return firstError(injected, fault.Unreachable(errInjected))
	}
	err := effect()
	f.check(op)
	return firstError(injected, err)
}

func firstError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (f *Fake) fate(op string) (apply bool, err error) {
	for _, rule := range f.faults {
		if rule.left > 0 && (rule.op == "" || rule.op == op) {
			rule.left--
			return rule.when == After, fault.Unreachable(errInjected)
		}
	}
	if f.hook != nil {
		return f.hook(op)
	}
	return true, nil
}

// Check fails the test if an invariant is broken.
func (f *Fake) Check() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.check("Check")
}

func (f *Fake) check(op string) {
	f.t.Helper()
	wanted := map[string]string{} // holders by claim
	want := func(holder string, names map[string]*credential.Credential) {
		for name := range names {
			wanted[name] = holder
		}
	}
	for _, a := range f.accounts {
		want(holder(a.ID, "account", a.ID), accountNames(a))
	}
	for of, u := range f.users {
		want(holder(of.account, "user", of.id), userNames(u))
	}
	for of, d := range f.devices {
		want(holder(of.account, "device", of.id), deviceNames(of.account, d.claims))
		if _, ok := f.accounts[of.account]; !ok {
			f.t.Errorf("after %s: device %s has no account", op, of.id)
		}
	}
	for name, holder := range wanted {
		if got := f.claims[name].holder; got != holder {
			f.t.Errorf("after %s: %s is held by %q, want %q", op, name, got, holder)
		}
	}
	for name, held := range f.claims {
		if wanted[name] != held.holder {
			f.t.Errorf("after %s: %s is held by %s, which does not have it", op, name, held.holder)
		}
	}
}

// putCommand stores a command. One that is final stays as it is.
func (f *Fake) putCommand(c command.Command) {
	if old, ok := f.commands[c.Ref()]; ok && old.State.Final() {
		f.t.Errorf("command %s was %s and final, now %s", c.ID, old.State, c.State)
	}
	f.commands[c.Ref()] = copyCommand(c)
}

func holder(account, kind, id string) string { return account + "/" + kind + "/" + id }

// Copies as they come back from a table: deep, times in UTC and whole
// milliseconds.

func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func copyDoc(doc document.Object) document.Object {
	if doc == nil {
		return document.Object{}
	}
	v, err := document.Decode(document.Canonical(doc))
	if err != nil {
		panic(fmt.Sprintf("tabletest: a document that cannot be read back: %v", err))
	}
	return v.(document.Object)
}

func copyAccount(a account.Account) account.Account {
	a.Doc, a.Created, a.Modified = copyDoc(a.Doc), millis(a.Created), millis(a.Modified)
	a.Tree, a.Salt = slices.Clone(a.Tree), slices.Clone(a.Salt)
	return a
}

func copyUser(u user.User) user.User {
	u.Doc, u.Created, u.Modified = copyDoc(u.Doc), millis(u.Created), millis(u.Modified)
	u.Logins = slices.Clone(u.Logins)
	return u
}

func copyDevice(d device.Device) device.Device {
	d.Doc, d.Created, d.Modified = copyDoc(d.Doc), millis(d.Created), millis(d.Modified)
	return d
}

func copyCommand(c command.Command) command.Command {
	c.Created, c.Expires, c.Due = millis(c.Created), millis(c.Expires), millis(c.Due)
	if c.State.Final() {
		c.Due = time.Time{}
	}
	if c.Notify != nil {
		c.Notify = new(*c.Notify)
		if c.Notify.Reboot != nil {
			c.Notify.Reboot = new(*c.Notify.Reboot)
		}
	}
	text, err := json.Marshal(c.Deliveries)
	if err != nil {
		panic(fmt.Sprintf("tabletest: deliveries that cannot be written: %v", err))
	}
	c.Deliveries = nil
	if err := json.Unmarshal(text, &c.Deliveries); err != nil {
		panic(fmt.Sprintf("tabletest: deliveries that cannot be read back: %v", err))
	}
	return c
}

package events

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/dialplane/dialplane/scripts/policy"
	"github.com/dialplane/dialplane/scripts/template"
	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/registration"
	"github.com/dialplane/dialplane/shared/table"
	"github.com/dialplane/dialplane/shared/tabletest"
)

// ofStream are the permissions of the edge that its stores do not use: to find
// and read the stream.
var ofStream = []string{"FindStream", "ReadStream"}

// The edge's role permits what the stores do that the edge is given, no less
// and no more.
func TestEdgeMayDoWhatItsStoresDo(t *testing.T) {
	t.Parallel()
	tmpl, err := template.Load(filepath.Join(root, "template.yaml"))
	must(t, err)
	i := slices.IndexFunc(tmpl.Resources, func(r template.Resource) bool { return r.ID == "EdgeRole" })
	if i < 0 {
		t.Fatal("the template has no EdgeRole")
	}
	statements, err := policy.OfRole(tmpl, tmpl.Resources[i])
	must(t, err)
	g := &guard{used: map[string]bool{}, statements: slices.DeleteFunc(statements, func(s policy.Statement) bool {
		return slices.Contains(ofStream, s.Sid)
	})}

	tables := tabletest.Local(t)
	seed(t, tables, nil)
	client := table.NewClient(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(g.watch(t, tables)),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	core := table.NewCore(client, tables.Names.Core)
	useCredentials(t, core)
	useCommands(t, tables, core)
	useRegistrations(t, table.NewRegistrations(client, tables.Names.Registrations))
	for _, idle := range g.idle() {
		t.Errorf("no store needs the permission %s", idle)
	}
}

func useCredentials(t *testing.T, store credential.Store) {
	t.Helper()
	_, err := store.Credential(t.Context(), realm, "desk")
	must(t, err)
	if _, err = store.AddressCredential(t.Context(), netip.MustParseAddr("192.0.2.1")); fault.Of(err) != fault.NotFound {
		t.Errorf("got %v, want that the address is not found", err)
	}
}

func useCommands(t *testing.T, tables *tabletest.Tables, store command.Store) {
	t.Helper()
	now := time.Now()
	must(t, tables.Core.AddCommand(t.Context(), command.Command{ID: "01JGFK2D0000000000000000CC", AccountID: accountID,
		DeviceID: deviceID, State: command.Pending, Created: now, Expires: now.Add(time.Hour), Due: now}))
	due, err := store.DueCommands(t.Context(), now.Add(time.Minute), 1)
	must(t, err)
	pending, err := store.PendingCommands(t.Context(), accountID, deviceID)
	must(t, err)
	if len(due) != 1 || len(pending) != 1 {
		t.Fatalf("got %d due and %d pending commands, want 1 of each", len(due), len(pending))
	}
	claimed, err := store.ClaimCommand(t.Context(), due[0], "edge-1", now)
	must(t, err)
	claimed.State = command.Delivered
	must(t, store.FinishCommand(t.Context(), claimed))
}

func useRegistrations(t *testing.T, store registration.Store) {
	t.Helper()
	bindings, err := store.Bindings(t.Context(), credential.NewAOR("desk", realm))
	must(t, err)
	if _, err := store.AccountBindings(t.Context(), accountID); err != nil {
		t.Fatal(err)
	}
	live, err := registration.LiveOnly(t.Context(), store, bindings, time.Now())
	must(t, err)
	if len(live) != 1 {
		t.Fatalf("got %d live bindings, want 1", len(live))
	}
	must(t, store.PutBinding(t.Context(), live[0]))
	must(t, store.RemoveBinding(t.Context(), live[0]))
	must(t, store.PutLease(t.Context(), registration.Lease{Edge: live[0].Edge, Renewed: time.Now()}))
}

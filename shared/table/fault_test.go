package table_test

import (
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
	"github.com/dialplane/dialplane/shared/tabletest"
)

type item = map[string]types.AttributeValue

// rows are all items of the three tables, by table and key.
type rows map[string]item

// everything reads the tables whole. What each write makes up anew is left out.
func everything(t *testing.T, l *tabletest.Tables) rows {
	t.Helper()
	return everythingOf(dump(t, l))
}

// wantRows says which rows differ, without their contents.
func wantRows(t *testing.T, when string, got, want rows) {
	t.Helper()
	for name := range maps.Keys(want) {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: %s is\n%v\nwant\n%v", when, name, got[name], want[name])
		}
	}
	for name := range maps.Keys(got) {
		if want[name] == nil {
			t.Errorf("%s: %s is left over", when, name)
		}
	}
}

var failures = []struct {
	name    string
	failure tabletest.Failure
	kind    fault.Kind // of the error when it does not pass
	applied bool
	shared  bool // only where transactions meet
}{
	{name: "Throttled", failure: tabletest.Throttled, kind: fault.Unavailable},
	{name: "MeetsTransaction", failure: tabletest.Conflicted, kind: fault.Conflict, shared: true},
	{name: "MeetsItself", failure: tabletest.InProgress, kind: fault.Unavailable, shared: true},
	{name: "Refused", failure: tabletest.Refused, kind: fault.Unavailable},
	{name: "TimesOut", failure: tabletest.Silent, kind: fault.Unavailable},
	{name: "AppliesThenErrors", failure: tabletest.AppliedThenRefused, kind: fault.Unavailable, applied: true},
	{name: "AppliesThenTimesOut", failure: tabletest.AppliedThenSilent, kind: fault.Unavailable, applied: true},
}

// Whatever goes wrong with a request, a write happens whole or not at all, and
// once. A failure that passes is not seen; after one that stays, the error says
// so and the write can be tried again.
func TestWritesHappenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, wr := range writes {
		t.Run(wr.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			do := wr.prepare(t, w)
			before := dump(t, w.Tables)
			must(t, do(t.Context()))
			after := everything(t, w.Tables)
			if reflect.DeepEqual(after, everythingOf(before)) {
				t.Fatal("the write changes nothing")
			}
			for _, f := range failures {
				if f.shared && wr.alone {
					continue
				}
				restore(t, w, before)
				w.Wire.Fail("", 1, f.failure)
				if err := do(t.Context()); err != nil {
					t.Errorf("%s once: got %v, want success", f.name, err)
				}
				w.Wire.Heal()
				wantRows(t, f.name+" once", everything(t, w.Tables), after)

				restore(t, w, before)
				w.Wire.Fail("", 1000, f.failure)
				err := do(t.Context())
				w.Wire.Heal()
				if fault.Of(err) != f.kind {
					t.Errorf("%s: got %v, want kind %v", f.name, err, f.kind)
				}
				left := everythingOf(before)
				if f.applied {
					left = after
				}
				wantRows(t, f.name, everything(t, w.Tables), left)

				if err := do(t.Context()); (err != nil) != (f.applied && !wr.always) {
					t.Errorf("%s, then again: got %v, applied before is %v", f.name, err, f.applied)
				} else if err != nil && fault.Of(err) != fault.Conflict {
					t.Errorf("%s, then again: got %v, want a conflict", f.name, err)
				}
				wantRows(t, f.name+", then again", everything(t, w.Tables), after)
			}
		})
	}
}

// An attempt that is counted twice does no harm, one that is not counted does.
func TestAttemptsAreCountedAtLeastOnce(t *testing.T) {
	t.Parallel()
	l := tabletest.Local(t)
	for _, f := range failures {
		if f.shared {
			continue
		}
		bucket := ident.New()
		l.Wire.Fail("UpdateItem", 1, f.failure)
		n, err := l.Core.CountAttempt(t.Context(), bucket, began, time.Minute)
		must(t, err)
		if most := map[bool]int{false: 1, true: 2}[f.applied]; n < 1 || n > most {
			t.Errorf("%s: got %d, want 1 to %d", f.name, n, most)
		}
		l.Wire.Fail("UpdateItem", 1000, f.failure)
		if _, err := l.Core.CountAttempt(t.Context(), bucket, began, time.Minute); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: got %v, want unavailable", f.name, err)
		}
		l.Wire.Heal()
	}
}

// A read that fails says so; it never looks like an absence.
func TestReadsReportThatTheStoreIsAway(t *testing.T) {
	t.Parallel()
	l := tabletest.Local(t)
	ctx := t.Context()
	l.Wire.Fail("", 1000, tabletest.Refused)
	for name, read := range map[string]func() error{
		"Facts":           func() error { _, err := l.Core.Facts(ctx, auth.Query{AccountID: "a"}); return err },
		"AccountByName":   func() error { _, err := l.Core.AccountByName(ctx, "a"); return err },
		"UserByLogin":     func() error { _, err := l.Core.UserByLogin(ctx, "a", "l"); return err },
		"Credential":      func() error { _, err := l.Core.Credential(ctx, "r", "u"); return err },
		"PublicKey":       func() error { _, err := l.Core.PublicKey(ctx, "k"); return err },
		"SigningKey":      func() error { _, err := l.Secrets.SigningKey(ctx); return err },
		"ListDevices":     func() error { return l.Core.ListDevices(ctx, "a", "", false, nil) },
		"UserDevices":     func() error { _, err := l.Core.UserDevices(ctx, "a", "u"); return err },
		"Commands":        func() error { _, err := l.Core.Commands(ctx, "a", "d", 1); return err },
		"PendingCommands": func() error { _, err := l.Core.PendingCommands(ctx, "a", "d"); return err },
		"DueCommands":     func() error { _, err := l.Core.DueCommands(ctx, began, 1); return err },
		"Bindings":        func() error { _, err := l.Registrations.Bindings(ctx, "a@b"); return err },
		"AccountBindings": func() error { _, err := l.Registrations.AccountBindings(ctx, "a"); return err },
		"Leases":          func() error { _, err := l.Registrations.Leases(ctx, []string{"e"}); return err },
	} {
		if err := read(); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
}

// dump returns the tables' items as they are.
func dump(t *testing.T, w *tabletest.Tables) map[string][]item {
	t.Helper()
	out := map[string][]item{}
	for _, name := range []string{w.Names.Core, w.Names.Registrations, w.Names.Secrets} {
		page, err := w.Client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &name, ConsistentRead: new(true)})
		must(t, err)
		out[name] = page.Items
	}
	return out
}

// everythingOf is everything, of a dump.
func everythingOf(dumped map[string][]item) rows {
	all := rows{}
	for name, items := range dumped {
		for _, it := range items {
			it = maps.Clone(it)
			delete(it, "write")
			delete(it, "claim")
			all[name+" "+nameOf(it)] = it
		}
	}
	return all
}

func nameOf(it item) string {
	return it["pk"].(*types.AttributeValueMemberS).Value + " " + it["sk"].(*types.AttributeValueMemberS).Value
}

// restore makes the tables what they were.
func restore(t *testing.T, w *world, to map[string][]item) {
	t.Helper()
	for name, items := range dump(t, w.Tables) {
		now := map[string]item{}
		for _, it := range items {
			now[nameOf(it)] = it
		}
		for _, it := range to[name] {
			if !reflect.DeepEqual(it, now[nameOf(it)]) {
				_, err := w.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &name, Item: it})
				must(t, err)
			}
			delete(now, nameOf(it))
		}
		for _, it := range now {
			_, err := w.Client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &name, Key: item{"pk": it["pk"], "sk": it["sk"]}})
			must(t, err)
		}
	}
}

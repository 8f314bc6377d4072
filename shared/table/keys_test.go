package table

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dialplane/dialplane/shared/ident"
)

func TestParseKeyReadsWhatKeysAreMadeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  key
		want Item
	}{
		{accountKey("a"), Item{Kind: KindAccount, AccountID: "a", ID: "a"}},
		{userKey("a", "u"), Item{Kind: KindUser, AccountID: "a", ID: "u"}},
		{deviceKey("a", "d"), Item{Kind: KindDevice, AccountID: "a", ID: "d"}},
		{commandKey("a", "d", "c"), Item{Kind: KindCommand, AccountID: "a", DeviceID: "d", ID: "c"}},
		{macKey("a", "m"), Item{}},
		{hotdeskKey("a", "u", "d"), Item{}},
		{usernameKey("a", "u"), Item{}},
		{sipUsernameKey("a", "u"), Item{}},
		{sipKey("r", "u"), Item{}},
		{realmKey("r"), Item{}},
		{tokenKey("t"), Item{}},
		{key{"DEVICE#a", "COMMAND#c"}, Item{}},
		{key{"DEVICE#a#d", "OTHER"}, Item{}},
		{key{}, Item{}},
	} {
		got, ok := ParseKey(c.key.pk, c.key.sk)
		if got != c.want || ok != (c.want.Kind != "") {
			t.Errorf("%v: got %+v and %v, want %+v", c.key, got, ok, c.want)
		}
	}
}

// Every item has a key of its own, whatever the names in it are.
func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	seen := map[key]int{}
	for i, k := range []key{
		accountKey("x"), userKey("x", "x"), deviceKey("x", "x"), hotdeskKey("x", "x", "x"), commandKey("x", "x", "x"), macKey("x", "x"),
		sipUsernameKey("x", "x"), usernameKey("x", "x"), loginKey("x", "x"), sipKey("x", "x"), sipIPKey("x"), mdnKey("x"), realmKey("x"),
		nameKey("x"), apiKeyKey("x"), tokenKey("x"), publicKeyKey("x"), attemptKey("x", time.UnixMilli(0)), signingKeyKey,
		bindingKey("x", "x"), leaseKey("x"),
		hotdeskKey("x", "x#x", "x"), hotdeskKey("x", "x", "x#x"), hotdeskKey("x", "x%23x", "x"),
		attemptKey("x#0", time.UnixMilli(0)), attemptKey("x", time.UnixMilli(1)),
	} {
		if j, twice := seen[k]; twice {
			t.Errorf("keys %d and %d are both %v", j, i, k)
		}
		seen[k] = i
		if !k.valid() {
			t.Errorf("%v is not valid", k)
		}
	}
}

func TestKeysThatDynamoDBRefusesAreInvalid(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]key{
		"LongPartition": sipKey("r", strings.Repeat("u", 2048)), "LongSort": deviceKey("a", strings.Repeat("d", 1024)),
		"NotUTF8": deviceKey("a", "\xff"),
	} {
		if k.valid() {
			t.Errorf("%s: got valid", name)
		}
	}
}

func TestDueCommandsSpreadOverAllPartitions(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for range 1000 {
		seen[dueShard(ident.Ordered(time.UnixMilli(0)))]++
	}
	for n := range dueShards {
		if got := seen[dueShardName(n)]; got < 50 {
			t.Errorf("%s: got %d of 1000, want about 125", dueShardName(n), got)
		}
	}
}

// Credentials are looked up by what arrives in SIP messages: two different
// names must never share a key.
func FuzzSIPKey(f *testing.F) {
	f.Add("r", "u", "r#u", "")
	f.Add("r#a", "b", "r", "a#b")
	f.Add("r%23a", "b", "r#a", "b")
	f.Add("R", "U", "r", "u")
	f.Fuzz(func(t *testing.T, realm1, user1, realm2, user2 string) {
		for _, s := range []string{realm1, user1, realm2, user2} {
			if !utf8.ValidString(s) {
				return // such a key is invalid
			}
		}
		lower := func(realm, user string) [2]string { return [2]string{strings.ToLower(realm), strings.ToLower(user)} }
		same := lower(realm1, user1) == lower(realm2, user2)
		if got := sipKey(realm1, user1) == sipKey(realm2, user2); got != same {
			t.Errorf("%q %q and %q %q: got same key %v, want %v", realm1, user1, realm2, user2, got, same)
		}
	})
}

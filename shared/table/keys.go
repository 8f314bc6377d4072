package table

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dialplane/dialplane/shared/credential"
)

// Names of attributes that code outside this package meets: in stream records
// and in the template.
const (
	AttrPK  = "pk"
	AttrSK  = "sk"
	AttrTTL = "ttl" // seconds since 1970; DynamoDB removes the item some time after

	AttrDoc       = "doc"        // the document as canonical JSON
	AttrRev       = "rev"        // counts writes from 1
	AttrByAccount = "by_account" // who wrote a document last: device.Author
	AttrByUser    = "by_user"
	AttrRequestID = "request_id"

	AttrState = "state" // of a command: command.State
	AttrDueAt = "due_at"
)

// Names of the indexes.
const (
	IndexDue     = "due"     // of core: due_shard, due_at; keys only
	IndexOwner   = "owner"   // of core: owner, sk; everything
	IndexAccount = "account" // of registrations: account_id, device_id; everything
)

// Limits of DynamoDB on the parts of a key, in bytes ("Constraints in Amazon
// DynamoDB").
const (
	maxPK = 2048
	maxSK = 1024
)

// key is the primary key of an item.
type key struct{ pk, sk string }

// valid reports whether an item can have the key. What cannot is absent.
func (k key) valid() bool {
	return len(k.pk) <= maxPK && len(k.sk) <= maxSK && utf8.ValidString(k.pk) && utf8.ValidString(k.sk)
}

// part makes s safe inside a key: "#" separates parts. Only parts that others
// follow need it.
func part(s string) string {
	if !strings.ContainsAny(s, "%#") {
		return s
	}
	return strings.NewReplacer("%", "%25", "#", "%23").Replace(s)
}

const (
	accountPrefix = "ACCOUNT#"
	accountSK     = "ACCOUNT"
	userPrefix    = "USER#"
	devicePrefix  = "DEVICE#"
	commandPrefix = "COMMAND#"
	hotdeskPrefix = "HOTDESK#"
	bindingPrefix = "BINDING#"
	credentialSK  = "CREDENTIAL"
	claimSK       = "CLAIM"
)

// Keys of documents. Their ids are ident.Valid and need no escape.
func accountKey(id string) key             { return key{accountPrefix + id, accountSK} }
func userKey(account, id string) key       { return key{accountPrefix + account, userPrefix + id} }
func deviceKey(account, id string) key     { return key{accountPrefix + account, devicePrefix + id} }
func hotdeskSK(user string) string         { return hotdeskPrefix + part(user) + "#" }
func commandPK(account, dev string) string { return devicePrefix + part(account) + "#" + dev }

func hotdeskKey(account, user, dev string) key {
	return key{accountPrefix + account, hotdeskSK(user) + dev}
}

func commandKey(account, dev, id string) key {
	return key{commandPK(account, dev), commandPrefix + id}
}

// Keys of claims that are unique in an account.
func macKey(account, mac string) key { return key{accountPrefix + account, "MAC#" + mac} }
func sipUsernameKey(account, name string) key {
	return key{accountPrefix + account, "SIPUSERNAME#" + strings.ToLower(name)}
}
func usernameKey(account, name string) key {
	return key{accountPrefix + account, "USERNAME#" + strings.ToLower(name)}
}
func loginKey(account, login string) key { return key{accountPrefix + account, "LOGIN#" + login} }

// Keys of claims that are unique in the system.
func sipKey(realm, name string) key {
	return key{"SIP#" + part(strings.ToLower(realm)) + "#" + strings.ToLower(name), credentialSK}
}
func sipIPKey(addr string) key  { return key{"SIPIP#" + addr, credentialSK} }
func mdnKey(number string) key  { return key{"MDN#" + number, claimSK} }
func realmKey(realm string) key { return key{"REALM#" + strings.ToLower(realm), claimSK} }
func nameKey(name string) key   { return key{"NAME#" + name, claimSK} }
func apiKeyKey(hash string) key { return key{"APIKEY#" + hash, claimSK} }

// Keys of authentication.
func tokenKey(id string) key      { return key{"TOKEN#" + id, "REVOKED"} }
func publicKeyKey(kid string) key { return key{"TOKENKEY#" + kid, "PUBLIC"} }
func attemptKey(bucket string, start time.Time) key {
	return key{"ATTEMPT#" + part(bucket) + "#" + strconv.FormatInt(start.UnixMilli(), 10), "COUNT"}
}

// signingKeyKey is in the table of secrets.
var signingKeyKey = key{"TOKENKEY", "SIGNING"}

// Keys of the table of registrations.
func aorPK(aor credential.AOR) string                { return "AOR#" + strings.ToLower(string(aor)) }
func bindingKey(aor credential.AOR, name string) key { return key{aorPK(aor), bindingPrefix + name} }
func leaseKey(edge string) key                       { return key{"EDGE#" + edge, "LEASE"} }

// dueShards is over how many partitions the index of due commands is spread.
const dueShards = 8

// dueShard returns the partition of a command. FNV-1a spreads ULIDs, whose last
// characters are random.
func dueShard(id string) string {
	h := uint32(2166136261)
	for _, c := range []byte(id) {
		h = (h ^ uint32(c)) * 16777619
	}
	return dueShardName(int(h % dueShards))
}

func dueShardName(n int) string { return "DUE#" + strconv.Itoa(n) }

// Kind says what a stream record is about.
type Kind string

// The kinds of items that others follow by the stream of core.
const (
	KindAccount Kind = "account"
	KindUser    Kind = "user"
	KindDevice  Kind = "device"
	KindCommand Kind = "command"
)

// Item names an item of core that others follow by its stream.
type Item struct {
	Kind      Kind
	AccountID string
	DeviceID  string // of a command
	ID        string // of the document or the command
}

// ParseKey tells what an item of core is by its key. It returns false for
// claims, links and whatever else is nobody else's business.
func ParseKey(pk, sk string) (Item, bool) {
	if account, ok := strings.CutPrefix(pk, accountPrefix); ok {
		if sk == accountSK {
			return Item{Kind: KindAccount, AccountID: account, ID: account}, true
		}
		if id, ok := strings.CutPrefix(sk, userPrefix); ok {
			return Item{Kind: KindUser, AccountID: account, ID: id}, true
		}
		if id, ok := strings.CutPrefix(sk, devicePrefix); ok {
			return Item{Kind: KindDevice, AccountID: account, ID: id}, true
		}
		return Item{}, false
	}
	rest, isDevice := strings.CutPrefix(pk, devicePrefix)
	account, dev, hasBoth := strings.Cut(rest, "#")
	id, isCommand := strings.CutPrefix(sk, commandPrefix)
	if !isDevice || !hasBoth || !isCommand {
		return Item{}, false
	}
	return Item{Kind: KindCommand, AccountID: account, DeviceID: dev, ID: id}, true
}

package table

import (
	"errors"
	"fmt"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
)

// claim is a name that a document holds and no other may.
type claim struct {
	key        key
	credential *credential.Credential // what is found under the name; nil: only who holds it
	taken      error                  // said when another document holds it
}

// claimItem is a claim as it is stored. Its holder is the document with the
// partition key of AccountID and the sort key Holder.
type claimItem struct {
	keyed
	AccountID string `dynamodbav:"account_id"`
	Holder    string `dynamodbav:"holder"`

	// The rest is only in credentials. OwnerID must not be called "owner":
	// that would put credentials in the index of devices by owner.
	DeviceID  string `dynamodbav:"device_id,omitempty"`
	OwnerID   string `dynamodbav:"owner_id,omitempty"`
	Realm     string `dynamodbav:"realm,omitempty"`
	Username  string `dynamodbav:"username,omitempty"`
	HA1MD5    string `dynamodbav:"ha1_md5,omitempty"`
	HA1SHA256 string `dynamodbav:"ha1_sha256,omitempty"`
	Enabled   bool   `dynamodbav:"enabled,omitempty"`
}

func (c claim) encode(account, holder string) item {
	out := claimItem{keyed: keyedBy(c.key), AccountID: account, Holder: holder}
	if held := c.credential; held != nil {
		out.DeviceID, out.OwnerID, out.Realm, out.Username = held.DeviceID, held.OwnerID, held.Realm, held.Username
		out.HA1MD5, out.HA1SHA256, out.Enabled = held.HA1MD5, held.HA1SHA256, held.Enabled
	}
	return encode(out)
}

func (c claimItem) credential() credential.Credential {
	return credential.Credential{
		AccountID: c.AccountID, DeviceID: c.DeviceID, OwnerID: c.OwnerID, Realm: c.Realm, Username: c.Username,
		HA1MD5: c.HA1MD5, HA1SHA256: c.HA1SHA256, Enabled: c.Enabled,
	}
}

// same reports whether c is stored already if old is.
func (c claim) same(old claim) bool {
	if c.credential == nil || old.credential == nil {
		return c.credential == old.credential
	}
	return *c.credential == *old.credential
}

// inUse is the violation of a name that another document holds.
func inUse(path, message, cause string) error {
	return fault.Breaks(path, "unique", fault.Violation{Message: message, Cause: cause})
}

// maxName is how long a name may surely be that is claimed, in bytes.
const maxName = 512

// tooLong is the violation of a name that no key can hold.
func (c claim) tooLong() error {
	for path := range fault.ViolationsOf(c.taken) {
		return fault.Breaks(path, "maxLength", fault.Violation{
			Message: fmt.Sprintf("String must not be more than %d characters", maxName), Target: maxName})
	}
	return c.taken
}

// errStray tells that a name which the caller believes to give back is not the
// document's.
var errStray = errors.New("another document holds a name that this one gives back")

// claimSteps takes what is new or changed in held, gives back what is only in
// old, and leaves the rest alone. The holder is a document of the account.
func claimSteps(account, holder string, held, old []claim) []step {
	mine := item{":account": str(account), ":holder": str(holder)}
	before, after := map[key]claim{}, map[key]bool{}
	for _, c := range old {
		before[c.key] = c
	}
	var steps []step
	for _, c := range held {
		if after[c.key] {
			continue
		}
		after[c.key] = true
		if was, ok := before[c.key]; ok && c.same(was) {
			continue
		}
		steps = append(steps, step{key: c.key, put: c.encode(account, holder), condition: isFree, values: mine, refused: c.taken})
	}
	for _, c := range old {
		if !after[c.key] {
			after[c.key] = true
			steps = append(steps, step{key: c.key, delete: true, condition: isFree, values: mine,
				refused: fault.Conflicting(errStray)})
		}
	}
	return steps
}

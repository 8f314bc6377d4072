package table

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/device"
	"github.com/dialplane/dialplane/shared/document"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

var _ device.Store = (*Core)(nil)

// MaxHotdeskUsers bounds the users hot-desked onto one device, so that the
// change from one full set to another fits into one transaction of 100 items.
const MaxHotdeskUsers = 40

type deviceItem struct {
	stored
	AccountID string `dynamodbav:"account_id"`
	Owner     string `dynamodbav:"owner,omitempty"` // of IndexOwner: see ownerOf
	ByAccount string `dynamodbav:"by_account,omitempty"`
	ByUser    string `dynamodbav:"by_user,omitempty"`
	RequestID string `dynamodbav:"request_id,omitempty"`
}

// ownerOf is the partition of IndexOwner for the devices of a user; "" if user
// cannot be one's id.
func ownerOf(account, user string) string {
	if !ident.Valid(user) {
		return ""
	}
	return part(account) + "#" + user
}

// WriteDevice is device.Store's. A device with more than MaxHotdeskUsers is
// refused with fault.Invalid. It returns fault.Conflict also if the account is
// gone or has another realm than the change says.
func (c *Core) WriteDevice(ctx context.Context, ch device.Change) error {
	d := ch.Device
	if len(ch.Claims.Users) > MaxHotdeskUsers {
		return fault.Breaks("hotdesk.users", "maxProperties", fault.Violation{
			Message: fmt.Sprintf("The object must not have more than %d members", MaxHotdeskUsers), Target: MaxHotdeskUsers})
	}
	held := deviceClaims(d.AccountID, d.ID, ch.Claims)
	for _, cl := range held {
		if !cl.key.valid() {
			return cl.tooLong()
		}
	}
	k := deviceKey(d.AccountID, d.ID)
	steps := []step{putDoc(k, d.Rev, encodeDevice(d))}
	steps = append(steps, claimSteps(d.AccountID, k.sk, held, deviceClaims(d.AccountID, d.ID, ch.Old))...)
	steps = append(steps, realmSteps(ch)...)
	return c.apply(ctx, "write device", append(steps, commandSteps(ch.Command)...))
}

// RemoveDevice is device.Store's.
func (c *Core) RemoveDevice(ctx context.Context, ch device.Change) error {
	d := ch.Device
	k := deviceKey(d.AccountID, d.ID)
	steps := []step{deleteDoc(k, d.Rev)}
	steps = append(steps, claimSteps(d.AccountID, k.sk, nil, deviceClaims(d.AccountID, d.ID, ch.Old))...)
	return c.apply(ctx, "remove device", append(steps, commandSteps(ch.Command)...))
}

// deviceClaims returns the names that a device holds, and its hotdesk links,
// which nobody else can want.
func deviceClaims(account, dev string, in device.Claims) []claim {
	var out []claim
	if in.Credential != nil {
		name := in.Credential.Username
		taken := inUse("sip.username", "SIP credentials already in use", name)
		out = append(out, claim{key: sipKey(in.Credential.Realm, name), credential: in.Credential, taken: taken},
			claim{key: sipUsernameKey(account, name), taken: taken})
	}
	if in.IP != "" {
		out = append(out, claim{key: sipIPKey(in.IP), credential: in.Address, taken: inUse("sip.ip", "SIP IP already in use", in.IP)})
	}
	if in.MAC != "" {
		out = append(out, claim{key: macKey(account, in.MAC), taken: inUse("mac_address", "MAC address already in use", in.MAC)})
	}
	if in.MDN != "" {
		out = append(out, claim{key: mdnKey(in.MDN),
			taken: inUse("mobile.mdn", "Mobile Device Number already exists in the system", in.MDN)})
	}
	for _, user := range in.Users {
		if ident.Valid(user) { // no other id is a user's
			out = append(out, claim{key: hotdeskKey(account, user, dev), taken: fault.Conflicting(nil)})
		}
	}
	return out
}

// realmSteps checks what the write depends on and does not change: that the
// account of a new device exists, and that the realm of a new or moved
// credential is the account's to use.
func realmSteps(ch device.Change) []step {
	account := ch.Device.AccountID
	exists := step{key: accountKey(account), condition: isStored,
		refused: fault.Conflicting(fmt.Errorf("account %s is gone", account))}
	var steps []step
	if realm, name := identity(ch.Claims); realm != "" && name != identityName(ch.Old) {
		if ch.Claims.OwnRealm {
			exists.condition, exists.values = "realm = :realm", item{":realm": str(realm)}
			exists.refused = fault.Conflicting(fmt.Errorf("account %s is gone or has another realm", account))
			return []step{exists}
		}
		steps = append(steps, step{key: realmKey(realm), condition: "attribute_not_exists(pk) OR account_id = :account",
			values:  item{":account": str(account)},
			refused: fault.Breaks("sip.realm", "unique", fault.Violation{Message: "Realm belongs to another account", Cause: realm})})
	}
	if ch.Device.Rev == 1 {
		steps = append(steps, exists)
	}
	return steps
}

// identity returns the realm in which a device's phones register, and the
// claim by which they do; "" if they cannot.
func identity(in device.Claims) (realm string, name key) {
	switch {
	case in.Credential != nil:
		realm = strings.ToLower(in.Credential.Realm)
		return realm, sipKey(realm, in.Credential.Username)
	case in.Address != nil:
		realm = strings.ToLower(in.Address.Realm)
		return realm, key{realm, in.IP}
	}
	return "", key{}
}

func identityName(in device.Claims) key {
	_, name := identity(in)
	return name
}

func encodeDevice(d device.Device) item {
	return encode(deviceItem{
		stored: stored{keyed: keyedBy(deviceKey(d.AccountID, d.ID)), Rev: d.Rev, Write: ident.New(),
			Created: toMillis(d.Created), Modified: toMillis(d.Modified), Doc: d.Text()},
		AccountID: d.AccountID, Owner: ownerOf(d.AccountID, document.Text(d.Doc, "owner_id")),
		ByAccount: d.By.AccountID, ByUser: d.By.UserID, RequestID: d.By.RequestID,
	})
}

func decodeDevice(it item) (device.Device, error) {
	in, err := decode[deviceItem](it)
	if err != nil {
		return device.Device{}, err
	}
	doc, err := decodeDoc(in.Doc)
	if err != nil {
		return device.Device{}, err
	}
	named, _ := ParseKey(in.PK, in.SK)
	return device.Device{
		ID: named.ID, AccountID: in.AccountID, Rev: in.Rev, Created: in.Created.time(), Modified: in.Modified.time(),
		By: device.Author{AccountID: in.ByAccount, UserID: in.ByUser, RequestID: in.RequestID}, Doc: doc,
	}, nil
}

// ListDevices is device.Store's.
func (c *Core) ListDevices(ctx context.Context, accountID, from string, descending bool, yield func(device.Device) bool) error {
	// No id is that long; what stands for a longer one sorts the same way.
	from = from[:min(len(from), maxSK/2)]
	first, last := devicePrefix+from, strings.TrimSuffix(devicePrefix, "#")+"$" // "$" follows "#"
	if descending {
		first = devicePrefix
		if from != "" {
			last = devicePrefix + from
		}
	}
	in := &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
		ExpressionAttributeValues: item{":pk": str(accountPrefix + accountID), ":first": str(first), ":last": str(last)},
		ConsistentRead:            aws.Bool(true), ScanIndexForward: aws.Bool(!descending),
	}
	return c.query(ctx, "list devices", in, func(it item) (bool, error) {
		d, err := decodeDevice(it)
		return err == nil && yield(d), err
	})
}

// UserDevices is device.Store's: a query of the owner's devices, one of the
// links, and a read of the devices that only links name.
func (c *Core) UserDevices(ctx context.Context, accountID, userID string) ([]device.Device, error) {
	const action = "list devices of user"
	if !ident.Valid(userID) {
		return nil, nil
	}
	ctx, cancel := bound(ctx, action)
	defer cancel()
	owned, err := collect(ctx, c.base, action, &dynamodb.QueryInput{
		IndexName: aws.String(IndexOwner), KeyConditionExpression: aws.String("#owner = :owner"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner"},
		ExpressionAttributeValues: item{":owner": str(ownerOf(accountID, userID))},
	}, decodeDevice)
	if err != nil {
		return nil, err
	}
	found := map[string]device.Device{}
	for _, d := range owned {
		found[d.ID] = d
	}
	links, err := collect(ctx, c.base, action, &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :links)"),
		ExpressionAttributeValues: item{":pk": str(accountPrefix + accountID), ":links": str(hotdeskSK(userID))},
		ProjectionExpression:      aws.String(AttrPK + ", " + AttrSK),
	}, func(it item) (string, error) { return strings.TrimPrefix(strAt(it, AttrSK), hotdeskSK(userID)), nil })
	if err != nil {
		return nil, err
	}
	var missing []key
	for _, id := range links {
		if _, ok := found[id]; !ok {
			missing = append(missing, deviceKey(accountID, id))
		}
	}
	linked, err := c.batchGet(ctx, action, missing)
	if err != nil {
		return nil, err
	}
	for _, it := range linked {
		d, err := decodeDevice(it)
		if err != nil {
			return nil, err
		}
		found[d.ID] = d
	}
	return slices.SortedFunc(maps.Values(found), func(a, b device.Device) int { return strings.Compare(a.ID, b.ID) }), nil
}

// commandSteps stores a command, if there is one.
func commandSteps(c *command.Command) []step {
	if c == nil {
		return nil
	}
	return []step{{key: commandKey(c.AccountID, c.DeviceID, c.ID), put: encodeCommand(*c)}}
}

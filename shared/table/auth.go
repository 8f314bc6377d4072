package table

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/account"
	"github.com/dialplane/dialplane/shared/auth"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/user"
)

var _ auth.Store = (*Core)(nil)

// Facts is auth.Store's: one BatchGetItem.
func (c *Core) Facts(ctx context.Context, q auth.Query) (auth.Facts, error) {
	var keys []key
	want := func(k key, ids ...string) key {
		for _, id := range ids {
			if id == "" {
				return key{}
			}
		}
		keys = append(keys, k)
		return k
	}
	token := want(tokenKey(q.TokenID), q.TokenID)
	caller := want(accountKey(q.CallerID), q.CallerID)
	person := want(userKey(q.CallerID, q.UserID), q.CallerID, q.UserID)
	target := want(accountKey(q.AccountID), q.AccountID)
	phone := want(deviceKey(q.AccountID, q.DeviceID), q.AccountID, q.DeviceID)

	found, err := c.batchGet(ctx, "read facts", keys)
	if err != nil {
		return auth.Facts{}, err
	}
	var facts auth.Facts
	_, facts.Revoked = found[token]
	if facts.Caller, err = decodeIf(found[caller], decodeAccount); err != nil {
		return auth.Facts{}, err
	}
	if facts.User, err = decodeIf(found[person], decodeUser); err != nil {
		return auth.Facts{}, err
	}
	if facts.Account, err = decodeIf(found[target], decodeAccount); err != nil {
		return auth.Facts{}, err
	}
	if facts.Device, err = decodeIf(found[phone], decodeDevice); err != nil {
		return auth.Facts{}, err
	}
	return facts, nil
}

// decodeIf reads an item that may be missing.
func decodeIf[T any](it item, read func(item) (T, error)) (*T, error) {
	if it == nil {
		return nil, nil
	}
	v, err := read(it)
	return &v, err
}

// AccountByName is auth.Store's.
func (c *Core) AccountByName(ctx context.Context, name string) (account.Account, error) {
	return c.accountBy(ctx, "find account by name", nameKey(name))
}

// AccountByRealm is auth.Store's.
func (c *Core) AccountByRealm(ctx context.Context, realm string) (account.Account, error) {
	return c.accountBy(ctx, "find account by realm", realmKey(realm))
}

// AccountByAPIKey is auth.Store's.
func (c *Core) AccountByAPIKey(ctx context.Context, hash string) (account.Account, error) {
	return c.accountBy(ctx, "find account by API key", apiKeyKey(hash))
}

func (c *Core) accountBy(ctx context.Context, action string, name key) (account.Account, error) {
	it, err := c.holder(ctx, action, name)
	if err != nil {
		return account.Account{}, err
	}
	return decodeAccount(it)
}

// UserByLogin is auth.Store's.
func (c *Core) UserByLogin(ctx context.Context, accountID, login string) (user.User, error) {
	it, err := c.holder(ctx, "find user by login", loginKey(accountID, login))
	if err != nil {
		return user.User{}, err
	}
	return decodeUser(it)
}

// holder reads the document that holds a claim. It makes two requests whether
// there is one or not, so that its duration does not tell which names exist.
func (c *Core) holder(ctx context.Context, action string, name key) (item, error) {
	ctx, cancel := bound(ctx, action)
	defer cancel()
	it, err := c.get(ctx, action, name)
	if err != nil {
		return nil, err
	}
	held, err := decode[claimItem](it)
	if err != nil {
		return nil, err
	}
	of := accountKey("-")
	if it != nil {
		of = key{accountPrefix + held.AccountID, held.Holder}
	}
	document, err := c.get(ctx, action, of)
	if err != nil {
		return nil, err
	}
	if it == nil || document == nil {
		return nil, fault.BadIdentifier("")
	}
	return document, nil
}

type expiringItem struct {
	keyed
	TTL int64 `dynamodbav:"ttl"`
}

// Revoke is auth.Store's.
func (c *Core) Revoke(ctx context.Context, tokenID string, until time.Time) error {
	k := tokenKey(tokenID)
	return c.apply(ctx, "revoke token", []step{{key: k, put: encode(expiringItem{keyed: keyedBy(k), TTL: ttlAfter(until)})}})
}

// ttlAfter is the first whole second at which t has passed.
func ttlAfter(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// CountAttempt is auth.Store's. An attempt whose answer was lost may count
// twice, which errs on the safe side.
func (c *Core) CountAttempt(ctx context.Context, bucket string, now time.Time, window time.Duration) (int, error) {
	const action = "count attempt"
	ctx, cancel := bound(ctx, action)
	defer cancel()
	start := now.Truncate(window)
	out, err := c.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &c.table, Key: attemptKey(bucket, start).item(), ReturnValues: types.ReturnValueUpdatedNew,
		UpdateExpression:          aws.String("ADD attempts :one SET #ttl = :ttl"),
		ExpressionAttributeNames:  map[string]string{"#ttl": AttrTTL},
		ExpressionAttributeValues: item{":one": num(1), ":ttl": num(ttlAfter(start.Add(window)))},
	})
	if err != nil {
		return 0, classify(ctx, action, err)
	}
	count, _ := out.Attributes["attempts"].(*types.AttributeValueMemberN)
	if count == nil {
		return 0, fmt.Errorf("%s: there is no count in the answer", action)
	}
	return strconv.Atoi(count.Value)
}

type publicKeyItem struct {
	expiringItem
	Public  []byte `dynamodbav:"public"`
	Created millis `dynamodbav:"created"`
}

// PublicKey is auth.Store's.
func (c *Core) PublicKey(ctx context.Context, keyID string) (auth.Key, error) {
	it, err := c.get(ctx, "read public key", publicKeyKey(keyID))
	if err != nil {
		return auth.Key{}, err
	}
	in, err := decode[publicKeyItem](it)
	if err != nil {
		return auth.Key{}, err
	}
	if it == nil || in.TTL <= c.now().Unix() {
		return auth.Key{}, fault.BadIdentifier(keyID)
	}
	return auth.Key{ID: keyID, Public: in.Public, Created: in.Created.time()}, nil
}

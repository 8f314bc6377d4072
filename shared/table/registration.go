package table

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/registration"
)

var _ registration.Store = (*Registrations)(nil)

const (
	// bindingLife is how long a binding is kept that nobody writes again. An
	// edge writes each of its bindings at least once a day.
	bindingLife = 8 * 24 * time.Hour
	// leaseLife is how long the trace of a dead edge is kept: longer than any
	// of its bindings can be live, for no edge grants more than a day.
	leaseLife = 3 * 24 * time.Hour
)

type bindingItem struct {
	keyed
	AOR       string `dynamodbav:"aor"`
	AccountID string `dynamodbav:"account_id"`
	DeviceID  string `dynamodbav:"device_id"`
	Username  string `dynamodbav:"username,omitempty"`
	Realm     string `dynamodbav:"realm,omitempty"`
	Edge      string `dynamodbav:"edge"`
	Contact   string `dynamodbav:"contact"`
	Received  string `dynamodbav:"received"`
	Local     string `dynamodbav:"local"`
	Transport string `dynamodbav:"transport"`
	UserAgent string `dynamodbav:"user_agent,omitempty"`
	CallID    string `dynamodbav:"call_id"`
	CSeq      uint32 `dynamodbav:"cseq"`
	Q         string `dynamodbav:"q,omitempty"`
	Expiry    int64  `dynamodbav:"expiry"` // seconds
	Since     millis `dynamodbav:"since"`
	Written   millis `dynamodbav:"written"`
	TTL       int64  `dynamodbav:"ttl"`
}

func encodeBinding(b registration.Binding) item {
	return encode(bindingItem{
		keyed: keyedBy(bindingKey(b.AOR, b.Key)), AOR: string(b.AOR), AccountID: b.AccountID, DeviceID: b.DeviceID, Username: b.Username,
		Realm: b.Realm, Edge: b.Edge, Contact: b.Contact, Received: b.Received, Local: b.Local, Transport: b.Transport,
		UserAgent: b.UserAgent, CallID: b.CallID, CSeq: b.CSeq, Q: b.Q, Expiry: int64(b.Expiry / time.Second),
		Since: toMillis(b.Since), Written: toMillis(b.Written), TTL: b.Written.Add(bindingLife).Unix(),
	})
}

func decodeBinding(it item) (registration.Binding, error) {
	in, err := decode[bindingItem](it)
	if err != nil {
		return registration.Binding{}, err
	}
	return registration.Binding{
		AOR: credential.AOR(in.AOR), Key: in.SK[min(len(in.SK), len(bindingPrefix)):], AccountID: in.AccountID, DeviceID: in.DeviceID,
		Username: in.Username, Realm: in.Realm, Edge: in.Edge, Contact: in.Contact, Received: in.Received, Local: in.Local,
		Transport: in.Transport, UserAgent: in.UserAgent, CallID: in.CallID, CSeq: in.CSeq, Q: in.Q,
		Expiry: time.Duration(in.Expiry) * time.Second, Since: in.Since.time(), Written: in.Written.time(),
	}, nil
}

// PutBinding is registration.Store's.
func (r *Registrations) PutBinding(ctx context.Context, b registration.Binding) error {
	return r.apply(ctx, "put binding", []step{{key: bindingKey(b.AOR, b.Key), put: encodeBinding(b)}})
}

// RemoveBinding is registration.Store's.
func (r *Registrations) RemoveBinding(ctx context.Context, b registration.Binding) error {
	const action = "remove binding"
	ctx, cancel := bound(ctx, action)
	defer cancel()
	_, err := r.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &r.table, Key: bindingKey(b.AOR, b.Key).item(), ConditionExpression: aws.String("edge = :edge"),
		ExpressionAttributeValues: item{":edge": str(b.Edge)},
	})
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return nil
	}
	return classify(ctx, action, err)
}

// Bindings is registration.Store's.
func (r *Registrations) Bindings(ctx context.Context, aor credential.AOR) ([]registration.Binding, error) {
	return collect(ctx, r.base, "list bindings", &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :bindings)"),
		ExpressionAttributeValues: item{":pk": str(aorPK(aor)), ":bindings": str(bindingPrefix)},
		ConsistentRead:            aws.Bool(true),
	}, decodeBinding)
}

// AccountBindings is registration.Store's.
func (r *Registrations) AccountBindings(ctx context.Context, accountID string) ([]registration.Binding, error) {
	return collect(ctx, r.base, "list bindings of account", &dynamodb.QueryInput{
		IndexName: aws.String(IndexAccount), KeyConditionExpression: aws.String("account_id = :account"),
		ExpressionAttributeValues: item{":account": str(accountID)},
	}, decodeBinding)
}

type leaseItem struct {
	expiringItem
	Renewed millis `dynamodbav:"renewed"`
	Stopped bool   `dynamodbav:"stopped"`
}

// PutLease is registration.Store's.
func (r *Registrations) PutLease(ctx context.Context, lease registration.Lease) error {
	k := leaseKey(lease.Edge)
	return r.apply(ctx, "put lease", []step{{key: k, put: encode(leaseItem{
		expiringItem: expiringItem{keyed: keyedBy(k), TTL: lease.Renewed.Add(leaseLife).Unix()},
		Renewed:      toMillis(lease.Renewed), Stopped: lease.Stopped,
	})}})
}

// Leases is registration.Store's.
func (r *Registrations) Leases(ctx context.Context, edges []string) (map[string]registration.Lease, error) {
	keys := make([]key, len(edges))
	for i, edge := range edges {
		keys[i] = leaseKey(edge)
	}
	found, err := r.batchGet(ctx, "read leases", keys)
	if err != nil {
		return nil, err
	}
	out := make(map[string]registration.Lease, len(found))
	for i, edge := range edges {
		it, ok := found[keys[i]]
		if !ok {
			continue
		}
		in, err := decode[leaseItem](it)
		if err != nil {
			return nil, err
		}
		out[edge] = registration.Lease{Edge: edge, Renewed: in.Renewed.time(), Stopped: in.Stopped}
	}
	return out, nil
}

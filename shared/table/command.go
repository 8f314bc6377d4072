package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/command"
	"github.com/dialplane/dialplane/shared/credential"
	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

var _ command.Store = (*Core)(nil)

type commandItem struct {
	keyed
	AOR     string      `dynamodbav:"aor,omitempty"`
	Notify  *notifyItem `dynamodbav:"notify,omitempty"`
	Drop    bool        `dynamodbav:"drop,omitempty"`
	State   string      `dynamodbav:"state"`
	Created millis      `dynamodbav:"created"`
	Expires millis      `dynamodbav:"expires"`
	// DueShard and DueAt are there while the command is not final: they are
	// its place in IndexDue.
	DueShard   string `dynamodbav:"due_shard,omitempty"`
	DueAt      millis `dynamodbav:"due_at,omitempty"`
	Edge       string `dynamodbav:"edge,omitempty"`
	Claim      string `dynamodbav:"claim,omitempty"`
	Attempts   int    `dynamodbav:"attempts"`
	Deliveries string `dynamodbav:"deliveries"` // a JSON list of command.Delivery
	RequestID  string `dynamodbav:"request_id,omitempty"`
	TTL        int64  `dynamodbav:"ttl"`
}

type notifyItem struct {
	Event       string `dynamodbav:"event"`
	Reboot      *bool  `dynamodbav:"reboot,omitempty"`
	Brand       string `dynamodbav:"brand,omitempty"`
	ContentType string `dynamodbav:"content_type,omitempty"`
	Body        string `dynamodbav:"body,omitempty"`
}

func encodeCommand(c command.Command) item {
	out := commandItem{
		keyed: keyedBy(commandKey(c.AccountID, c.DeviceID, c.ID)), AOR: string(c.AOR), Drop: c.Drop, State: string(c.State),
		Created: toMillis(c.Created), Expires: toMillis(c.Expires), Edge: c.Edge, Claim: c.Claim, Attempts: c.Attempts,
		Deliveries: encodeDeliveries(c.Deliveries), RequestID: c.RequestID, TTL: c.Created.Add(command.Retention).Unix(),
	}
	if c.Notify != nil {
		out.Notify = (*notifyItem)(c.Notify)
	}
	if !c.State.Final() {
		out.DueShard, out.DueAt = dueShard(c.ID), toMillis(c.Due)
	}
	return encode(out)
}

func encodeDeliveries(list []command.Delivery) string {
	if len(list) == 0 {
		return "[]"
	}
	text, err := json.Marshal(list)
	if err != nil { // only a year past 9999 cannot be written
		panic(fmt.Sprintf("table: encode deliveries: %v", err))
	}
	return string(text)
}

func decodeCommand(it item) (command.Command, error) {
	in, err := decode[commandItem](it)
	if err != nil {
		return command.Command{}, err
	}
	var deliveries []command.Delivery
	if err := json.Unmarshal([]byte(in.Deliveries), &deliveries); err != nil {
		return command.Command{}, fmt.Errorf("decode deliveries: %w", err)
	}
	if len(deliveries) == 0 {
		deliveries = nil
	}
	named, _ := ParseKey(in.PK, in.SK)
	return command.Command{
		ID: named.ID, AccountID: named.AccountID, DeviceID: named.DeviceID, AOR: credential.AOR(in.AOR),
		Notify: (*command.Notify)(in.Notify), Drop: in.Drop, State: command.State(in.State), Created: in.Created.time(),
		Expires: in.Expires.time(), Due: in.DueAt.time(), Edge: in.Edge, Claim: in.Claim, Attempts: in.Attempts,
		Deliveries: deliveries, RequestID: in.RequestID,
	}, nil
}

// AddCommand is device.Store's.
func (c *Core) AddCommand(ctx context.Context, cmd command.Command) error {
	there := step{key: deviceKey(cmd.AccountID, cmd.DeviceID), condition: isStored, refused: fault.BadIdentifier(cmd.DeviceID)}
	return c.apply(ctx, "add command", append([]step{there}, commandSteps(&cmd)...))
}

// commandsOf asks for the commands of a device, oldest first.
func commandsOf(accountID, deviceID string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :commands)"),
		ExpressionAttributeValues: item{
			":pk": str(commandPK(accountID, deviceID)), ":commands": str(commandPrefix)},
		ConsistentRead: aws.Bool(true),
	}
}

// Commands is device.Store's.
func (c *Core) Commands(ctx context.Context, accountID, deviceID string, limit int) ([]command.Command, error) {
	if limit <= 0 {
		return nil, nil
	}
	in := commandsOf(accountID, deviceID)
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(int32(limit))
	var out []command.Command
	err := c.query(ctx, "list commands", in, func(it item) (bool, error) {
		cmd, err := decodeCommand(it)
		out = append(out, cmd)
		return len(out) < limit, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PendingCommands is command.Store's.
func (c *Core) PendingCommands(ctx context.Context, accountID, deviceID string) ([]command.Command, error) {
	in := commandsOf(accountID, deviceID)
	in.FilterExpression, in.ExpressionAttributeNames = aws.String("#state = :pending"), map[string]string{"#state": AttrState}
	in.ExpressionAttributeValues[":pending"] = str(string(command.Pending))
	return collect(ctx, c.base, "list pending commands", in, decodeCommand)
}

// DueCommands is command.Store's. It asks each of the partitions over which
// the index is spread, and returns the oldest.
func (c *Core) DueCommands(ctx context.Context, now time.Time, limit int) ([]command.Ref, error) {
	const action = "list due commands"
	if limit <= 0 {
		return nil, nil
	}
	ctx, cancel := bound(ctx, action)
	defer cancel()
	type due struct {
		ref command.Ref
		at  millis
	}
	var all []due
	for shard := range dueShards {
		in := &dynamodb.QueryInput{
			IndexName: aws.String(IndexDue), Limit: aws.Int32(int32(limit)),
			KeyConditionExpression: aws.String("due_shard = :shard AND due_at <= :now"),
			ExpressionAttributeValues: item{
				":shard": str(dueShardName(shard)), ":now": num(int64(toMillis(now)))},
		}
		n := 0
		err := c.query(ctx, action, in, func(it item) (bool, error) {
			found, err := decode[commandItem](it)
			if named, ok := ParseKey(found.PK, found.SK); ok {
				all = append(all, due{command.Ref{AccountID: named.AccountID, DeviceID: named.DeviceID, ID: named.ID}, found.DueAt})
			}
			n++
			return n < limit, err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b due) int { return int(a.at - b.at) })
	refs := make([]command.Ref, 0, min(limit, len(all)))
	for _, d := range all[:min(limit, len(all))] {
		refs = append(refs, d.ref)
	}
	return refs, nil
}

// ClaimCommand is command.Store's.
func (c *Core) ClaimCommand(ctx context.Context, ref command.Ref, edge string, now time.Time) (command.Command, error) {
	claim := ident.New()
	in := &dynamodb.UpdateItemInput{
		ConditionExpression: aws.String("#state = :pending OR (#state = :sending AND due_at <= :now)"),
		UpdateExpression:    aws.String("SET #state = :sending, #claim = :claim, edge = :edge, due_at = :until ADD attempts :one"),
		ExpressionAttributeNames: map[string]string{
			"#state": AttrState, "#claim": "claim"},
		ExpressionAttributeValues: item{
			":pending": str(string(command.Pending)), ":sending": str(string(command.Sending)), ":claim": str(claim), ":edge": str(edge),
			":now": num(int64(toMillis(now))), ":until": num(int64(toMillis(now.Add(command.ClaimLife)))), ":one": num(1)},
		ReturnValues: types.ReturnValueAllNew,
	}
	it, err := c.updateCommand(ctx, "claim command", ref, in, func(stored command.Command) bool { return stored.Claim == claim })
	if err != nil {
		return command.Command{}, err
	}
	return decodeCommand(it)
}

// FinishCommand is command.Store's. To finish a command twice the same way is
// no error.
func (c *Core) FinishCommand(ctx context.Context, cmd command.Command) error {
	deliveries := encodeDeliveries(cmd.Deliveries)
	in := &dynamodb.UpdateItemInput{
		ConditionExpression:      aws.String("#claim = :claim AND #state = :sending"),
		UpdateExpression:         aws.String("SET #state = :state, attempts = :attempts, deliveries = :deliveries REMOVE due_shard, due_at"),
		ExpressionAttributeNames: map[string]string{"#state": AttrState, "#claim": "claim"},
		ExpressionAttributeValues: item{
			":claim": str(cmd.Claim), ":sending": str(string(command.Sending)), ":state": str(string(cmd.State)),
			":attempts": num(int64(cmd.Attempts)), ":deliveries": str(deliveries)},
	}
	if !cmd.State.Final() {
		in.UpdateExpression = aws.String(
			"SET #state = :state, attempts = :attempts, deliveries = :deliveries, due_shard = :shard, due_at = :due")
		in.ExpressionAttributeValues[":shard"] = str(dueShard(cmd.ID))
		in.ExpressionAttributeValues[":due"] = num(int64(toMillis(cmd.Due)))
	}
	_, err := c.updateCommand(ctx, "finish command", cmd.Ref(), in, func(stored command.Command) bool {
		return stored.Claim == cmd.Claim && stored.State == cmd.State && stored.Attempts == cmd.Attempts &&
			(cmd.State.Final() || stored.Due.Equal(toMillis(cmd.Due).time())) && encodeDeliveries(stored.Deliveries) == deliveries
	})
	if fault.Of(err) == fault.NotFound {
		return fault.Conflicting(err)
	}
	return err
}

// updateCommand changes a stored command if its condition holds, and returns
// the item as the update asks for it. If the condition does not hold but ours
// finds in what is stored the mark of this very update, then the SDK has sent
// it twice, and it succeeded. Otherwise it returns fault.NotFound or
// fault.Conflict.
func (c *Core) updateCommand(ctx context.Context, action string, ref command.Ref, in *dynamodb.UpdateItemInput,
	ours func(command.Command) bool) (item, error) {
	k := commandKey(ref.AccountID, ref.DeviceID, ref.ID)
	if !k.valid() {
		return nil, fault.BadIdentifier(ref.ID)
	}
	ctx, cancel := bound(ctx, action)
	defer cancel()
	in.TableName, in.Key = &c.table, k.item()
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	var out *dynamodb.UpdateItemOutput
	err := withRetries(ctx, action, func() (err error) {
		out, err = c.client.UpdateItem(ctx, in)
		return err
	})
	if err == nil {
		return out.Attributes, nil
	}
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, err
	}
	if len(failed.Item) == 0 {
		return nil, fault.BadIdentifier(ref.ID)
	}
	stored, err := decodeCommand(failed.Item)
	if err != nil {
		return nil, err
	}
	if ours(stored) {
		return failed.Item, nil
	}
	return nil, fault.Conflicting(fmt.Errorf("%s: it is %s", action, stored.State))
}

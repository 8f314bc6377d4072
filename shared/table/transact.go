package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/ident"
)

// step is one item of a write: what is done to it, on what condition, and what
// it means when the condition does not hold. A step that neither puts nor
// deletes only checks.
type step struct {
	table     string // empty: the table that the write is of
	key       key
	put       item // nil: nothing is stored
	delete    bool
	condition string // empty: none
	values    item   // of the condition
	refused   error  // of a condition
}

// Conditions that several writes share.
const (
	isAbsent = "attribute_not_exists(pk)"
	isStored = "attribute_exists(pk)"
	isRev    = "rev = :rev"
	// isFree holds for a claim that nobody holds, or the same document.
	isFree = "attribute_not_exists(pk) OR (account_id = :account AND holder = :holder)"
)

// putDoc is the step that stores a document: a new one if its rev is 1, else
// one whose stored rev is one less.
func putDoc(k key, rev int64, it item) step {
	s := step{key: k, put: it, condition: isAbsent, refused: fault.Conflicting(fmt.Errorf("%s exists", k.sk))}
	if rev > 1 {
		s.condition, s.values = isRev, item{":rev": num(rev - 1)}
		s.refused = fault.Conflicting(fmt.Errorf("%s is not at revision %d", k.sk, rev-1))
	}
	return s
}

// deleteDoc is the step that removes a document whose stored rev is rev.
func deleteDoc(k key, rev int64) step {
	return step{key: k, delete: true, condition: isRev, values: item{":rev": num(rev)},
		refused: fault.Conflicting(fmt.Errorf("%s is not at revision %d", k.sk, rev))}
}

// apply does all steps or none. No two steps may name the same item.
//
// If conditions fail it returns what they mean: a refusal that is no
// fault.Invalid goes first, and the violations of all others are joined.
//
// A request that the SDK sends again is applied once: a transaction by its
// ClientRequestToken, a single put by the attribute `write`, by which the first
// attempt is recognised as our own.
func (b base) apply(ctx context.Context, action string, steps []step) error {
	ctx, cancel := bound(ctx, action)
	defer cancel()
	if len(steps) == 1 && steps[0].put != nil {
		return b.putOne(ctx, action, steps[0])
	}
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: new(ident.New())}
	for _, s := range steps {
		in.TransactItems = append(in.TransactItems, b.transactItem(s))
	}
	err := withRetries(ctx, action, func() error {
		_, err := b.client.TransactWriteItems(ctx, in)
		return err
	})
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		if refusal := refusals(steps, canceled.CancellationReasons); refusal != nil {
			return refusal
		}
	}
	return err
}

func (b base) transactItem(s step) types.TransactWriteItem {
	table := s.table
	if table == "" {
		table = b.table
	}
	var condition *string
	if s.condition != "" {
		condition = &s.condition
	}
	switch {
	case s.put != nil:
		return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: s.put,
			ConditionExpression: condition, ExpressionAttributeValues: s.values}}
	case s.delete:
		return types.TransactWriteItem{Delete: &types.Delete{TableName: &table, Key: s.key.item(),
			ConditionExpression: condition, ExpressionAttributeValues: s.values}}
	default:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &table, Key: s.key.item(),
			ConditionExpression: condition, ExpressionAttributeValues: s.values}}
	}
}

// refusals joins what the failed conditions mean. The reasons stand in the
// order of the steps.
func refusals(steps []step, reasons []types.CancellationReason) error {
	broken := fault.Violations{}
	for i, reason := range reasons {
		if text(reason.Code) != reasonCondition || i >= len(steps) {
			continue
		}
		if fault.Of(steps[i].refused) != fault.Invalid {
			return steps[i].refused
		}
		broken.Merge(fault.ViolationsOf(steps[i].refused))
	}
	return broken.Err()
}

// putOne stores one item by itself, at half the price of a transaction.
func (b base) putOne(ctx context.Context, action string, s step) error {
	in := &dynamodb.PutItemInput{TableName: &b.table, Item: s.put, ExpressionAttributeValues: s.values}
	if s.condition != "" {
		in.ConditionExpression = &s.condition
		in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	err := withRetries(ctx, action, func() error {
		_, err := b.client.PutItem(ctx, in)
		return err
	})
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return err
	}
	if write := strAt(s.put, "write"); write != "" && strAt(failed.Item, "write") == write {
		return nil
	}
	return s.refused
}

// withRetries calls write again while another transaction is in its way. It
// classifies the error that remains.
func withRetries(ctx context.Context, action string, write func() error) error {
	for n := 0; ; n++ {
		err := write()
		obstacle := obstacleOf(err)
		if obstacle == noObstacle {
			return classify(ctx, action, err)
		}
		if n == maxRetries || !pause(ctx, n) {
			return obstacle.surrender(fmt.Errorf("%s: %w", action, err))
		}
	}
}

package table

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/fault"
	"github.com/dialplane/dialplane/shared/wait"
)

const (
	// maxBatch is how many items one BatchGetItem may ask for.
	maxBatch = 100
	// maxRetries bounds how often a read of unprocessed keys, or a write that
	// met another transaction, is tried again.
	maxRetries = 5
)

// firstPause is the longest pause before the first such retry; each next one
// may last twice as long. Only tests change it.
var firstPause = 25 * time.Millisecond

// pause waits before retry n, counted from 0: a random time, so that rivals
// part. It returns false when ctx has ended.
func pause(ctx context.Context, n int) bool {
	return wait.For(ctx, rand.N(firstPause<<n))
}

// get reads one item consistently; nil if there is none.
func (b base) get(ctx context.Context, action string, k key) (item, error) {
	if !k.valid() {
		return nil, nil
	}
	ctx, cancel := bound(ctx, action)
	defer cancel()
	out, err := b.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &b.table, Key: k.item(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, classify(ctx, action, err)
	}
	return out.Item, nil
}

// batchGet reads items consistently, a hundred a request. What does not exist
// is missing from the answer.
func (b base) batchGet(ctx context.Context, action string, keys []key) (map[key]item, error) {
	ctx, cancel := bound(ctx, action)
	defer cancel()
	found := make(map[key]item, len(keys))
	asked := make(map[key]bool, len(keys))
	var wanted []item
	for _, k := range keys {
		if k.valid() && !asked[k] {
			asked[k] = true
			wanted = append(wanted, k.item())
		}
	}
	for len(wanted) > 0 {
		n := min(len(wanted), maxBatch)
		if err := b.batchGetOnce(ctx, action, wanted[:n], found); err != nil {
			return nil, err
		}
		wanted = wanted[n:]
	}
	return found, nil
}

// batchGetOnce reads at most maxBatch items into found, asking again for those
// that DynamoDB leaves unprocessed.
func (b base) batchGetOnce(ctx context.Context, action string, wanted []item, found map[key]item) error {
	for n := 0; ; n++ {
		out, err := b.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
			b.table: {Keys: wanted, ConsistentRead: aws.Bool(true)},
		}})
		if err != nil {
			return classify(ctx, action, err)
		}
		for _, it := range out.Responses[b.table] {
			found[keyOf(it)] = it
		}
		if wanted = out.UnprocessedKeys[b.table].Keys; len(wanted) == 0 {
			return nil
		}
		if n == maxRetries || !pause(ctx, n) {
			return fault.Unreachable(errors.New(action + ": DynamoDB left keys unprocessed"))
		}
	}
}

// query calls yield for every item that in finds, page after page, until yield
// returns false or an error.
func (b base) query(ctx context.Context, action string, in *dynamodb.QueryInput, yield func(item) (bool, error)) error {
	ctx, cancel := bound(ctx, action)
	defer cancel()
	in.TableName = &b.table
	for {
		out, err := b.client.Query(ctx, in)
		if err != nil {
			return classify(ctx, action, err)
		}
		for _, it := range out.Items {
			if more, err := yield(it); err != nil || !more {
				return err
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// collect appends to into a T for every item that in finds.
func collect[T any](ctx context.Context, b base, action string, in *dynamodb.QueryInput, read func(item) (T, error)) ([]T, error) {
	var out []T
	err := b.query(ctx, action, in, func(it item) (bool, error) {
		v, err := read(it)
		out = append(out, v)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

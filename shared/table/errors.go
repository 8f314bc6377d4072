package table

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dialplane/dialplane/shared/fault"
)

// bound gives an operation operationWait. Nested bounds do no harm: the
// earliest ends it.
func bound(ctx context.Context, action string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, operationWait, fmt.Errorf("%s took longer than %v", action, operationWait))
}

// classify turns an error of the SDK into one of dialplane: fault.Unreachable
// if DynamoDB did not answer, was overloaded or failed itself, else an internal
// error, since then the request was wrong.
func classify(ctx context.Context, action string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fault.Unreachable(fmt.Errorf("%s: %w: %w", action, context.Cause(ctx), err))
	}
	err = fmt.Errorf("%s: %w", action, err)
	if unanswered(err) {
		return fault.Unreachable(err)
	}
	return err
}

// unanswered reports whether it was DynamoDB or the way to it that failed.
func unanswered(err error) bool {
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && response.HTTPStatusCode() >= http.StatusInternalServerError {
		return true
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
		return throttled || api.ErrorFault() == smithy.FaultServer
	}
	_, notSent := errors.AsType[*smithyhttp.RequestSendError](err)
	_, notRead := errors.AsType[*smithy.DeserializationError](err)
	_, network := errors.AsType[net.Error](err)
	return notSent || notRead || network || errors.Is(err, context.Canceled)
}

// Codes of types.CancellationReason (API reference, TransactWriteItems).
const (
	reasonCondition = "ConditionalCheckFailed"
	reasonConflict  = "TransactionConflict"
)

// throttleReasons are the codes that ask for patience.
var throttleReasons = map[string]bool{"ThrottlingError": true, "ProvisionedThroughputExceeded": true}

// obstacle is why a write should be tried again as it is.
type obstacle uint8

const (
	noObstacle obstacle = iota
	rival               // another transaction had one of the items in hand
	unfinished          // an earlier attempt of the same write has not ended
	overload
)

// obstacleOf tells what err asks for. A condition that failed decides against
// the write, whatever else got in its way.
func obstacleOf(err error) obstacle {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return rival
	}
	if _, ok := errors.AsType[*types.TransactionInProgressException](err); ok {
		return unfinished
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return noObstacle
	}
	found := noObstacle
	for _, reason := range canceled.CancellationReasons {
		switch code := text(reason.Code); {
		case code == reasonCondition:
			return noObstacle
		case code == reasonConflict:
			found = max(found, rival)
		case throttleReasons[code]:
			found = overload
		}
	}
	return found
}

// surrender is the error of a write whose obstacle did not go away.
func (o obstacle) surrender(err error) error {
	if o == rival {
		return fault.Conflicting(err)
	}
	return fault.Unreachable(err)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

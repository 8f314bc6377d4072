package table

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dialplane/dialplane/shared/fault"
)

func TestClassifiesErrors(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	status := func(code int, err error) error {
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: code}}, Err: err}
	}
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want fault.Kind
	}{
		{"NoResponse", nil, &smithyhttp.RequestSendError{Err: errors.New("refused")}, fault.Unavailable},
		{"BrokenResponse", nil, &smithy.DeserializationError{Err: errors.New("cut")}, fault.Unavailable},
		{"Timeout", nil, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, fault.Unavailable},
		{"Throttled", nil, &types.ProvisionedThroughputExceededException{}, fault.Unavailable},
		{"LimitExceeded", nil, &types.RequestLimitExceeded{}, fault.Unavailable},
		{"ServerError", nil, &types.InternalServerError{}, fault.Unavailable},
		{"BadGateway", nil, status(502, errors.New("html")), fault.Unavailable},
		{"CallerGone", ended, errors.New("canceled"), fault.Unavailable},
		{"Validation", nil, status(400, &smithy.GenericAPIError{Code: "ValidationException", Fault: smithy.FaultClient}), fault.Internal},
		{"AccessDenied", nil, status(400, &smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}), fault.Internal},
		{"NoTable", nil, &types.ResourceNotFoundException{}, fault.Internal},
		{"Other", nil, errors.New("no credentials"), fault.Internal},
	} {
		ctx := c.ctx
		if ctx == nil {
			ctx = t.Context()
		}
		err := classify(ctx, "do it", fmt.Errorf("operation error: %w", c.err))
		if got := fault.Of(err); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, which lost its cause", c.name, err)
		}
	}
	if err := classify(ended, "do it", nil); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func canceled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		reason := types.CancellationReason{Code: new(code)}
		if code == "" {
			reason.Code = nil
		}
		err.CancellationReasons = append(err.CancellationReasons, reason)
	}
	return fmt.Errorf("operation error: %w", err)
}

func TestObstacles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want obstacle
		kind fault.Kind // of the error when it does not go away
	}{
		{"Success", nil, noObstacle, 0},
		{"OtherError", errors.New("x"), noObstacle, 0},
		{"ConditionDecides", canceled("TransactionConflict", "ConditionalCheckFailed", "ThrottlingError"), noObstacle, 0},
		{"Invalid", canceled("ValidationError", "None"), noObstacle, 0},
		{"Rival", canceled("", "TransactionConflict"), rival, fault.Conflict},
		{"RivalOfPut", &types.TransactionConflictException{}, rival, fault.Conflict},
		{"Unfinished", &types.TransactionInProgressException{}, unfinished, fault.Unavailable},
		{"Overload", canceled("ThrottlingError", "TransactionConflict"), overload, fault.Unavailable},
		{"OverloadOfTable", canceled("None", "ProvisionedThroughputExceeded"), overload, fault.Unavailable},
	} {
		got := obstacleOf(c.err)
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if c.want != noObstacle && fault.Of(got.surrender(c.err)) != c.kind {
			t.Errorf("%s: got kind %v, want %v", c.name, fault.Of(got.surrender(c.err)), c.kind)
		}
	}
}

func TestRefusalsAreJoined(t *testing.T) {
	t.Parallel()
	steps := []step{
		{refused: fault.Conflicting(nil)}, {refused: inUse("a", "m", "1")}, {}, {refused: inUse("b", "m", "2")},
	}
	for _, c := range []struct {
		name  string
		codes []string
		kind  fault.Kind
		text  string
	}{
		{"One", []string{"None", "None", "None", "ConditionalCheckFailed"}, fault.Invalid, "validation error: b unique"},
		{"Two", []string{"None", "ConditionalCheckFailed", "None", "ConditionalCheckFailed"}, fault.Invalid,
			"validation error: a unique, b unique"},
		{"ConflictGoesFirst", []string{"ConditionalCheckFailed", "ConditionalCheckFailed"}, fault.Conflict, "datastore_conflict"},
	} {
		list, _ := errors.AsType[*types.TransactionCanceledException](canceled(c.codes...))
		err := refusals(steps, list.CancellationReasons)
		if fault.Of(err) != c.kind || err.Error() != c.text {
			t.Errorf("%s: got %v, want %s", c.name, err, c.text)
		}
	}
	list, _ := errors.AsType[*types.TransactionCanceledException](canceled("None", "ValidationError"))
	if err := refusals(steps, list.CancellationReasons); err != nil {
		t.Errorf("got %v, want no refusal", err)
	}
}

// Command lambda is a function that does what the path parameter "what" says.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// seen is what the caller gets to know of the process and the invocation.
type seen struct {
	PID         int
	RequestID   string
	ARN         string
	Left        time.Duration // until the deadline
	Environment []string
	Event       events.APIGatewayProxyRequest
}

func handle(ctx context.Context, e events.APIGatewayProxyRequest) (any, error) {
	switch e.PathParameters["what"] {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("a panic")
	case "fail":
		return nil, fmt.Errorf("a failure")
	case "hang":
		select {} // past any deadline
	case "wait":
		time.Sleep(300 * time.Millisecond)
	case "malformed":
		return map[string]any{"status": 200}, nil
	case "huge":
		return strings.Repeat("x", 7<<20), nil
	case "speak":
		fmt.Println(`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"spoken","function":"test/lambda"}`)
	}
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	body, err := json.Marshal(seen{
		PID: os.Getpid(), RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Left: time.Until(deadline),
		Environment: os.Environ(), Event: e,
	})
	return events.APIGatewayProxyResponse{StatusCode: 200, Body: string(body)}, err
}

func main() {
	if os.Getenv("FAIL_TO_START") != "" {
		fmt.Fprintln(os.Stderr, "no start today")
		os.Exit(1)
	}
	lambda.Start(handle)
}

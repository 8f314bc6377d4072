// Command copy writes the sort key of every record it is sent to its log and
// fails at those that contain "poison".
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(_ context.Context, batch events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	for _, record := range batch.Records {
		key := record.Change.Keys["sk"].String()
		if strings.Contains(key, "poison") {
			return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{
				{ItemIdentifier: record.Change.SequenceNumber}}}, nil
		}
		err := json.NewEncoder(os.Stdout).Encode(map[string]string{"msg": "copied", "sk": key, "event": record.EventName})
		if err != nil {
			return events.DynamoDBEventResponse{}, err
		}
	}
	return events.DynamoDBEventResponse{}, nil
}

func main() { lambda.Start(handle) }

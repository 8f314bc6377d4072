package changes

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/dialplane/dialplane/shared/tabletest"
)

// The tests in fake time notice goroutines that are left behind by themselves.
func TestMain(m *testing.M) { tabletest.Main(m) }

func TestOnDynamoDBLocal(t *testing.T) {
	t.Parallel()
	tables := tabletest.Local(t)
	put := func(sk string) {
		t.Helper()
		if _, err := tables.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tables.Names.Core, Item: map[string]dbtypes.AttributeValue{
			"pk": &dbtypes.AttributeValueMemberS{Value: "p"}, "sk": &dbtypes.AttributeValueMemberS{Value: sk},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	var mu sync.Mutex
	var told []string
	seen, started := make(chan struct{}, 100), make(chan struct{})
	r := Reader{
		Table: tables.Names.Core, Tables: tables.Client, Log: slog.New(slog.DiscardHandler),
		Streams: dynamodbstreams.New(dynamodbstreams.Options{Region: "us-east-1", BaseEndpoint: aws.String(tables.Endpoint),
			Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}),
		Inserted: func(_, sk string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, sk)
			seen <- struct{}{}
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, func() { close(started) }) }()
	limit := time.After(20 * time.Second)
	await := func(c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-limit:
			t.Fatal("not within 20 s")
		}
	}
	await(started)
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("%02d", i)
		want = append(want, name)
		put(name)
		put(name) // changes nothing
	}
	for range want {
		await(seen)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !slices.Equal(told, want) {
		t.Errorf("got %v, want %v", told, want)
	}
}

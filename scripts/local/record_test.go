package main

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

func TestNewRecordIsWhatLambdaSends(t *testing.T) {
	t.Parallel()
	created := time.Unix(1479499740, 0)
	in := types.Record{
		EventID: aws.String("c4ca4238a0b923820dcc509a6f75849b"), EventName: types.OperationTypeModify, AwsRegion: aws.String("ddblocal"),
		EventVersion: aws.String("1.1"), EventSource: aws.String("aws:dynamodb"),
		UserIdentity: &types.Identity{Type: aws.String("Service"), PrincipalId: aws.String("dynamodb.amazonaws.com")},
		Dynamodb: &types.StreamRecord{
			ApproximateCreationDateTime: &created, SequenceNumber: aws.String("4421584500000000017450439091"), SizeBytes: aws.Int64(26),
			StreamViewType: types.StreamViewTypeNewAndOldImages,
			Keys:           map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "p"}},
			NewImage: map[string]types.AttributeValue{
				"s": &types.AttributeValueMemberS{Value: "<é>"}, "n": &types.AttributeValueMemberN{Value: "12345678901234567890.5"},
				"b": &types.AttributeValueMemberB{Value: []byte{0, 255}}, "t": &types.AttributeValueMemberBOOL{Value: true},
				"null": &types.AttributeValueMemberNULL{Value: true}, "ss": &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
				"ns": &types.AttributeValueMemberNS{Value: []string{"1", "2"}}, "bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}}},
				"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberN{Value: "1"}}},
				"m": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"x": &types.AttributeValueMemberS{Value: "y"}}},
				"e": &types.AttributeValueMemberM{},
			},
		},
	}
	r, err := newRecord(in, "arn:stream")
	if err != nil {
		t.Fatal(err)
	}
	if r.sequence != "4421584500000000017450439091" || !r.created.Equal(created) {
		t.Errorf("got sequence %s of %v", r.sequence, r.created)
	}
	const want = `{"awsRegion":"us-east-1","eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"MODIFY","eventSource":"aws:dynamodb",
		"eventSourceARN":"arn:stream","eventVersion":"1.1","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},
		"dynamodb":{"ApproximateCreationDateTime":1479499740,"SequenceNumber":"4421584500000000017450439091","SizeBytes":26,
		"StreamViewType":"NEW_AND_OLD_IMAGES","Keys":{"pk":{"S":"p"}},"NewImage":{"s":{"S":"<é>"},"n":{"N":"12345678901234567890.5"},
		"b":{"B":"AP8="},"t":{"BOOL":true},"null":{"NULL":true},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"bs":{"BS":["AQ=="]},
		"l":{"L":[{"N":"1"}]},"m":{"M":{"x":{"S":"y"}}},"e":{"M":{}}}}}`
	checkJSON(t, r.json, want)

	payload, err := eventPayload([]record{r})
	if err != nil {
		t.Fatal(err)
	}
	var decoded events.DynamoDBEvent // as every Go function decodes it
	if err := json.Unmarshal(payload, &decoded); err != nil {
		t.Fatal(err)
	}
	image := decoded.Records[0].Change.NewImage
	if image["s"].String() != "<é>" || image["n"].Number() != "12345678901234567890.5" || !image["null"].IsNull() ||
		image["m"].Map()["x"].String() != "y" || string(image["b"].Binary()) != "\x00\xff" {
		t.Errorf("got %+v", image)
	}
}

func checkJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestNewRecordRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]types.Record{
		"no change": {EventID: aws.String("e")},
		"an unknown type": {Dynamodb: &types.StreamRecord{Keys: map[string]types.AttributeValue{
			"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{nil}}}}},
	} {
		if r, err := newRecord(in, "arn"); err == nil {
			t.Errorf("%s: got %+v, want an error", name, r)
		}
	}
}

package table

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/dialplane/dialplane/shared/document"
)

// item is an item as DynamoDB has it.
type item = map[string]types.AttributeValue

// keyed begins every item.
type keyed struct {
	PK string `dynamodbav:"pk"`
	SK string `dynamodbav:"sk"`
}

func keyedBy(k key) keyed { return keyed{PK: k.pk, SK: k.sk} }

// stored is what every document's item has.
type stored struct {
	keyed
	Rev      int64  `dynamodbav:"rev"`
	Write    string `dynamodbav:"write"` // names the write: see base.apply
	Created  millis `dynamodbav:"created"`
	Modified millis `dynamodbav:"modified"`
	Doc      string `dynamodbav:"doc"`
}

// millis is a time in milliseconds since 1970. Zero is the zero time.
type millis int64

func toMillis(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// encode makes an item of a struct. It panics if the struct holds what
// DynamoDB cannot: that is a mistake in this package.
func encode(v any) item {
	out, err := attributevalue.MarshalMap(v)
	if err != nil {
		panic(fmt.Sprintf("table: encode %T: %v", v, err))
	}
	return out
}

// decode makes a T of an item.
func decode[T any](it item) (T, error) {
	var out T
	if err := attributevalue.UnmarshalMap(it, &out); err != nil {
		return out, fmt.Errorf("decode %T: %w", out, err)
	}
	return out, nil
}

// encodeDoc returns a document as it is stored.
func encodeDoc(doc document.Object) string {
	if doc == nil {
		return "{}"
	}
	return string(document.Canonical(doc))
}

// decodeDoc reads what encodeDoc wrote.
func decodeDoc(s string) (document.Object, error) {
	v, err := document.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("decode stored document: %w", err)
	}
	obj, ok := v.(document.Object)
	if !ok {
		return nil, fmt.Errorf("decode stored document: it is no object")
	}
	return obj, nil
}

// Attribute values of conditions and keys.
func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// str returns the string attribute of that name, or "".
func strAt(it item, name string) string {
	s, _ := it[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func (k key) item() item { return item{AttrPK: str(k.pk), AttrSK: str(k.sk)} }

func keyOf(it item) key { return key{strAt(it, AttrPK), strAt(it, AttrSK)} }

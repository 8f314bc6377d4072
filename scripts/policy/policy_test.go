package policy

import (
	"strings"
	"testing"

	"github.com/dialplane/dialplane/scripts/template"
)

const head = `
Resources:
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - {Sid: Batch, Effect: Allow, Action: dynamodb:BatchGetItem, Resource: !GetAtt Core.Arn, Condition: {'ForAllValues:StringLike': {dynamodb:LeadingKeys: ['A#*', EXACT]}}}
  DevicesGetFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/devices/get/
      Policies:
        - !Ref Shared
`

const own = `        - Statement:
            - {Sid: Find, Effect: Allow, Action: [dynamodb:Query, dynamodb:GetItem], Resource: [!Sub '${Core.Arn}/index/due', !GetAtt Core.Arn]}
`

func load(t *testing.T, text string) ([]Statement, error) {
	t.Helper()
	tmpl, err := template.Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return OfFunction(tmpl, tmpl.Functions[0])
}

func TestAllows(t *testing.T) {
	t.Parallel()
	statements, err := load(t, head+own)
	if err != nil || len(statements) != 2 {
		t.Fatalf("got %d statements, %v; want 2", len(statements), err)
	}
	for _, test := range []struct {
		name, action, resource string
		keys                   []string
		want                   bool
	}{
		{"KeyWithPrefix", "dynamodb:BatchGetItem", "${Core.Arn}", []string{"A#1"}, true},
		{"ExactKey", "dynamodb:BatchGetItem", "${Core.Arn}", []string{"EXACT", "A#"}, true},
		{"OneKeyOfTwoIsForeign", "dynamodb:BatchGetItem", "${Core.Arn}", []string{"A#1", "B#1"}, false},
		{"ExactKeyIsNoPrefix", "dynamodb:BatchGetItem", "${Core.Arn}", []string{"EXACTLY"}, false},
		{"OtherAction", "dynamodb:PutItem", "${Core.Arn}", []string{"A#1"}, false},
		{"OtherTable", "dynamodb:BatchGetItem", "${Other.Arn}", []string{"A#1"}, false},
		{"Index", "dynamodb:Query", "${Core.Arn}/index/due", []string{"x"}, true},
		{"OtherIndex", "dynamodb:Query", "${Core.Arn}/index/owner", []string{"x"}, false},
		{"AnyKeyWhereNoneIsNamed", "dynamodb:GetItem", "${Core.Arn}", []string{"x"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := false
			for _, s := range statements {
				got = got || s.Allows(Request{test.action, test.resource, test.keys})
			}
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRefusesWhatItCouldMisread(t *testing.T) {
	t.Parallel()
	statement := func(text string) string { return head + "        - Statement:\n            - " + text + "\n" }
	for _, test := range []struct{ name, text, want string }{
		{"Deny", statement("{Sid: S, Effect: Deny, Action: a, Resource: r}"), "t.yaml:16: only Allow"},
		{"NotAction", statement("{Sid: S, Effect: Allow, NotAction: a, Resource: r}"), "NotAction is not known"},
		{"OtherCondition", statement("{Sid: S, Effect: Allow, Action: a, Resource: r, Condition: {StringEquals: {x: y}}}"), "ForAllValues:StringLike is missing"},
		{"TwoConditions", statement("{Sid: S, Effect: Allow, Action: a, Resource: r, Condition: {StringEquals: {x: y}, Bool: {x: y}}}"), "only ForAllValues:StringLike"},
		{"NoResource", statement("{Sid: S, Effect: Allow, Action: a}"), "needs Sid, Action and Resource"},
		{"Join", statement("{Sid: S, Effect: Allow, Action: a, Resource: !Join ['', [a]]}"), "text or a short reference"},
		{"ForeignPolicy", strings.Replace(head, "!Ref Shared", "!Ref Elsewhere", 1), "no managed policy"},
		{"NamedPolicy", strings.Replace(head, "!Ref Shared", "AdministratorAccess", 1), "Statement is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(t, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

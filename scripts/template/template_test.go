package template

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func small(t *testing.T) *Template {
	t.Helper()
	tmpl, err := Load(filepath.Join("testdata", "small.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func TestLoadReadsFunctions(t *testing.T) {
	t.Parallel()
	tmpl := small(t)
	if got, want := tmpl.Description, "a small template"; got != want {
		t.Errorf("Description: got %q, want %q", got, want)
	}
	if len(tmpl.Functions) != 2 || len(tmpl.Resources) != 4 {
		t.Fatalf("got %d functions of %d resources, want 2 of 4", len(tmpl.Functions), len(tmpl.Resources))
	}
	f := tmpl.Functions[0]
	if f.ID != "DevicesCreateFunction" || f.CodeURI != "functions/devices/create" || f.Name() != "devices/create" ||
		f.BuildMethod != "go1.x" || f.Runtime != "provided.al2023" || f.Handler != "bootstrap" {
		t.Errorf("got %+v", f)
	}
	if f.Timeout != 10*time.Second || f.MemorySize != 1024 {
		t.Errorf("got %v and %d MB, want the global 10 s and its own 1024 MB", f.Timeout, f.MemorySize)
	}
	if f.Policies == nil {
		t.Error("the policies are lost")
	}
	var routes []string
	for _, r := range f.Routes {
		routes = append(routes, r.String())
	}
	if want := []string{"PUT /devices/{id}", "ANY /devices"}; !reflect.DeepEqual(routes, want) {
		t.Errorf("routes: got %q, want %q", routes, want)
	}
	if len(f.Others) != 1 || f.Others[0].Type != "Schedule" || f.Others[0].Line == 0 {
		t.Errorf("other events: got %+v, want the schedule", f.Others)
	}
}

func TestLoadReadsStreams(t *testing.T) {
	t.Parallel()
	streams := small(t).Functions[1].Streams
	if len(streams) != 2 {
		t.Fatalf("got %d streams, want 2", len(streams))
	}
	full, bare := streams[0], streams[1]
	if full.OnFailure.Node() == nil || full.Source.Node() == nil {
		t.Error("Source or OnFailure is lost")
	}
	full.OnFailure, full.Source, full.Line = Value{}, Value{}, 0
	want := Stream{
		Event: "Full", Table: "Core", StartingPosition: "TRIM_HORIZON", BatchSize: 25, BatchingWindow: 2 * time.Second,
		Bisect: true, MaxRetries: 3, MaxRecordAge: 10 * time.Minute, PartialFailures: true, Filters: []string{`{"eventName":["INSERT"]}`},
	}
	if !reflect.DeepEqual(full, want) {
		t.Errorf("got %+v, want %+v", full, want)
	}
	bare.Source, bare.Line = Value{}, 0
	want = Stream{Event: "Bare", Table: "Core", StartingPosition: "LATEST", BatchSize: 100, MaxRetries: -1, Disabled: true}
	if !reflect.DeepEqual(bare, want) {
		t.Errorf("defaults: got %+v, want %+v", bare, want)
	}
}

func TestLoadReadsTables(t *testing.T) {
	t.Parallel()
	tables := small(t).Tables
	if len(tables) != 1 {
		t.Fatalf("got %d tables, want 1", len(tables))
	}
	in := tables[0].CreateInput("core-1")
	if *in.TableName != "core-1" || in.BillingMode != types.BillingModePayPerRequest || len(in.AttributeDefinitions) != 3 {
		t.Errorf("got %+v", in)
	}
	if len(in.KeySchema) != 2 || *in.KeySchema[1].AttributeName != "sk" || in.KeySchema[1].KeyType != types.KeyTypeRange {
		t.Errorf("keys: got %+v", in.KeySchema)
	}
	index := in.GlobalSecondaryIndexes[0]
	if *index.IndexName != "due" || len(index.KeySchema) != 2 || index.Projection.NonKeyAttributes[0] != "state" {
		t.Errorf("index: got %+v", index)
	}
	if in.StreamSpecification.StreamViewType != types.StreamViewTypeNewAndOldImages || tables[0].TTL != "ttl" {
		t.Errorf("got stream %+v and TTL %q", in.StreamSpecification, tables[0].TTL)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	tmpl := small(t)
	scope := Scope{
		Parameters: map[string]string{"AwsEndpointUrl": "http://127.0.0.1:1", "Part": "p"},
		Refs:       map[string]string{"Core": "core-1"},
		Attributes: map[string]string{"Core.Arn": "arn", "Core.StreamArn": "arn/stream"},
	}
	withImage := scope
	withImage.Parameters = map[string]string{"AwsEndpointUrl": "", "Part": "p", "Image": "x"}
	tests := []struct {
		name, variable string
		scope          Scope
		want           string
	}{
		{"RefOfTable", "CORE_TABLE", scope, "core-1"},
		{"ParameterOverridden", "AWS_ENDPOINT_URL", scope, "http://127.0.0.1:1"},
		{"IfFalseTakesParameterDefault", "LEVEL", scope, "info"},
		{"IfTrue", "LEVEL", withImage, "debug"},
		{"JoinAndSub", "URL", scope, "https://arn/p/${Kept}/x"},
		{"SubWithMapping", "MAPPED", scope, "core-1-info"},
		{"GetAtt", "STREAM", scope, "arn/stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tmpl.Resolve(tmpl.Functions[0].Environment[tt.variable], tt.scope)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if got, err := tmpl.Resolve(tmpl.Tables[0].Name, scope); err != nil || got != "local-core" {
		t.Errorf("table name: got %q, %v", got, err)
	}
}

func TestResolveNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tmpl := small(t)
	env := tmpl.Functions[0].Environment
	for variable, want := range map[string]string{
		"CORE_TABLE": "small.yaml:23: !Ref Core has no value here",
		"STREAM":     "!GetAtt Core.StreamArn has no value here",
		"absent":     "a value is missing",
	} {
		if _, err := tmpl.Resolve(env[variable], Scope{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to name %q", variable, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	function := func(properties string) string {
		return "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: f\n" + properties
	}
	tests := []struct{ name, yaml, want string }{
		{"EmptyFile", "", "t.yaml: the file is empty"},
		{"BrokenYAML", "a: [", "t.yaml: yaml: "},
		{"TwoDocuments", "a: 1\n---\nb: 1\n", "there must be one YAML document"},
		{"DuplicateKey", "Resources:\n  A: {Type: X}\n  A: {Type: Y}\n", "t.yaml:3: A stands here a second time"},
		{"Alias", "Parameters: &p {}\nConditions: *p\n", "t.yaml:2: an alias (*p)"},
		{"ListForMapping", "Resources: [1]\n", "t.yaml:1: a plain mapping is expected here"},
		{"IntrinsicForMapping", function("      Environment: {'Fn::If': [a, b, c]}\n"), "t.yaml:6: a plain mapping"},
		{"NoType", "Resources:\n  A: {}\n", "t.yaml:2: A has no Type"},
		{"NoCode", "Resources:\n  F:\n    Type: AWS::Serverless::Function\n", "t.yaml:3: F: CodeUri is missing"},
		{"CodeNotLiteral", "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: !Ref X}\n", "t.yaml:4: plain text is expected"},
		{"TimeoutNotANumber", function("      Timeout: soon\n"), `t.yaml:6: "soon" is not a whole number`},
		{"UnknownIntrinsic", function("      Timeout: !ImportValue x\n"), "t.yaml:6: Fn::ImportValue is not supported here"},
		{"RefToNothing", function("      Timeout: !Ref Nothing\n"), "t.yaml:6: !Ref Nothing has no value here"},
		{"ParameterWithoutDefault", "Parameters: {P: {Type: Number}}\n" + function("      Timeout: !Ref P\n"), "P has no default"},
		{"RelativePath", function("      Events: {E: {Type: Api, Properties: {Path: x, Method: get}}}\n"), "must start with a slash"},
		{"NoMethod", function("      Events: {E: {Type: Api, Properties: {Path: /x}}}\n"), "t.yaml:6: Method is missing"},
		{"GreedyPath", function("      Events: {E: {Type: Api, Properties: {Path: '/{p+}', Method: get}}}\n"), "greedy"},
		{"StartingPosition", function("      Events: {E: {Type: DynamoDB, Properties: {Stream: x, StartingPosition: NOW}}}\n"), "TRIM_HORIZON or LATEST"},
		{"BatchSize", function("      Events: {E: {Type: DynamoDB, Properties: {Stream: x, StartingPosition: LATEST, BatchSize: 0}}}\n"), "BatchSize must be"},
		{"Tumbling", function("      Events: {E: {Type: DynamoDB, Properties: {Stream: x, StartingPosition: LATEST, TumblingWindowInSeconds: 1}}}\n"), "TumblingWindowInSeconds is not supported"},
		{"NoStream", function("      Events: {E: {Type: DynamoDB, Properties: {StartingPosition: LATEST}}}\n"), "E: Stream is missing"},
		{"TableWithoutKeys", "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n", "T: KeySchema is missing"},
		{"LocalIndex", "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      KeySchema: [{AttributeName: a, KeyType: HASH}]\n      LocalSecondaryIndexes: []\n", "t.yaml:6: T: LocalSecondaryIndexes"},
		{"TruthOfNeither", "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TimeToLiveSpecification: {Enabled: perhaps}\n      KeySchema: [{AttributeName: a, KeyType: HASH}]\n", "neither true nor false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("t.yaml", []byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestHoldsStopsAtCircles(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse("t.yaml", []byte("Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Holds("A", Scope{}); err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("got %v, want a refusal of the circle", err)
	}
	if _, err := tmpl.Holds("C", Scope{}); err == nil {
		t.Error("an unknown condition holds or not")
	}
}

// The repository's own template is read whole: what a local run needs of it is
// understood.
func TestLoadReadsTheRepositorysTemplate(t *testing.T) {
	t.Parallel()
	tmpl, err := Load(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	scope := Scope{Refs: map[string]string{}}
	for _, table := range tmpl.Tables {
		scope.Refs[table.ID] = "local-" + table.ID
	}
	if len(tmpl.Functions) == 0 || len(tmpl.Tables) == 0 {
		t.Fatalf("got %d functions and %d tables", len(tmpl.Functions), len(tmpl.Tables))
	}
	for _, f := range tmpl.Functions {
		for name, value := range f.Environment {
			if _, err := tmpl.Resolve(value, scope); err != nil {
				t.Errorf("%s: %s: %v", f.ID, name, err)
			}
		}
		if len(f.Routes)+len(f.Streams) == 0 {
			t.Errorf("%s has no event", f.ID)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("Resources: {A: {Type: AWS::Serverless::Function, Properties: {CodeUri: x, Timeout: !If [C, 1, 2]}}}"))
	f.Add([]byte("Parameters: {P: {Default: 1}}\nConditions: {C: !Equals [!Ref P, '1']}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tmpl, err := Parse("t.yaml", data)
		if (tmpl == nil) == (err == nil) {
			t.Errorf("got %v and %v, want a template or an error", tmpl, err)
		}
	})
}

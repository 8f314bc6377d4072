package template

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Stream is a DynamoDB event: an event source mapping from a table's stream to
// a function. Fields that the template leaves out have Lambda's own defaults
// ("CreateEventSourceMapping", Lambda API reference).
type Stream struct {
	Event string
	// Source is the stream's ARN, and Table the logical id if Source is
	// !GetAtt <table>.StreamArn, else "".
	Source Value
	Table  string
	// StartingPosition is TRIM_HORIZON or LATEST.
	StartingPosition string
	// BatchSize is the most records of one invocation, 1 to 10,000.
	BatchSize int
	// BatchingWindow is how long records are gathered: 0 to 300 s.
	BatchingWindow time.Duration
	// Bisect splits a batch in two when the function fails.
	Bisect bool
	// MaxRetries is how often a batch is tried again; -1 for ever.
	MaxRetries int
	// MaxRecordAge is the age at which a record is given up; 0 never.
	MaxRecordAge time.Duration
	// PartialFailures says that the function reports which records failed.
	PartialFailures bool
	// Filters are event patterns in JSON. A record that matches none is
	// dropped; no filters means that every record is delivered.
	Filters []string
	// OnFailure is the ARN of where given-up batches are reported; the zero
	// Value if there is no destination.
	OnFailure Value
	// Disabled says that the mapping is switched off.
	Disabled bool
	Line     int
}

// unsupported are properties that change what a function is sent and that a
// local run does not imitate.
var unsupported = []string{"TumblingWindowInSeconds"}

func (r *reader) stream(event field, properties map[string]*yaml.Node) Stream {
	s := Stream{
		Event: event.name, Line: event.value.Line,
		Source:           Value{properties["Stream"]},
		StartingPosition: r.required(properties, "StartingPosition", event.value),
		BatchSize:        r.number(properties["BatchSize"], 100),
		BatchingWindow:   time.Duration(r.number(properties["MaximumBatchingWindowInSeconds"], 0)) * time.Second,
		Bisect:           r.truth(properties["BisectBatchOnFunctionError"]),
		MaxRetries:       r.number(properties["MaximumRetryAttempts"], -1),
		MaxRecordAge:     max(0, time.Duration(r.number(properties["MaximumRecordAgeInSeconds"], -1))*time.Second),
		OnFailure:        Value{r.fields(r.fields(properties["DestinationConfig"])["OnFailure"])["Destination"]},
		Disabled:         properties["Enabled"] != nil && !r.truth(properties["Enabled"]),
	}
	if s.Source.node == nil {
		r.failf(event.value, "%s: Stream is missing", event.name)
		return s
	}
	if name, arg, ok := intrinsic(s.Source.node); ok && name == "Fn::GetAtt" {
		attribute := arg.Value
		if arg.Kind == yaml.SequenceNode && len(arg.Content) == 2 {
			attribute = arg.Content[0].Value + "." + arg.Content[1].Value
		}
		if table, ok := strings.CutSuffix(attribute, ".StreamArn"); ok {
			s.Table = table
		}
	}
	for _, kind := range r.items(properties["FunctionResponseTypes"]) {
		s.PartialFailures = s.PartialFailures || r.text(kind) == "ReportBatchItemFailures"
	}
	for _, filter := range r.items(r.fields(properties["FilterCriteria"])["Filters"]) {
		s.Filters = append(s.Filters, r.required(r.fields(filter), "Pattern", filter))
	}
	r.checkStream(event, s, properties)
	return s
}

func (r *reader) checkStream(event field, s Stream, properties map[string]*yaml.Node) {
	switch {
	case r.err != nil:
	case !slices.Contains([]string{"TRIM_HORIZON", "LATEST"}, s.StartingPosition):
		r.failf(event.value, "%s: StartingPosition must be TRIM_HORIZON or LATEST", event.name)
	case s.BatchSize < 1 || s.BatchSize > 10_000:
		r.failf(event.value, "%s: BatchSize must be 1 to 10000", event.name)
	case s.BatchingWindow < 0 || s.BatchingWindow > 300*time.Second:
		r.failf(event.value, "%s: MaximumBatchingWindowInSeconds must be 0 to 300", event.name)
	case s.MaxRetries < -1 || s.MaxRetries > 10_000:
		r.failf(event.value, "%s: MaximumRetryAttempts must be -1 to 10000", event.name)
	}
	for _, name := range unsupported {
		if properties[name] != nil {
			r.failf(properties[name], "%s: %s is not supported", event.name, name)
		}
	}
}

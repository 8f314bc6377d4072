package template

import (
	"maps"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Function is an AWS::Serverless::Function with the template's Globals merged
// in.
type Function struct {
	ID        string
	Condition string // as Resource's
	// CodeURI is the folder of its source, without "./" and without a slash at
	// the end.
	CodeURI     string
	Description string
	Runtime     string
	Handler     string
	BuildMethod string        // Metadata.BuildMethod
	Timeout     time.Duration // 3 s, Lambda's own default, unless set
	MemorySize  int           // MB; 128, Lambda's own default, unless set
	// Environment holds the variables; resolve them with Template.Resolve.
	Environment map[string]Value
	Routes      []Route
	Streams     []Stream
	// Others are events of kinds that a local run cannot raise.
	Others []OtherEvent
	// Policies is the raw node; nil if there is none.
	Policies *yaml.Node
	Line     int
}

// Name is the function's name in folders, events and logs: CodeURI without
// "functions/", such as "devices/create".
func (f Function) Name() string { return strings.TrimPrefix(f.CodeURI, "functions/") }

// Route is an API event.
type Route struct {
	Event  string
	Method string // upper case, or ANY
	Path   string // starts with a slash; parameters as {name}
	Line   int
}

// String returns the route as the functions declare it: "METHOD /path".
func (r Route) String() string { return r.Method + " " + r.Path }

// OtherEvent is an event of a kind that this package does not read.
type OtherEvent struct {
	Event string
	Type  string
	Line  int
}

func (r *reader) function(res Resource, globals map[string]*yaml.Node) Function {
	own := r.fields(res.Properties)
	merged := maps.Clone(globals)
	maps.Copy(merged, own)
	f := Function{
		ID: res.ID, Condition: res.Condition, Line: res.Line, Policies: own["Policies"],
		Description: r.text(own["Description"]),
		Runtime:     r.text(merged["Runtime"]),
		Handler:     r.text(merged["Handler"]),
		BuildMethod: r.literal(r.fields(res.Metadata)["BuildMethod"]),
		Timeout:     time.Duration(r.number(merged["Timeout"], 3)) * time.Second,
		MemorySize:  r.number(merged["MemorySize"], 128),
		Environment: map[string]Value{},
	}
	if own["CodeUri"] == nil {
		r.failf(&yaml.Node{Line: res.Line}, "%s: CodeUri is missing", res.ID)
	}
	f.CodeURI = path.Clean(r.literal(own["CodeUri"]))
	for _, from := range []*yaml.Node{globals["Environment"], own["Environment"]} {
		for name, value := range r.fields(r.fields(from)["Variables"]) {
			f.Environment[name] = Value{value}
		}
	}
	for _, event := range r.sorted(own["Events"]) {
		r.event(&f, event)
	}
	return f
}

func (r *reader) event(f *Function, event field) {
	e := r.fields(event.value)
	properties := r.fields(e["Properties"])
	switch kind := r.literal(e["Type"]); kind {
	case "Api":
		f.Routes = append(f.Routes, r.route(event, properties))
	case "DynamoDB":
		f.Streams = append(f.Streams, r.stream(event, properties))
	case "":
		r.failf(event.value, "%s: Type is missing", event.name)
	default:
		f.Others = append(f.Others, OtherEvent{Event: event.name, Type: kind, Line: event.value.Line})
	}
}

func (r *reader) route(event field, properties map[string]*yaml.Node) Route {
	route := Route{
		Event: event.name, Line: event.value.Line,
		Method: strings.ToUpper(r.required(properties, "Method", event.value)),
		Path:   r.required(properties, "Path", event.value),
	}
	if !strings.HasPrefix(route.Path, "/") {
		r.failf(event.value, "%s: Path must start with a slash", event.name)
	}
	if strings.Contains(route.Path, "+}") {
		r.failf(event.value, "%s: a greedy path parameter is not supported", event.name)
	}
	return route
}

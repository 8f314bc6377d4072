package check

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lambda "github.com/aws/aws-lambda-go/events"

	"github.com/dialplane/dialplane/scripts/events"
	"github.com/dialplane/dialplane/scripts/template"
)

func samples(t *testing.T) []events.Sample {
	t.Helper()
	all, err := events.Samples(os.DirFS(filepath.Join(root, "events")))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSamplesAndTheirListAreTheSame(t *testing.T) {
	t.Parallel()
	var listed, stored []string
	for _, s := range samples(t) {
		listed = append(listed, s.File)
	}
	for _, name := range allFiles(t) {
		if below, ok := strings.CutPrefix(name, "events/"); ok && path.Ext(name) == ".json" {
			stored = append(stored, below)
		}
	}
	slices.Sort(listed)
	slices.Sort(stored)
	if !slices.Equal(listed, stored) {
		t.Errorf("expect.txt lists %q, events/ holds %q", listed, stored)
	}
}

func TestEveryFunctionHasASampleAndARefusal(t *testing.T) {
	t.Parallel()
	all := samples(t)
	for _, f := range theTemplate(t).Functions {
		plain := slices.ContainsFunc(all, func(s events.Sample) bool { return s.File == f.Name()+".json" })
		refused := slices.ContainsFunc(all, func(s events.Sample) bool {
			return s.Function == f.Name() && (strings.HasPrefix(s.Seeded, "4") || s.Seeded == "again")
		})
		if !plain || !refused {
			t.Errorf("%s: events/%s.json is there: %v; an event that is refused is there: %v", f.ID, f.Name(), plain, refused)
		}
	}
}

// Each route of each function is in a sample, and a sample of a function is
// what API Gateway or the stream would send to it.
func TestSamplesFitTheTemplate(t *testing.T) {
	t.Parallel()
	unseen := map[string]bool{}
	functions := map[string]template.Function{}
	for _, f := range theTemplate(t).Functions {
		functions[f.Name()] = f
		for _, route := range f.Routes {
			unseen[route.String()] = true
		}
	}
	for _, s := range samples(t) {
		f, ok := functions[s.Function]
		switch {
		case !ok:
			t.Errorf("events/%s: there is no function %s", s.File, s.Function)
		case len(f.Streams) > 0:
			checkStreamEvent(t, s)
		default:
			route := checkRequestEvent(t, s)
			if !slices.ContainsFunc(f.Routes, func(r template.Route) bool { return r.String() == route }) {
				t.Errorf("events/%s: %s is no route of %s", s.File, route, f.ID)
			}
			delete(unseen, route)
		}
	}
	for route := range unseen {
		t.Errorf("no sample event is for %s", route)
	}
}

// decodeSample reads a sample and refuses what the type does not know.
func decodeSample(t *testing.T, s events.Sample, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(read(t, "events/"+s.File)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("events/%s: %v", s.File, err)
	}
}

func checkRequestEvent(t *testing.T, s events.Sample) (route string) {
	t.Helper()
	var e lambda.APIGatewayProxyRequest
	decodeSample(t, s, &e)
	want := e.Resource
	for name, value := range e.PathParameters {
		want = strings.ReplaceAll(want, "{"+name+"}", value)
	}
	c := e.RequestContext
	if e.Path != want || c.Path != "/v2"+want || c.ResourcePath != e.Resource || c.HTTPMethod != e.HTTPMethod || c.Stage != "v2" {
		t.Errorf("events/%s: path, resource, parameters and context do not fit together", s.File)
	}
	return e.HTTPMethod + " " + e.Resource
}

func checkStreamEvent(t *testing.T, s events.Sample) {
	t.Helper()
	var e lambda.DynamoDBEvent
	decodeSample(t, s, &e)
	if len(e.Records) == 0 {
		t.Errorf("events/%s has no record", s.File)
	}
	for i, record := range e.Records {
		if record.EventSource != "aws:dynamodb" || record.Change.SequenceNumber == "" || len(record.Change.Keys) != 2 ||
			record.Change.StreamViewType != "NEW_AND_OLD_IMAGES" {
			t.Errorf("events/%s: record %d is not what the stream of the core table holds", s.File, i)
		}
	}
}

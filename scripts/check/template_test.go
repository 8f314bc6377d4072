package check

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// functionName turns functions/<area>/<verb> into the name of its resource.
func functionName(name string) string {
	area, verb, _ := strings.Cut(name, "/")
	return strings.ToUpper(area[:1]) + area[1:] + strings.ToUpper(verb[:1]) + verb[1:] + "Function"
}

// functionFolders returns the names of the folders below functions/ that hold
// a program, such as "devices/create".
func functionFolders(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range allSources(t) {
		if name, ok := strings.CutPrefix(file.folder, "functions/"); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestFoldersAndFunctionsHaveOneName(t *testing.T) {
	t.Parallel()
	var named []string
	for _, f := range theTemplate(t).Functions {
		named = append(named, f.Name())
		if want := functionName(f.Name()); f.ID != want {
			t.Errorf("the function of %s is called %s, want %s", f.CodeURI, f.ID, want)
		}
		if f.BuildMethod != "go1.x" || f.Handler != "bootstrap" || f.Runtime != "provided.al2023" {
			t.Errorf("%s: got %s, %s, %s; want go1.x, bootstrap, provided.al2023", f.ID, f.BuildMethod, f.Handler, f.Runtime)
		}
	}
	folders := functionFolders(t)
	for _, name := range folders {
		if !slices.Contains(named, name) {
			t.Errorf("functions/%s has no function in the template", name)
		}
		if strings.Count(name, "/") != 1 {
			t.Errorf("functions/%s is not functions/<area>/<verb>", name)
		}
	}
	for _, name := range named {
		if !slices.Contains(folders, name) {
			t.Errorf("the template has a function of functions/%s, which does not exist", name)
		}
	}
}

func TestRoutesOfCodeAndTemplateAreEqual(t *testing.T) {
	t.Parallel()
	declared := declaredRoutes(t)
	for _, f := range theTemplate(t).Functions {
		var routes []string
		for _, route := range f.Routes {
			routes = append(routes, route.String())
		}
		if !slices.Equal(routes, declared[f.Name()]) {
			t.Errorf("%s: the template routes %q, main.go declares %q", f.ID, routes, declared[f.Name()])
		}
		if want := strings.Join(routes, ", "); want != "" && f.Description != want {
			t.Errorf("%s: its description is %q, want its routes: %q", f.ID, f.Description, want)
		}
		if len(f.Description) > 256 {
			t.Errorf("%s: its description has %d characters, Lambda takes 256", f.ID, len(f.Description))
		}
	}
}

// declaredRoutes returns what the variables `routes` of the functions hold.
func declaredRoutes(t *testing.T) map[string][]string {
	t.Helper()
	routes := map[string][]string{}
	for _, file := range allSources(t) {
		name, ok := strings.CutPrefix(file.folder, "functions/")
		if !ok || file.test {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || spec.Names[0].Name != "routes" || len(spec.Values) != 1 {
				return true
			}
			ast.Inspect(spec.Values[0], func(value ast.Node) bool {
				if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					text, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					routes[name] = append(routes[name], text)
				}
				return true
			})
			return false
		})
	}
	return routes
}

// One record that cannot be handled must neither stop a stream for its whole
// day nor take its batch with it, and must leave a trace.
func TestStreamFunctionsGiveUpInOrder(t *testing.T) {
	t.Parallel()
	streams := 0
	for _, f := range theTemplate(t).Functions {
		for _, s := range f.Streams {
			streams++
			for problem, is := range map[string]bool{
				"Stream is not !GetAtt of a table":                   s.Table == "",
				"ReportBatchItemFailures is missing":                 !s.PartialFailures,
				"BisectBatchOnFunctionError is missing":              !s.Bisect,
				"MaximumRetryAttempts is missing or endless":         s.MaxRetries < 0,
				"MaximumRecordAgeInSeconds is missing or endless":    s.MaxRecordAge <= 0,
				"OnFailure is missing":                               s.OnFailure.Node() == nil,
				"FilterCriteria is missing":                          len(s.Filters) == 0,
				"TRIM_HORIZON is the only start that misses nothing": s.StartingPosition != "TRIM_HORIZON",
			} {
				if is {
					t.Errorf("%s %s: %s", f.ID, s.Event, problem)
				}
			}
		}
	}
	if streams == 0 {
		t.Error("the template has no stream function")
	}
}

// CloudFormation takes 500 resources a stack; SAM makes several of one.
func TestStackHasRoomToGrow(t *testing.T) {
	t.Parallel()
	const most = 400
	tmpl := theTemplate(t)
	count := len(tmpl.Resources)
	for _, f := range tmpl.Functions {
		count += 1 + len(f.Routes) + len(f.Streams) // its role, a permission a route, a mapping a stream
	}
	for _, r := range tmpl.Resources {
		if r.Type == "AWS::Serverless::Api" {
			count += 2 // its deployment and its stage
		}
	}
	if count >= most {
		t.Errorf("the stack has %d resources, want fewer than %d", count, most)
	}
}

var resourceLine = regexp.MustCompile(`^  ([A-Za-z0-9]+):$`)

func TestEveryResourceSaysWhatItsFailureMeans(t *testing.T) {
	t.Parallel()
	said, forSection, inResources := false, false, false
	for number, line := range strings.Split(read(t, "template.yaml"), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case line == "Resources:":
			inResources = true
		case strings.HasPrefix(line, "##### "): // a section at the top level
			inResources = false
		case strings.HasPrefix(trimmed, "##### "):
			forSection = false
		case strings.HasPrefix(trimmed, "# Failure impact (all of this section):"):
			forSection = true
		case strings.HasPrefix(trimmed, "# Failure impact:"):
			said = true
		case inResources && resourceLine.MatchString(line):
			if !said && !forSection {
				t.Errorf("template.yaml:%d: %s no comment says what its failure means", number+1, trimmed)
			}
			said = false
		}
	}
}

// What API Gateway answers by itself must read like what the functions answer.
func TestGatewayAnswersInTheEnvelope(t *testing.T) {
	t.Parallel()
	count := 0
	for _, r := range theTemplate(t).Resources {
		for _, responses := range under(r.Properties, "GatewayResponses") {
			for i := 0; i+1 < len(responses.Content); i += 2 {
				count++
				name, response := responses.Content[i].Value, responses.Content[i+1]
				var envelope map[string]any
				if err := json.Unmarshal([]byte(under(response, "application/json")[0].Value), &envelope); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				message, _ := envelope["message"].(string)
				if _, ok := envelope["data"].(map[string]any); !ok || len(envelope) != 6 || message == "" ||
					envelope["status"] != "error" || envelope["error"] != under(response, "StatusCode")[0].Value ||
					envelope["code"] != strings.ReplaceAll(message, " ", "_") || envelope["request_id"] != "$context.requestId" {
					t.Errorf("%s: got %v", name, envelope)
				}
			}
		}
	}
	if count == 0 {
		t.Error("the template has no gateway responses: this test looks at the wrong place")
	}
}

// Fargate kills what has not stopped after StopTimeout.
func TestEdgeHasTimeToDrain(t *testing.T) {
	t.Parallel()
	drains := map[string]int{}
	for _, file := range allSources(t) {
		if file.test || !within(file.folder, []string{"sip-edge/..."}) {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.Contains(strings.ToLower(spec.Names[0].Name), "drain") {
				if seconds, ok := secondsOf(spec.Values[0]); ok {
					drains[file.path+" "+spec.Names[0].Name] = seconds
				}
			}
			return true
		})
	}
	if len(drains) == 0 {
		t.Fatal("no constant in sip-edge says how long it drains")
	}
	stop := stopTimeout(t)
	for name, seconds := range drains {
		if stop <= seconds {
			t.Errorf("StopTimeout is %d s, want more than the %d s of %s", stop, seconds, name)
		}
	}
}

// secondsOf returns n of the expression `n * time.Second`.
func secondsOf(value ast.Expr) (int, bool) {
	product, ok := value.(*ast.BinaryExpr)
	if !ok || product.Op != token.MUL {
		return 0, false
	}
	count, isLiteral := product.X.(*ast.BasicLit)
	unit, isSelector := product.Y.(*ast.SelectorExpr)
	if !isLiteral || !isSelector || unit.Sel.Name != "Second" {
		return 0, false
	}
	n, err := strconv.Atoi(count.Value)
	return n, err == nil
}

func stopTimeout(t *testing.T) int {
	t.Helper()
	for _, r := range theTemplate(t).Resources {
		if r.Type != "AWS::ECS::TaskDefinition" {
			continue
		}
		for _, node := range under(r.Properties, "StopTimeout") {
			seconds, err := strconv.Atoi(node.Value)
			if err != nil {
				t.Fatal(err)
			}
			return seconds
		}
	}
	t.Fatal("the template sets no StopTimeout")
	return 0
}

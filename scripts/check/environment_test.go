package check

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// variablesIn returns the names of environment variables that code in the
// given folders has as text, each with a place.
func variablesIn(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range allSources(t) {
		if file.test || !within(file.folder, folders) {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err == nil && variableName.MatchString(text) {
				found[text] = positions.Position(literal.Pos()).String()
			}
			return true
		})
	}
	return found
}

// readByOthers are variables that our code does not read itself.
var readByOthers = map[string]string{"AWS_ENDPOINT_URL": "the AWS SDK"}

func TestFunctionsReadWhatTheTemplateSets(t *testing.T) {
	t.Parallel()
	set := map[string]bool{}
	for _, f := range theTemplate(t).Functions {
		for name := range f.Environment {
			set[name] = true
		}
	}
	reads := variablesIn(t, "functions/...", "shared/...")
	for name, place := range reads {
		if !set[name] && !strings.HasPrefix(name, "AWS_") { // those Lambda sets
			t.Errorf("%s: the template sets no %s", place, name)
		}
	}
	for name := range set {
		if reads[name] == "" && readByOthers[name] == "" {
			t.Errorf("the template sets %s, which no function reads", name)
		}
	}
}

func TestEdgeReadsWhatTheTemplateSets(t *testing.T) {
	t.Parallel()
	reads := variablesIn(t, "sip-edge/...", "shared/...")
	set := 0
	for _, r := range theTemplate(t).Resources {
		if r.Type != "AWS::ECS::TaskDefinition" {
			continue
		}
		for _, key := range []string{"Environment", "Secrets"} {
			for _, list := range under(r.Properties, key) {
				for _, name := range under(list, "Name") {
					set++
					if reads[name.Value] == "" && readByOthers[name.Value] == "" {
						t.Errorf("template.yaml:%d: sip-edge reads no %s", name.Line, name.Value)
					}
				}
			}
		}
	}
	if set == 0 {
		t.Error("the template sets nothing for the edge: this test looks at the wrong place")
	}
}

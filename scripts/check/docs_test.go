package check

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var majorVersion = regexp.MustCompile(`/v\d+$`)

// requirement is a line of go.mod that is not marked indirect.
var requirement = regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v\S+$`)

// Every dependency needs a reason, and the README's section gives it. The
// SDK's modules count as one.
func TestReadmeNamesEveryDependency(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, "README.md"), "\n## Dependencies\n")
	section, _, _ = strings.Cut(section, "\n## ")
	count := 0
	for _, match := range requirement.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		name := majorVersion.ReplaceAllString(match[1], "")
		if strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/") {
			name = "aws-sdk-go-v2"
		}
		count++
		if !strings.Contains(section, path.Base(name)) {
			t.Errorf("README.md does not say what %s is for", match[1])
		}
	}
	if count == 0 {
		t.Error("go.mod requires nothing directly: this test reads it wrongly")
	}
}

var (
	codeBlock = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestLinksResolve(t *testing.T) {
	t.Parallel()
	for _, name := range allFiles(t) {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, match := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(read(t, name), ""), -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, target)
			} else if anchor != "" && path.Ext(to) == ".md" && !anchors(read(t, to))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", name, target)
			}
		}
	}
}

// anchors returns the names by which the headings of a text can be linked to.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(match[1]), "")
		names[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return names
}

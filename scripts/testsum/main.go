// Command testsum reads what `go test -json` writes and shows a person what
// matters: the packages' lines, the output of tests that failed, the tests
// that were skipped and why, and the sum as a last line. It fails if a test
// failed, if none ran, and in CI (environment variable CI) also if one was
// skipped: there everything that a test needs is installed.
//
//	go test -json ./... | go run ./scripts/testsum
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() { os.Exit(run(os.Stdin, os.Stdout, os.Getenv("CI") != "")) }

// event is one line of `go test -json` (go doc test2json); those of a build
// have ImportPath instead of Package.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// name is a test of a package.
type name struct{ pkg, test string }

// run copies what matters of the events in to out and returns the exit status.
func run(in io.Reader, out io.Writer, strict bool) int {
	s := sum{out: out, output: map[name][]string{}, parents: map[name]bool{}, results: map[name]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		s.line(line)
		if err != nil {
			break
		}
	}
	return s.close(strict)
}

type sum struct {
	out     io.Writer
	output  map[name][]string // of tests that have not ended
	parents map[name]bool     // tests that have subtests: these count, the parent does not
	results map[name]string   // pass, fail or skip
	broken  bool              // a package failed: it did not build, or crashed, or a test failed
}

// line takes one line of input; what is no event is shown as it is.
func (s *sum) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(s.out, line)
		return
	}
	id := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			s.parents[name{e.Package, e.Test[:i]}] = true
		}
	case "output":
		switch {
		case e.Test != "":
			s.output[id] = append(s.output[id], e.Output)
		case e.Output != "PASS\n" && !strings.HasSuffix(e.Output, "[no test files]\n"):
			fmt.Fprint(s.out, e.Output)
		}
	case "pass", "fail", "skip":
		s.end(id, e.Action)
	}
}

// end records the end of a test or, if id has no test, of a package.
func (s *sum) end(id name, result string) {
	if id.test == "" {
		s.broken = s.broken || result == "fail"
		return
	}
	s.results[id] = result
	if result != "pass" {
		fmt.Fprintf(s.out, "%s\n", id.pkg)
		for _, line := range s.output[id] {
			if !strings.HasPrefix(line, "=== ") {
				fmt.Fprint(s.out, line)
			}
		}
	}
	delete(s.output, id)
}

// close shows the sum and returns the exit status.
func (s *sum) close(strict bool) int {
	for id, lines := range s.output { // a crash or a timeout ended these
		fmt.Fprintf(s.out, "%s %s did not end:\n%s", id.pkg, id.test, strings.Join(lines, ""))
		s.results[id] = "fail"
	}
	count := map[string]int{}
	for id, result := range s.results {
		if !s.parents[id] || result == "fail" && !s.failedBelow(id) {
			count[result]++
		}
	}
	if strict && count["skip"] > 0 {
		fmt.Fprintln(s.out, "in CI nothing may be skipped")
	}
	fmt.Fprintf(s.out, "tests: %d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"])
	if s.broken || count["fail"] > 0 || count["pass"] == 0 || strict && count["skip"] > 0 {
		return 1
	}
	return 0
}

// failedBelow reports whether a subtest of id failed.
func (s *sum) failedBelow(id name) bool {
	for other, result := range s.results {
		if result == "fail" && other.pkg == id.pkg && strings.HasPrefix(other.test, id.test+"/") {
			return true
		}
	}
	return false
}

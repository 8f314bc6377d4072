package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const (
		passed = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"quiet\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
		skipped = `{"Action":"run","Package":"p","Test":"TestS"}
{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:1: sipp is missing\n"}
{"Action":"skip","Package":"p","Test":"TestS"}
`
		subtests = `{"Action":"run","Package":"p","Test":"TestP"}
{"Action":"run","Package":"p","Test":"TestP/One"}
{"Action":"run","Package":"p","Test":"TestP/Two"}
{"Action":"pass","Package":"p","Test":"TestP/One"}
{"Action":"output","Package":"p","Test":"TestP/Two","Output":"    p_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestP/Two"}
{"Action":"fail","Package":"p","Test":"TestP"}
{"Action":"fail","Package":"p"}
`
		unbuilt = `{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q","FailedBuild":"q"}
`
		crashed = `{"Action":"run","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Test":"TestC","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}
`
		parentFailed = `{"Action":"run","Package":"p","Test":"TestP"}
{"Action":"run","Package":"p","Test":"TestP/One"}
{"Action":"pass","Package":"p","Test":"TestP/One"}
{"Action":"fail","Package":"p","Test":"TestP"}
{"Action":"fail","Package":"p"}
`
	)
	for _, test := range []struct {
		name, in string
		strict   bool
		status   int
		has      []string
		hasNot   string
	}{
		{"Passes", passed, true, 0, []string{"ok  \tp", "tests: 1 passed, 0 failed, 0 skipped\n"}, "quiet"},
		{"SkipIsToldAndAllowed", passed + skipped, false, 0, []string{"sipp is missing", "tests: 1 passed, 0 failed, 1 skipped\n"}, "in CI"},
		{"SkipFailsInCI", passed + skipped, true, 1, []string{"sipp is missing", "nothing may be skipped"}, ""},
		{"SubtestsCountAndTheirParentDoesNot", subtests, false, 1, []string{"got 1, want 2", "tests: 1 passed, 1 failed, 0 skipped\n"}, ""},
		{"ParentThatFailsByItselfCounts", parentFailed, false, 1, []string{"tests: 1 passed, 1 failed, 0 skipped\n"}, ""},
		{"BuildFailureFails", passed + unbuilt, false, 1, []string{"syntax error", "tests: 1 passed, 0 failed"}, ""},
		{"CrashFails", crashed, false, 1, []string{"TestC did not end", "panic: boom", "tests: 0 passed, 1 failed"}, ""},
		{"NothingRunFails", "", false, 1, []string{"tests: 0 passed, 0 failed, 0 skipped\n"}, ""},
		{"OtherTextIsShown", "starting\n" + passed, true, 0, []string{"starting\n"}, ""},
		{"LastLineWithoutEnd", passed + "end", true, 0, []string{"end"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if got := run(strings.NewReader(test.in), &out, test.strict); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			for _, want := range test.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing: %s", want, out.String())
				}
			}
			if test.hasNot != "" && strings.Contains(out.String(), test.hasNot) {
				t.Errorf("%q is there: %s", test.hasNot, out.String())
			}
		})
	}
}

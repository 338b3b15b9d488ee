package vmtest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A follower reads what the test binaries in a guest print while they run, and makes each binary and
// each of its tests a subtest on the host, which takes as long. In a guest one test runs at a time, so
// a line belongs to the test that began last.
type follower struct {
	lines *bufio.Reader
	line  string
	ended bool // no line is left
}

// follow returns a follower at the first line.
func follow(output io.Reader) *follower {
	f := &follower{lines: bufio.NewReader(output)}
	f.next()
	return f
}

// next reads the next line.
func (f *follower) next() {
	line, err := f.lines.ReadString('\n')
	f.line, f.ended = line, err != nil && line == ""
}

// The lines around what a binary prints.
const (
	beginMark = "### begins: "
	endMark   = "### ended with status "
)

// binaries follows the runs until the output ends.
func (f *follower) binaries(t *testing.T, runs []testRun) {
	ran := make(map[string]bool)
	var stray strings.Builder
	for ; !f.ended; f.next() {
		name, ok := strings.CutPrefix(f.line, beginMark)
		if !ok {
			stray.WriteString(f.line)
			continue
		}
		name = strings.TrimSpace(name)
		ran[name] = true
		for _, r := range runs {
			if r.name == name {
				t.Run(name, func(t *testing.T) { f.binary(t, r.tests) })
			}
		}
	}
	for _, r := range runs {
		if !ran[r.name] {
			t.Errorf("%s was not run; output:\n%s", r.name, stray.String())
		}
	}
}

// binary follows a run to its end. It fails unless each of the tests was run.
func (f *follower) binary(t *testing.T, tests []string) {
	ran := make(map[string]bool)
	var stray strings.Builder
	for f.next(); !f.ended && !strings.HasPrefix(f.line, endMark); {
		name, ok := began(f.line)
		if !ok {
			stray.WriteString(f.line)
			f.next()
			continue
		}
		ran[name] = true
		begin := f.line
		if t.Run(name, f.test); f.line == begin { // the flag -test.run leaves it out
			f.next()
		}
	}
	var status int
	if _, err := fmt.Sscanf(f.line, endMark+"%d", &status); err != nil {
		t.Error("the guest ended before this did")
	} else if status > 1 || status != 0 && !t.Failed() { // 2 is a panic, after the verdict of its test
		t.Errorf("exit status %d:\n%s", status, stray.String())
	}
	for _, name := range tests {
		if !ran[name] {
			t.Errorf("%s was not run", name)
		}
	}
}

// test follows a test and passes or fails as it does. A test without a verdict was running when the
// binary died. A skipped test, or one of which a part was skipped, fails: where a kernel lacks
// something, a test must test that.
func (f *follower) test(t *testing.T) {
	name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
	verdict := "none: the program ended"
	var output strings.Builder
	for f.next(); !f.ended && !strings.HasPrefix(f.line, endMark); f.next() {
		if v, ok := verdictOf(f.line, name); ok {
			verdict = v
			break
		}
		output.WriteString(withoutNoise(f.line))
	}
	if _, ok := verdictOf(f.line, name); ok {
		for f.next(); strings.HasPrefix(f.line, "    "); f.next() {
			output.WriteString(withoutNoise(f.line))
		}
	}
	switch {
	case verdict == "PASS" && !strings.Contains(output.String(), "--- SKIP: "):
		if output.Len() > 0 {
			t.Log(output.String())
		}
	case verdict == "FAIL":
		t.Error(output.String())
	default:
		t.Errorf("verdict %s, or a part was skipped:\n%s", verdict, output.String())
	}
}

// began returns the name in a line "=== RUN   TestName" that is not of a subtest.
func began(line string) (name string, ok bool) {
	name, ok = strings.CutPrefix(line, "=== RUN   ")
	return strings.TrimSpace(name), ok && !strings.Contains(name, "/")
}

// verdictOf returns the verdict in a line "--- PASS: TestName (0.00s)" of that test.
func verdictOf(line, name string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "--- ")
	if !ok {
		return "", false
	}
	verdict, _, ok := strings.Cut(rest, ": "+name+" (")
	return verdict, ok
}

// withoutNoise returns the line, or nothing if it says only that something began
// or passed.
func withoutNoise(line string) string {
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- PASS") {
		return ""
	}
	return line
}

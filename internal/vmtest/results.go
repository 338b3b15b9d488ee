package vmtest

import "strings"

// A result is what became of one test in a guest.
type result struct {
	name    string
	verdict string // PASS, FAIL, SKIP
	output  string
}

// parseResults reads what a test binary prints with -test.v. Tests run one
// after the other there, so a line belongs to the test that began last. A test
// without a verdict was the last to begin before the binary died: a FAIL.
func parseResults(output string) []result {
	var results []result
	for line := range strings.Lines(output) {
		if name, ok := strings.CutPrefix(line, "=== RUN   "); ok && !strings.Contains(name, "/") {
			results = append(results, result{name: strings.TrimSpace(name), verdict: "FAIL"})
			continue
		}
		if len(results) == 0 {
			continue
		}
		last := &results[len(results)-1]
		if verdict, ok := verdictOf(line, last.name); ok {
			last.verdict = verdict
		} else if !isNoise(line) {
			last.output += line
		}
	}
	return results
}

// verdictOf reads a line "--- PASS: TestName (0.00s)".
func verdictOf(line, name string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "--- ")
	if !ok {
		return "", false
	}
	verdict, _, ok := strings.Cut(rest, ": "+name+" (")
	return verdict, ok
}

// isNoise reports whether a line tells nothing about what went wrong.
func isNoise(line string) bool {
	line = strings.TrimSpace(line)
	return line == "PASS" || line == "FAIL" ||
		strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- PASS")
}

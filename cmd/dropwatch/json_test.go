package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"dropwatch/internal/vmtest"
)

// TestJSONIsStrict parses what each verb prints with --json: every line is one value
// and nothing else, and the last ends with one newline.
func TestJSONIsStrict(t *testing.T) {
	const session = "../../testdata/session-files/v2.session"
	const counted = "../../testdata/session-files/v3.session"
	for _, line := range []string{
		"doctor --json", "replay --json " + session, "replay --json --hex " + session, "replay --json --summary " + session,
		"watch --json -d 1", "watch --json --summary -d 100ms", "watch --json --explain -d 100ms",
		"diagnose --json --fail-on never -d 100ms",
		"diagnose --json --fail-on never " + session, "diagnose --json --fail-on never " + counted,
		"counters --json --netns shop " + counted, "counters --json --all -n 100ms", "doctor --settings --json", "points --json tcp",
	} {
		t.Run(line, func(t *testing.T) {
			if verb, _, _ := strings.Cut(line, " "); verb == "watch" || line == "diagnose --json --fail-on never -d 100ms" {
				if ok, err := condition("trace"); !ok || err != nil {
					vmtest.SkipOrFail(t, errors.New("it needs the right to trace"))
				}
			}
			cmd := exec.Command("dropwatch", strings.Fields(line)...)
			out, _ := cmd.Output() // doctor's exit code is its verdict
			checkJSON(t, string(out))
		})
	}
}

func checkJSON(t *testing.T, out string) {
	t.Helper()
	body, ok := strings.CutSuffix(out, "\n")
	if !ok {
		t.Fatalf("the last line does not end: %q", out)
	}
	if strings.HasPrefix(body, "{\n") || strings.HasPrefix(body, "[\n") { // a value in several lines
		checkValue(t, body)
		return
	}
	for line := range strings.SplitSeq(body, "\n") {
		checkValue(t, line)
	}
}

// checkValue fails unless text is one JSON object or array, with nothing around it.
func checkValue(t *testing.T, text string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil || strings.TrimSpace(text) != text {
		t.Fatalf("%q: %v", text, err)
	}
	switch v.(type) {
	case map[string]any, []any:
	default:
		t.Fatalf("%q is neither an object nor an array", text)
	}
}

package repl

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestTranscripts replays sessions of the C program. Where dropwatch differs, by a
// documented difference, the fixture says how in its file "dropwatch".
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("../../testdata/repl/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			replay(t, file)
		})
	}
}

func replay(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	greeting, fromC, _ := strings.Cut(parts["stdout"], "\n")
	want, ok := parts["dropwatch"]
	if !ok {
		want = parts["stdout"]
	}
	b := newBench(strings.Split(strings.TrimSuffix(parts["stdin"], "\n"), "\n")...)
	if parts["stdin"] == "" {
		b.lines.lines = nil
	}
	b.host.captures = captures(fromC)
	var failed error
	if strings.Contains(fromC, "\nFailed ") {
		b.host.fail, failed = errRefused, ErrFailed
	}
	b.run(t, failed)
	if diff := cmp.Diff(want, greeting+"\n"+b.out.String()); diff != "" {
		t.Errorf("(-C +dropwatch):\n%s", diff)
	}
	if failed != nil && b.err.Len() == 0 {
		t.Error("stderr says nothing of the failure")
	}
}

// captures reads the runs of a transcript: between the words for their start
// and their end is what the kernel reported.
func captures(transcript string) (all []capture) {
	runs := strings.Split(transcript, "Issue Ctrl-C to stop monitoring\n")
	for _, run := range runs[1:] {
		shows, _, limited := strings.Cut(run, "Alert limit reached")
		if limited {
			all = append(all, capture{shows: shows, limited: true})
			continue
		}
		shows, _, _ = strings.Cut(run, "Got a stop message\n")
		all = append(all, capture{shows: shows})
	}
	return all
}

func TestCaptures(t *testing.T) {
	got := captures("x\nIssue Ctrl-C to stop monitoring\na\nAlert limit reached, d\nGot a stop message\n" +
		"Issue Ctrl-C to stop monitoring\nGot a stop message\n")
	if len(got) != 2 || got[0].shows != "a\n" || !got[0].limited || got[1].shows != "" {
		t.Errorf("%+v", got)
	}
}

package app

import (
	"os"
	"strings"
	"testing"

	"dropwatch/internal/capture"
)

// TestReadme: it names every command, source and topic of help.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, name := range testProgram(t).VerbNames() {
		if name != "version" && !strings.Contains(readme, "dropwatch "+name) {
			t.Errorf("command %s is missing", name)
		}
	}
	names := capture.SourceNames()[1:]
	for _, topic := range proseTopics {
		names = append(names, topic.name)
	}
	for _, name := range names {
		if !strings.Contains(readme, "`"+name+"`") && !strings.Contains(readme, "`dropwatch help "+name+"`") {
			t.Errorf("%s is missing", name)
		}
	}
}

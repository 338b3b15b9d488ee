package app

import (
	"strings"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
)

// TestExplainEverything: every entry has a text, with each of its settings.
func TestExplainEverything(t *testing.T) {
	reader := settings.New(host.New("/"))
	entries := append(knowledge.All(), &knowledge.Entry{Name: "OTHER", Settings: []string{"net.no.such"}})
	for _, e := range entries {
		var b strings.Builder
		appendExplanation(&b, e)
		appendSettings(&b, e, reader)
		text := b.String()
		for _, want := range append([]string{e.Name + ": " + e.Kind.String()}, e.Settings...) {
			if !strings.Contains(text, want) && !strings.Contains(text, settings.OfAll(want)) {
				t.Errorf("%s is not in\n%s", want, text)
			}
		}
	}
}

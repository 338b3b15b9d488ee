package app

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"dropwatch/internal/sink/jsonl"
)

// TestReadme: it has every command, source, and key of a JSON line.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, c := range commands() {
		if c.name != "version" && !strings.Contains(readme, "dropwatch "+c.name) {
			t.Errorf("command %s is missing", c.name)
		}
	}
	for _, key := range append(schemaKeys(t), sourceNames()[1:]...) {
		if !strings.Contains(readme, "`"+key+"`") {
			t.Errorf("%s is missing", key)
		}
	}
}

// schemaKeys are those of a drop, a loss, the end and a flow.
func schemaKeys(t *testing.T) (keys []string) {
	t.Helper()
	var schema struct {
		Defs map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(jsonl.Schema()), &schema); err != nil {
		t.Fatal(err)
	}
	for _, def := range []string{"drop", "loss", "end", "flow"} {
		if len(schema.Defs[def].Properties) == 0 {
			t.Errorf("the schema has no %s", def)
		}
		for key := range schema.Defs[def].Properties {
			keys = append(keys, key)
		}
	}
	return keys
}

package app

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// startService runs a configuration with a fake monitor.
func startService(t *testing.T, fake, text string) *verbRun {
	t.Helper()
	path := t.TempDir() + "/service.toml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startVerb(t, fake, "-l", "none", "run", "--config", path)
}

// TestServiceWritesAsConfigured: outputs, source and filter are those of the file.
func TestServiceWritesAsConfigured(t *testing.T) {
	lines := t.TempDir() + "/lines.json"
	v := startService(t, "packet summary=3 packet", `
source = "netdm"
expression = "not proto arp"
output = ["json:`+lines+`"]
`)
	read := func() string { b, _ := os.ReadFile(lines); return string(b) }
	await(t, "the drops are written", func() bool { return strings.Count(read(), `"kind":"drop"`) == 2 })
	if code := v.end(t, syscall.SIGINT); code != 0 || !strings.Contains(v.stderr.String(), "\ntotal 5: 2 shown, 0 lost, 3 undecided") {
		t.Errorf("exit code %d: %s", code, &v.stderr)
	}
}

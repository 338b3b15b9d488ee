package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/systemd"
	"dropwatch/internal/vmtest"
)

// least is the unit of a service that needs no more than BPF.
var least = systemd.Unit{
	Command:      []string{"/bin/true", "run", "--config", "/etc/a b%.toml"},
	Capabilities: []string{"CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"},
}

// TestUnitQuotes: words of the command line arrive as they are.
func TestUnitQuotes(t *testing.T) {
	u := systemd.Unit{Command: []string{"/bin/true", "a", "b c", `"\`, "100%", "$HOME", ""}}
	const want = "\nExecStart=/bin/true a \"b c\" \"\\\"\\\\\" 100%% $$HOME \"\"\n"
	if text := u.String(); !strings.Contains(text, want) {
		t.Errorf("%q is missing in %s", want, text)
	}
}

// TestUnitExposure: systemd knows every setting, and finds the service no more exposed than 2.5.
func TestUnitExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	file := filepath.Join(t.TempDir(), "dropwatch.service")
	text := strings.Replace(least.String(), "\nDocumentation=man:dropwatch(8)", "", 1) // the page is not installed
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v: %s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=25", file).CombinedOutput()
	if err != nil {
		t.Errorf("security: %v: %s", err, out)
	}
}

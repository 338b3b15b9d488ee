package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestUnitWrites: what may be written follows what may be read only, which it is a part of.
func TestUnitWrites(t *testing.T) {
	u := least
	u.Writable = []string{"/sys/kernel/tracing", "/sys/a b"}
	before, after, _ := strings.Cut(u.String(), "\nReadWritePaths=-/sys/kernel/tracing\nReadWritePaths=\"-/sys/a b\"\n\n")
	if !strings.Contains(before, "\nReadOnlyPaths=/proc/sys /sys ") || after == "" || strings.Contains(least.String(), "ReadWrite") {
		t.Errorf("unit %s", u.String())
	}
}

// TestUnitExposure: systemd knows every setting, and finds the service no more exposed than 2.5, also if it reports points.
func TestUnitExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	points := least
	points.Capabilities = append(slices.Clip(least.Capabilities), "CAP_DAC_OVERRIDE")
	points.Writable = []string{"/sys/kernel/tracing"}
	checkExposure(t, &least)
	checkExposure(t, &points)
}

func checkExposure(t *testing.T, u *systemd.Unit) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dropwatch.service")
	text := strings.Replace(u.String(), "\nDocumentation=man:dropwatch(8)", "", 1) // the page is not installed
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

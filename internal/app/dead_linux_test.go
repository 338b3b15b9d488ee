package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// TestFileNamesOfDeadFileSystem: completion does not hold up the prompt.
func TestFileNamesOfDeadFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "night.dw"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := host.New("/")
	if got := fileNames(h, dir+"/n"); !slices.Equal(got, []string{dir + "/night.dw"}) {
		t.Errorf("names %q", got)
	}
	vmtest.MountUnresponsive(t, dir)
	began := time.Now()
	if got := fileNames(h, dir+"/n"); got != nil || time.Since(began) > maxWait {
		t.Errorf("names %q after %v", got, time.Since(began))
	}
	a := &App{runner: &capture.Runner{Host: h}}
	if began = time.Now(); a.isRecording(dir+"/night.dw") || time.Since(began) > maxWait {
		t.Errorf("a recording after %v", time.Since(began))
	}
}

package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest"
)

// TestRecordOnFullDisk: a disk that fills during a run ends it, and what was seen until then is
// accounted for.
func TestRecordOnFullDisk(t *testing.T) {
	dir := smallDisk(t)
	var stderr strings.Builder
	record := exec.Command("dropwatch", "-l", "none", "record", "-s", "netdm", filepath.Join(dir, "drops.dw"))
	record.Env = append(os.Environ(), "FAKE="+strings.Repeat("packet ", 2000))
	record.Stderr = &stderr
	_ = record.Run() // the code says whether it failed
	total := regexp.MustCompile(`(?m)^total [1-9]\d*: `)
	said := stderr.String()
	if record.ProcessState.ExitCode() != 1 || !total.MatchString(said) || !strings.Contains(said, "no space left on device") {
		t.Errorf("exit code %d: %s", record.ProcessState.ExitCode(), said)
	}
}

// TestPacketsOnFullDisk: a file that cannot be written is told at once, and the lines go on. When
// they end, too, so does the run.
func TestPacketsOnFullDisk(t *testing.T) {
	const full = "drops.pcapng: no space left on device"
	args := []string{"-l", "none", "watch", "-s", "netdm", "-w", filepath.Join(smallDisk(t), "drops.pcapng")}
	c := newConsole(t, []string{"FAKE=packets"}, "dropwatch", args...).onPipes()
	c.expect(full, "; the other outputs go on\n", "__udp4_lib_rcv").signal(syscall.SIGINT)
	c.expect("total ", full).wait(1)

	v := startVerb(t, "packets", args...)
	v.stdout.Close()
	if code := v.end(t, 0); code != 1 {
		t.Errorf("exit code %d: %s", code, &v.stderr)
	}
}

// smallDisk mounts a file system with room for 16 KiB.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	vmtest.RequireRoot(t)
	dir = t.TempDir()
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

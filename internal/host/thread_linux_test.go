package host_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// TestIdle names the thread 0 here, and in a PID namespace of its own, where that may
// be any thread outside.
func TestIdle(t *testing.T) {
	const inside = "DROPWATCH_TEST_IDLE"
	if os.Getenv(inside) != "" {
		if got := host.New("/").ThreadName(0); got != "" || os.Getpid() != 1 {
			t.Errorf("process %d: the thread 0 is %q, want no name in process 1", os.Getpid(), got)
		}
		return
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	if got := host.New("/").ThreadName(0); ns == "pid:[4026531836]" && got != "swapper" || ns != "pid:[4026531836]" && got != "" {
		t.Errorf("in %s the thread 0 is %q", ns, got)
	}
	vmtest.RequireRoot(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdle$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestIdle") {
		t.Errorf("in a PID namespace of its own: %v\n%s", err, out)
	}
}

// TestInNetnsUnseen: a namespace of which only the inode number is known cannot be entered.
func TestInNetnsUnseen(t *testing.T) {
	err := host.New("/").InNetns(host.Netns{Initial: true}, func() error { return nil })
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "cannot enter network namespace init: ") {
		t.Errorf("error %v", err)
	}
}

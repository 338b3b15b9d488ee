package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dropwatch/internal/vmtest"
)

// TestDeadFileSystem reads files of a FUSE file system whose program does not answer.
func TestDeadFileSystem(t *testing.T) {
	root := t.TempDir()
	dead := filepath.Join(root, "var/lib/docker")
	other := filepath.Join(root, "var/lib/containers/x")
	err := errors.Join(os.MkdirAll(dead, 0o755), os.MkdirAll(filepath.Dir(other), 0o755), os.WriteFile(other, []byte("alive"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	abort := vmtest.MountUnresponsive(t, dead)
	h := New(root)
	began := time.Now()
	limits := Limits{Bytes: 100, Owner: AnyOwner}
	if _, err := h.ReadForeign("var/lib/docker/containers/1/config.v2.json", limits); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("the first read: %v, want %v", err, ErrNoAnswer)
	}
	if took := time.Since(began); took < foreignWait {
		t.Errorf("it was waited for %v, want at least %v", took, foreignWait)
	}
	began = time.Now()
	for i := range 1000 {
		if _, err := h.ReadForeign(fmt.Sprintf("var/lib/docker/containers/%d/config.v2.json", i), limits); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("a further read: %v, want %v", err, ErrNoAnswer)
		}
	}
	if took := time.Since(began); took > 100*foreignWait { // a tenth of what waiting each time would take
		t.Errorf("1000 further reads took %v", took)
	}
	if text, err := h.ReadFile("var/lib/containers/x"); string(text) != "alive" {
		t.Errorf("another directory: %q, %v", text, err)
	}
	abort()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		_, err := h.ReadFile("var/lib/docker/x")
		if !errors.Is(err, ErrNoAnswer) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the end of the program: %v", err)
		}
	}
}

// TestDeadLXCFS: in a container a program may serve what the kernel says of the CPUs.
func TestDeadLXCFS(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/devices/system/cpu")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	vmtest.MountUnresponsive(t, dir)
	if _, err := New(root).ReadFile("sys/devices/system/cpu/online"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v, want %v", err, ErrNoAnswer)
	}
}

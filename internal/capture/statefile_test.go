package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/source/pcap"
)

// oneFile returns a source of a capture file that has a header and no packets.
func oneFile() *pcap.Source {
	header := append([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0}, make([]byte, 16)...)
	open := func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(header)), nil }
	return pcap.New(pcap.Options{MaxFlows: 1, Files: []pcap.File{{Name: "x", Open: open}}})
}

// nothing is a pipeline.Output that is not written to.
type nothing struct{}

func (nothing) Emit(*event.Event) {}
func (nothing) Flush()            {}

// TestStateIsLocked: a run waits for one that has the state, until its context ends.
func TestStateIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	lock, err := lockState(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockState(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked twice: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- (&stateful{oneFile(), path}).Run(t.Context(), nothing{}) }()
	if err := os.WriteFile(path+".replaced", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".replaced", path); err != nil { // as a run that ends does
		t.Fatal(err)
	}
	lock.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := (&stateful{oneFile(), path}).Run(t.Context(), nothing{}); err != nil {
		t.Errorf("with the state of a run: %v", err)
	}
}

// TestStateOfAnInterruptedRun stays as it was.
func TestStateOfAnInterruptedRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	ctx, cancel := context.WithCancel(t.Context())
	lock, err := lockState(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	cancel()
	if err := (&stateful{oneFile(), path}).Run(ctx, nothing{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestStateThatCannotBeKept says which file it is, and what to do.
func TestStateThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                             "is a directory",
		link:                            "it is a link: name the file that it leads to",
		filepath.Join(dir, "no", "dir"): "create the directory",
	} {
		err := Advise((&stateful{oneFile(), path}).Run(t.Context(), nothing{}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

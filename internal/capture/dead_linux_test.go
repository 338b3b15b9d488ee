package capture

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest"
)

// TestDeadFileSystem: a file where nothing answers holds up neither the screen nor a run that
// is ended.
func TestDeadFileSystem(t *testing.T) {
	dir := t.TempDir()
	vmtest.MountUnresponsive(t, dir)
	path := filepath.Join(dir, "drops.dw")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := reserve(ctx, path, keepAll); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opening ended by %v", err)
	}
	if err := new(screen).save(path, nil); err == nil || !strings.Contains(err.Error(), "the file system does not answer") {
		t.Errorf("saving ended by %v", err)
	}
}

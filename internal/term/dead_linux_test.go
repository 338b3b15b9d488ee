package term

import (
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/vmtest"
)

// TestHistoryWithoutAnswer: a session begins without the history of a dead file system.
func TestHistoryWithoutAnswer(t *testing.T) {
	dir := t.TempDir()
	vmtest.MountUnresponsive(t, dir)
	var warned error
	h := openHistory(filepath.Join(dir, "dropwatch", "history"), func(err error) { warned = err })
	h.add("start")
	if warned == nil || !strings.Contains(warned.Error(), "does not answer") {
		t.Errorf("warned: %v", warned)
	}
}

package kallsyms

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestFileWithoutAnswer: a read that hangs is waited for once, and when it ends files are
// read again.
func TestFileWithoutAnswer(t *testing.T) { synctest.Test(t, testFileWithoutAnswer) }

func testFileWithoutAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kallsyms")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	var l Live
	began, answer := time.Now(), make(chan struct{})
	hang := func(io.Reader) (string, error) { <-answer; return "late", nil }
	read := func(r io.Reader) (string, error) { b, err := io.ReadAll(r); return string(b), err }
	if _, err := within(&l, path, hang); !errors.Is(err, ErrNoAnswer) || time.Since(began) != maxWait {
		t.Errorf("after %v: %v, want %v after %v", time.Since(began), err, ErrNoAnswer, maxWait)
	}
	if _, err := within(&l, path, read); !errors.Is(err, ErrNoAnswer) || time.Since(began) != maxWait {
		t.Errorf("the next read, after %v: %v, want %v at once", time.Since(began), err, ErrNoAnswer)
	}
	close(answer)
	synctest.Wait()
	if text, err := within(&l, path, read); text != "text" || err != nil {
		t.Errorf("after the answer: %q, %v", text, err)
	}
}

// TestOnlyRegularFilesAreRead: a FIFO that nobody writes to would be waited for.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*Live{"symbols": {Symbols: fifo}, "modules and symbols": {Symbols: fifo, Modules: fifo}} {
		if err := l.Load(); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

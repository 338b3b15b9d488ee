package host

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnThread: whatever thread a goroutine begins on, f is on another than the first.
func TestOnThread(t *testing.T) {
	var wg sync.WaitGroup
	for range 200 {
		wg.Add(1)
		go onThread(func() {
			defer wg.Done()
			if unix.Gettid() == unix.Getpid() {
				t.Error("on the first thread of the process")
			}
		})
	}
	wg.Wait()
}

package vmtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// maxGuests returns how many guests may run at the same time, of all test processes on this machine: one more than it has
// CPUs, as each keeps one busy for two thirds of its time and waits for the rest.
func maxGuests() int { return runtime.NumCPU() + 1 }

// acquireSlot waits until fewer than [maxGuests] guests run. The caller calls release when its guest has
// ended. A slot is a lock on a file in the cache, which ends with its process at the latest.
func acquireSlot(ctx context.Context) (release func(), err error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	for ; ; time.Sleep(100 * time.Millisecond) {
		for i := range maxGuests() {
			f, err := os.OpenFile(filepath.Join(cache, fmt.Sprintf("slot%d", i)), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return nil, fmt.Errorf("waiting for other guests: %w", err)
			}
			if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				return func() { f.Close() }, nil
			}
			f.Close()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

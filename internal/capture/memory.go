package capture

import (
	"runtime/debug"
	"sync"
	"time"
)

const (
	startMemory = 24 << 20               // bytes that Go may take before it collects garbage during a start
	startTime   = 200 * time.Millisecond // from when the source is open until what the start took is released
)

// deferCollection keeps garbage collection from slowing down a start, most of whose
// memory is in use to its end: the kernel's types and symbols while they are read. It
// returns what frees that memory, and has to be called.
func deferCollection() (release func()) {
	limit, percent := debug.SetMemoryLimit(startMemory), debug.SetGCPercent(-1)
	return sync.OnceFunc(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		debug.FreeOSMemory()
	})
}

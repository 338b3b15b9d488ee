package vmtest

import (
	"strconv"
	"sync"
	"time"
)

// timeStamp reads the time stamp counter.
func timeStamp() uint64

// clockArg tells a guest's kernel how fast the time stamp counter is, which qemu takes from the host.
// On a busy host what the kernel measures at boot may be wrong by any factor, and its clock runs
// as much too fast or too slow for as long as the guest runs.
var clockArg = sync.OnceValue(func() string {
	return " tsc_early_khz=" + strconv.FormatUint(timeStampKHz(), 10)
})

// timeStampKHz measures the frequency of the time stamp counter. When something else runs between two
// readings that belong together, they are far apart: the nearest of several are taken.
func timeStampKHz() uint64 {
	begin, from := timeStampNow()
	time.Sleep(100 * time.Millisecond)
	end, to := timeStampNow()
	return (to - from) * uint64(time.Millisecond) / uint64(end.Sub(begin))
}

// timeStampNow returns the counter at a time.
func timeStampNow() (at time.Time, count uint64) {
	shortest := ^uint64(0)
	for range 100 {
		before := timeStamp()
		now := time.Now()
		if took := timeStamp() - before; took < shortest {
			shortest, at, count = took, now, before+took/2
		}
	}
	return at, count
}

package vmtest

import (
	"cmp"
	"slices"
	"sync"
)

// bootSeconds is how long the tests of one guest take at most, unless a package takes longer: fewer guests would leave the
// last of them alone for minutes, and each more takes seconds to boot.
const bootSeconds = 200

// A boot is one guest, and what runs in it.
type boot struct {
	kernel  Kernel
	runs    []testRun
	seconds int             // that it takes, about
	turn    <-chan struct{} // is closed when the guest before this one has begun
	began   func()          // says that this one has, or never will; may be called again
}

// boots deals the runs, in their order, to guests of each kernel, in the order of their turns: those that take
// longest first, and of these the newest kernels, which are slower.
func (s Suite) boots(kernels []Kernel, runs []testRun) (all []boot) {
	for _, k := range slices.Backward(kernels) {
		all = append(all, s.deal(k, runs)...)
	}
	slices.SortStableFunc(all, func(a, b boot) int { return cmp.Compare(b.seconds, a.seconds) })
	turn := make(chan struct{})
	close(turn)
	for i := range all {
		begun := make(chan struct{})
		all[i].turn, all[i].began = turn, sync.OnceFunc(func() { close(begun) })
		turn = begun
	}
	return all
}

// deal deals the runs, in their order, to guests of a kernel. A run is never parted.
func (s Suite) deal(k Kernel, runs []testRun) (parts []boot) {
	for _, r := range runs {
		seconds := len(r.tests) * max(1, s.Seconds[r.name])
		if len(parts) == 0 || parts[len(parts)-1].seconds+seconds > bootSeconds {
			parts = append(parts, boot{kernel: k})
		}
		last := &parts[len(parts)-1]
		last.runs, last.seconds = append(last.runs, r), last.seconds+seconds
	}
	return parts
}

// Package clock converts times of the kernel's monotonic clock, which perf events and BPF
// programs have, to wall-clock time.
package clock

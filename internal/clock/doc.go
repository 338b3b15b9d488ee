// Package clock tells the kernel's monotonic clock, by which it stamps what it
// records, from the wall clock.
package clock

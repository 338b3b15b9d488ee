// Package guest is for tests in a guest of package vmtest. It runs and interrupts programs, drops a known
// number of packets, and reads and resets the drop monitor. It changes the whole system that it runs on:
// only AtLeast may be called outside of a guest.
package guest

// Package guest is what tests use inside a guest of package vmtest: programs
// to run and to interrupt, packets to lose in a known number and way, and the
// state of the kernel's drop monitor. It changes the whole system that it runs
// on, so nothing in it but AtLeast may be called anywhere else.
package guest

// Package sourcetest is what tests of sources share: an output that keeps what
// they give, and threads that have less than the others.
package sourcetest

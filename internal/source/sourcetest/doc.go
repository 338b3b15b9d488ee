// Package sourcetest has what the tests of sources share: an output that keeps what a source
// emits, and threads with fewer privileges.
package sourcetest

// Package archtest keeps, as tests, what the design says of the building as a
// whole: which room may know which, which library is used where, who may touch
// the process's own streams, and what lies at the top of the repository.
//
// Each rule gives its reason, which is what a test that fails prints. A rule
// about a room or a library that is not there fails too, unless it says that
// it is still to come; so no rule outlives what it was made for.
package archtest

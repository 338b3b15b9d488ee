// Package archtest keeps, as tests, what the design says about the program as a whole:
// which room may import which, which library is used where, in what order the files of
// a room use each other, who may touch the process's own streams, how long a line may
// be, and what lies at the top of the repository.
//
// Each rule states its reason, which a failing test prints. A rule about a room or a
// library that does not exist fails too, unless it is marked as future: no rule
// outlives its purpose.
package archtest

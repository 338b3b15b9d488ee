// Package zoo makes real losses and holds what `dropwatch diagnose` must say of each: a
// table of scenarios, each of which loses a known number of packets in network namespaces
// of the test's own for one cause. Its test runs the program while a scenario loses
// packets, and checks the finding, that no wrong one stands beside it, and that the
// reconciliation closes. `make zoo` prints the table. With KERNEL=6.1, which takes ten
// minutes, it is of a guest with that kernel, source netdm watches the first round, too, and
// a column has what the C dropwatch shows when the scenario is made once more, alone.
package zoo

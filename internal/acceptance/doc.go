// Package acceptance holds the tests of the whole program on real kernels: its
// own TestGuest functions hold dropwatch against the C dropwatch on the same
// drops, and its TestKernels runs the TestGuest functions of all other packages
// in the same boots.
//
// They run only when asked for, as each kernel takes minutes: `make test`, or
//
//	make guest KERNEL=6.1 PACKAGE=source.bpf RUN=TestGuestLastLockdown
package acceptance

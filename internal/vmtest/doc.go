// Package vmtest boots real kernels in qemu, for the tests that need NET_DM.
//
// A [Guest] is one boot: a kernel, an initial file system made of busybox,
// iproute2, nftables, the C dropwatch and the modules that matter here, and
// one command, run as root. It takes four to six seconds without KVM. What the
// command prints, its exit status and the files that it leaves in /out come
// back; the console does not mix with them.
//
// A package runs its own tests in guests with [Main] and [Suite]: functions
// named TestGuest... run inside, on every kernel, and all others on the host.
// Package guest has what they need in there.
//
// Kernels and programs come from a cache that setup.sh fills. Where the cache
// or qemu is missing the tests skip and say so, unless DROPWATCH_REQUIRE_ALL
// is 1: then they fail.
package vmtest

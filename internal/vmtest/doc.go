// Package vmtest boots real kernels in qemu, for tests that need NET_DM or a certain kernel.
//
// A [Guest] is one boot: a kernel, an initial file system with busybox, iproute2, nftables, the C
// dropwatch and some modules, and one command, which is run as root. Booting takes four to six seconds
// without KVM. The result is what the command prints, its exit status, and the files that it leaves in
// /out; the console is separate.
//
// A [Suite] runs the TestGuest functions of all packages, in a few guests for each kernel; all other tests
// run on the host only. To add one, write a function whose name begins with TestGuest; its package needs
// a TestMain that calls [Main]. Package guest has what such tests need. A test must leave the kernel as
// it found it; one that cannot is named TestGuestLast..., and runs after all others. A test must not
// skip in a guest: where a kernel lacks something, it tests that.
//
// Guests are booted only with DROPWATCH_GUESTS=1, which `make test` and `make guest` set. Kernels and
// programs come from a cache that setup.sh fills. Without the cache or qemu the tests skip and say so;
// with DROPWATCH_REQUIRE_ALL=1 they fail.
package vmtest

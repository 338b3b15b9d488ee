package bpf

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/vmtest"
)

// TestKernels runs the TestGuest functions on real kernels.
func TestKernels(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no kernels are booted")
	}
	vmtest.Suite{}.Run(t)
}

// TestGuestAsHere repeats what does not hang on the machine's speed.
func TestGuestAsHere(t *testing.T) {
	t.Run("options", TestEveryOptionLoads)
	t.Run("drops", TestDrops)
	t.Run("one packet", TestOfOnePacket)
	t.Run("receiver", TestReceiver)
	t.Run("sender", TestSender)
	t.Run("namespaces", TestTwoNamespaces)
	t.Run("fragments", TestFragments)
	t.Run("counts", TestCounts)
	t.Run("kinds", TestKindsComeAndGo)
	t.Run("reasons", TestReasonsOfThisKernel)
	t.Run("capabilities", TestCapabilities)
	t.Run("no BTF", TestNoBTF)
	t.Run("files", TestNothingIsLeftOpen)
	t.Run("killed", TestKilledReader)
}

// TestGuestConditions has kernels check programs by other rules.
func TestGuestConditions(t *testing.T) {
	t.Run("compiled", TestCompiled)
	t.Run("replaced", TestReplaced)
	t.Run("largest", TestLargest)
	t.Run("real drops", TestSplitOnRealDrops)
	t.Run("selected", TestSelected)
	t.Run("undecided", TestUndecided)
}

// TestGuestLockdown is the last: a kernel is locked down until it ends.
func TestGuestLockdown(t *testing.T) {
	const dir = "/sys/kernel/security"
	if err := unix.Mount("", dir, "securityfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		level string
		is    error
	}{{"integrity", nil}, {"confidentiality", ErrLockdown}} {
		if err := os.WriteFile(dir+"/lockdown", []byte(tt.level), 0); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, tt.is) {
			t.Errorf("%s: %v, want %v", tt.level, err, tt.is)
		}
	}
}

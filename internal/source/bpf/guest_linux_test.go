package bpf

import (
	"testing"

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
	t.Run("counts", TestCounts)
	t.Run("reasons", TestReasonsOfThisKernel)
	t.Run("capabilities", TestCapabilities)
	t.Run("files", TestNothingIsLeftOpen)
	t.Run("killed", TestKilledReader)
}

package retrans

import (
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// TestGuestAsHere repeats what does not hang on the machine's speed.
func TestGuestAsHere(t *testing.T) {
	t.Run("forms", TestForms)
	t.Run("segments", TestSegments)
	t.Run("types", TestTypes)
	t.Run("resets", TestResets)
	t.Run("full ring", TestFullRing)
	if guest.AtLeast(5, 15) { // Debian's 5.10 has no MPTCP
		t.Run("MPTCP", TestMPTCP)
		t.Run("traced MPTCP", TestTraceMPTCP)
	}
	t.Run("traced segments", TestTraceSegments)
	t.Run("traced types", TestTraceTypes)
	t.Run("traced resets", TestTraceResets)
	t.Run("traced full ring", TestTraceFullRing)
}

package retrans

import "testing"

// TestGuestAsHere repeats what does not hang on the machine's speed.
func TestGuestAsHere(t *testing.T) {
	t.Run("segments", TestSegments)
	t.Run("types", TestTypes)
	t.Run("resets", TestResets)
	t.Run("full ring", TestFullRing)
	t.Run("MPTCP", TestMPTCP)
	t.Run("traced MPTCP", TestTraceMPTCP)
	t.Run("traced segments", TestTraceSegments)
	t.Run("traced types", TestTraceTypes)
	t.Run("traced resets", TestTraceResets)
	t.Run("traced full ring", TestTraceFullRing)
}

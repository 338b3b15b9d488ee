package bpf

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/vmtest/guest"
)

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
	t.Run("memlock", TestMemlockFirst)
	t.Run("files", TestNothingIsLeftOpen)
	t.Run("killed", TestKilledReader)
}

// TestGuestDetails drops packets that other tracepoints know more of.
func TestGuestDetails(t *testing.T) {
	t.Run("full buffers", TestFullBuffer)
	t.Run("buffers, selected", TestSelectedByArgs)
	t.Run("qdisc", TestQdisc)
	t.Run("qdisc, selected", TestSelectedByFamily)
	t.Run("XDP", TestXDP)
	t.Run("XDP, with a condition", TestXDPCondition)
	t.Run("XDP, selected", TestXDPFamily)
	t.Run("other tracepoints", TestOthersLoad)
}

// TestGuestQueues drops packets that are, or were, in queues.
func TestGuestQueues(t *testing.T) {
	t.Run("segments of UDP", TestSegmentsOfUDP)
	t.Run("segments of TCP", TestSegmentsOfTCP)
	t.Run("interface of TCP", TestInterfaceOfTCP)
	t.Run("unread datagrams", TestUnreadDatagrams)
	t.Run("tag", TestTag)
	t.Run("to the device", TestToDevice)
	t.Run("without a MAC header", TestWithoutMACHeader)
	t.Run("hook", TestHook)
	t.Run("sockets without a cookie", TestSocketsWithoutCookie)
	t.Run("routes", TestRouteExplains)
}

// TestGuestWildDevice frees datagrams whose skb->dev is no address. Where a kernel
// has no exception table for a program that calls another, a load from there is a
// panic, for one in several programs: which depends on where they are in memory.
func TestGuestWildDevice(t *testing.T) {
	programs := 8
	if guest.AtLeast(6, 4) { // which has one
		programs = 1
	}
	for range programs - 1 { // all of them run for each packet
		need(t, Options{})
	}
	TestUnreadDatagrams(t)
}

// TestGuestHarmless frees packets of which none is lost.
func TestGuestHarmless(t *testing.T) {
	t.Run("orderly close", TestOrderlyClose)
	t.Run("unread data", TestUnreadDataIsLost)
	t.Run("unread errors", TestUnreadErrors)
	t.Run("own broadcast", TestOwnBroadcast)
	t.Run("unread capture", TestUnreadCapture)
	t.Run("fragments of what arrives", TestFragmentsOfWhatArrives)
}

// TestGuestConditions has kernels check programs by other rules.
func TestGuestConditions(t *testing.T) {
	t.Run("compiled", TestCompiled)
	t.Run("replaced", TestReplaced)
	t.Run("largest", TestLargest)
	t.Run("real drops", TestSplitOnRealDrops)
	t.Run("selected", TestSelected)
	t.Run("undecided", TestUndecided)
	t.Run("more keys than room", TestMoreKeysThanRoom)
}

// TestGuestLastLockdown: a kernel is locked down until it ends.
func TestGuestLastLockdown(t *testing.T) {
	const dir = "/sys/kernel/security"
	if err := unix.Mount("", dir, "securityfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		level string
		is    error
	}{{"integrity", nil}, {"confidentiality", bpfprog.ErrLockdown}} {
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

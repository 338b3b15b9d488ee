package line_test

import (
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/line"
)

// TestExplain: cause and fix once for each kind of drop, by what the drops show.
func TestExplain(t *testing.T) {
	const (
		row   = "03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  "
		flow  = "     lo    127.0.0.1:40449 > 127.0.0.2:9 udp len 50\n"
		cause = "    cause: No UDP socket accepts this address and port: nothing listens there, or only on another address, " +
			"interface, IP version or network namespace.\n" +
			"    fix:   Start the service, or correct the sender. Port scans and late packets are harmless.\n"
		general = "    cause: No socket accepts this address and port: nothing listens there, or the connection is already closed.\n" +
			"    fix:   Start the service, or correct the sender. Port scans and late packets are harmless.\n"
	)
	bare := with(func(e *event.Event) { e.Packet = event.Packet{} })
	strange := with(func(e *event.Event) { e.Reason = "STRANGE" })
	want := row + "NO_SOCKET " + flow + cause + row + "NO_SOCKET " + flow + row + "STRANGE   " + flow +
		row + "NO_SOCKET      lo\n" + general + row + "NO_SOCKET      lo\n"
	if got := format(t, line.Options{Explain: true}, udp(), udp(), strange, bare, bare); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	narrow := format(t, line.Options{Explain: true, Width: 60}, udp())
	const broken = "\n    cause: No UDP socket accepts this address and port:\n           nothing listens there,"
	if !strings.Contains(narrow, broken) {
		t.Errorf("%q is missing in\n%s", broken, narrow)
	}
}

package netlink_test

import (
	"bytes"
	"testing"

	"dropwatch/netlink"
)

// TestTruncatePayload compares with what the kernel would have sent.
func TestTruncatePayload(t *testing.T) {
	payload := []byte("0123456789abcdefghijk")
	alert := func(n int, after attrs) []byte {
		b := attrs(nil).u64(attrPC, 0x81).u16(attrProto, 0x800).bytes(attrPayload, payload[:n])
		return message(cmdPacketAlert, append(b, after...))
	}
	more := attrs(nil).u32(attrOrigLen, 1500).str(attrReason, "NO_SOCKET")
	for _, after := range []attrs{nil, more} {
		for n := range len(payload) + 2 {
			want := alert(min(n, len(payload)), after)
			if got := netlink.TruncatePayload(alert(len(payload), after), n); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %d after them:\n%x, want\n%x", n, len(after), got, want)
			}
		}
	}
}

func TestTruncatePayloadOfOthers(t *testing.T) {
	for name, msg := range map[string][]byte{
		"nothing":       nil,
		"no payload":    message(cmdPacketAlert, attrs(nil).u64(attrPC, 1)),
		"a summary":     message(cmdAlert, attrs(nil).bytes(attrPayload, make([]byte, 30))),
		"a bad size":    message(cmdPacketAlert, attrs{1, 0, attrPayload, 0}),
		"cut short":     message(cmdPacketAlert, attrs(nil).bytes(attrPayload, make([]byte, 30)))[:40],
		"cut headers":   message(cmdPacketAlert, nil)[:18],
		"a short alert": message(cmdPacketAlert, attrs(nil).bytes(attrPayload, []byte{1, 2})),
	} {
		want := bytes.Clone(msg)
		if got := netlink.TruncatePayload(msg, 2); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
}

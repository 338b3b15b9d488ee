package netlink_test

import (
	"encoding/hex"
	"testing"

	"dropwatch/netlink"
)

// captured says what is in each fixture: datagrams to a closed port.
func captured(t *testing.T) map[string]netlink.Alert {
	const ethernet, udp = "000000000000000000000000" + "0800", "7f0000017f000001" + "9c400009001efe31"
	want := netlink.Alert{
		Packet: true, Reason: "NO_SOCKET", Port: netlink.Port{IfIndex: 1}, Proto: 0x0800, OrigLen: 64,
	}
	v61, truncated, v612 := want, want, want

	v61.PC, v61.Symbol = 0xffffffff87a84b72, "__udp4_lib_rcv+0x9a2/0xc30"
	v61.Timestamp = 0x18e9f1b8daab280e
	v61.Payload = append(unhex(t, ethernet+"45000032d8ac40004011640c"+udp), "dropwatch test payload"...)

	truncated.PC, truncated.Symbol = v61.PC, v61.Symbol
	truncated.Timestamp = 0x18e9f1bbf4f70d7e
	truncated.Payload = unhex(t, ethernet+"45000032e180400040115b38"+udp)[:40]

	v612.PC, v612.Symbol = 0xffffffffae8ff275, "__udp4_lib_rcv+0x235/0xd90"
	v612.Timestamp = 0x18e9f1b8e94776ea
	v612.Payload = append(unhex(t, ethernet+"45000032c206400040117ab2"+udp), "dropwatch test payload"...)

	return map[string]netlink.Alert{
		"6.1-packet.hex":           v61,
		"6.1-packet-truncated.hex": truncated,
		"6.12-packet.hex":          v612,
		"5.10-summary.hex":         {Points: []netlink.Point{{PC: 0xffffffffb93a6092, Count: 200}}},
		"7.2-summary.hex":          {Points: []netlink.Point{{PC: 0xffffffffbc08f872, Count: 200}}},
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

package pcapng_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/pcapng"
)

// TestLink writes packets of every link type to files that have only one.
func TestLink(t *testing.T) {
	const (
		zeros  = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00"
		madeUp = ", with an Ethernet header made up of zeros"
		notIP  = ", without its bytes, which are not IP"
	)
	arp := udp("eth0")
	arp.Packet.Data = []byte(ethernet[:12] + "\x08\x06" + datagram)
	tagged := udp("eth0")
	tagged.Packet.Data = []byte(ethernet[:12] + "\x81\x00\x00\x07" + ethernet[12:] + datagram)
	six := raw()
	six.Packet.Data = []byte("\x60" + datagram[1:])
	six.Packet.Proto, six.Packet.HasProto = 0, false
	events := []event.Event{udp("eth0"), raw(), traceOnly(), arp, tagged, six}
	type packet struct {
		data string
		size uint32
		note string
	}
	for link, want := range map[pcapng.Link][]packet{
		pcapng.AsReported: {
			{ethernet + datagram, 60, ""}, {datagram, 29, ""}, {"", 0, ""}, {string(arp.Packet.Data), 60, ""},
			{string(tagged.Packet.Data), 60, ""}, {string(six.Packet.Data), 29, ""},
		},
		pcapng.OnlyEthernet: {
			{ethernet + datagram, 60, ""}, {zeros + datagram, 43, madeUp}, {"", 0, ""}, {string(arp.Packet.Data), 60, ""},
			{string(tagged.Packet.Data), 60, ""}, {zeros[:12] + "\x86\xdd" + string(six.Packet.Data), 43, madeUp},
		},
		pcapng.OnlyRaw: {
			{datagram, 46, ""}, {datagram, 29, ""}, {"", 0, ""}, {"", 60, notIP}, {datagram, 42, ""}, {string(six.Packet.Data), 29, ""},
		},
	} {
		_, blocks := write(t, pcapng.Options{Link: link}, events...)
		types, n := map[uint16]bool{}, 0
		for _, b := range blocks {
			switch b.Type {
			case 1:
				types[binary.LittleEndian.Uint16(b.Fields)] = true
			case 6:
				p := want[n]
				comment := b.Options[0].Value
				if string(b.Data) != p.data || binary.LittleEndian.Uint32(b.Fields[16:]) != p.size || !strings.HasSuffix(comment, p.note) ||
					p.note == "" && (strings.Contains(comment, "made up") || strings.Contains(comment, "not IP")) {
					t.Errorf("link %d, packet %d: %q of %d bytes, %q", link, n, b.Data, binary.LittleEndian.Uint32(b.Fields[16:]), comment)
				}
				n++
			}
		}
		if n != len(events) || len(types) != map[bool]int{true: 3, false: 1}[link == pcapng.AsReported] {
			t.Errorf("link %d: %d packets, link types %v", link, n, types)
		}
	}
}

// TestLinkNames: each name is read as what it is.
func TestLinkNames(t *testing.T) {
	for n, name := range pcapng.LinkNames() {
		var l pcapng.Link
		if err := l.Set(name); err != nil || l != pcapng.Link(n) || l.String() != name {
			t.Errorf("%s is %v, %v", name, l, err)
		}
	}
	if err := new(pcapng.Link).Set("token-ring"); err == nil {
		t.Error("token-ring was taken")
	}
}

// TestLinkIsCut: the made up header counts as bytes of the packet.
func TestLinkIsCut(t *testing.T) {
	for snap, want := range map[uint32]int{20: 20, 14: 14, 5: 5, 0: 43} {
		_, blocks := write(t, pcapng.Options{Link: pcapng.OnlyEthernet, SnapLen: snap}, raw())
		if got := len(blocks[2].Data); got != want {
			t.Errorf("%d bytes of %d", got, snap)
		}
	}
}

// TestOneLinkForTshark: a reader takes the file for one of Ethernet.
func TestOneLinkForTshark(t *testing.T) {
	file, _ := write(t, pcapng.Options{Link: pcapng.OnlyEthernet}, udp("eth0"), raw(), traceOnly())
	out, errs, err := wireshark(t, "tshark", file, "-T", "fields", "-E", "separator=|", "-e", "frame.encap_type", "-e", "ip.src",
		"-e", "udp.dstport", "-r")
	if want := "1|192.0.2.1|9\n1|192.0.2.1|9\n1||\n"; err != nil || out != want {
		t.Errorf("got %q, %q, %v, want %q", out, errs, err, want)
	}
}

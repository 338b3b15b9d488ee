package pcap_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A step is a segment of a scripted connection. Numbers count from the SYN of their sender.
type step struct {
	at       int // milliseconds
	from     byte
	flags    byte
	seq, ack uint32
	size     int
	window   uint16
	options  string
}

// Flags of TCP.
const (
	fin = 0x01
	syn = 0x02
	psh = 0x08
)

// scale is the option of a SYN, with a shift of 0.
const scale = "\x03\x03\x00\x01"

// script has a segment of each type, in a connection with a round-trip time of 10 ms.
var script = []step{
	{0, 'c', syn, 0, 0, 0, 1000, scale},
	{1000, 'c', syn, 0, 0, 0, 1000, scale}, // sent again
	{1005, 's', syn | ack, 0, 1, 0, 1000, scale},
	{1010, 'c', ack, 1, 1, 0, 1000, ""},
	{1020, 'c', psh | ack, 1, 1, 100, 1000, ""},
	{1030, 's', ack, 1, 101, 0, 1000, ""},
	{1400, 'c', ack, 101, 1, 100, 1000, ""},
	{1700, 'c', ack, 101, 1, 100, 1000, ""}, // sent again
	{1710, 's', ack, 1, 201, 0, 1000, ""},
	{1720, 'c', ack, 101, 1, 100, 1000, ""}, // again, though it had arrived
	{1730, 's', ack, 1, 201, 0, 1000, ""},   // a duplicate
	{2000, 'c', ack, 301, 1, 100, 1000, ""}, // a segment is missing
	{2004, 'c', ack, 201, 1, 100, 1000, ""}, // and comes late
	{2010, 's', ack, 1, 401, 0, 1000, ""},
	{2100, 'c', ack, 501, 1, 100, 1000, ""}, // another is missing
	{2101, 's', ack, 1, 401, 0, 1000, ""},
	{2102, 'c', ack, 601, 1, 100, 1000, ""},
	{2103, 's', ack, 1, 401, 0, 1000, ""},
	{2104, 's', ack, 1, 401, 0, 1000, ""},
	{2110, 'c', ack, 401, 1, 100, 1000, ""}, // and is sent again at once
	{2120, 's', ack, 1, 701, 0, 1000, ""},
	{2200, 's', ack, 1, 701, 500, 1000, ""},
	{2201, 's', ack, 501, 701, 500, 1000, ""}, // the window is full
	{2210, 'c', ack, 701, 1001, 0, 0, ""},     // and closed
	{2500, 's', ack, 1001, 701, 1, 1000, ""},  // a probe
	{2510, 'c', ack, 701, 1001, 0, 0, ""},
	{2600, 'c', ack, 701, 1001, 0, 1000, ""},
	{2610, 's', ack, 1001, 701, 50, 1000, ""},
	{2620, 'c', ack, 701, 1051, 0, 1000, ""},
	{9000, 'c', ack, 700, 1051, 0, 1000, ""}, // a keep-alive
	{9010, 's', ack, 1051, 701, 0, 1000, ""},
	{9020, 'c', fin | ack, 701, 1051, 0, 1000, ""},
	{9400, 'c', fin | ack, 701, 1051, 0, 1000, ""}, // sent again
	{9410, 's', fin | ack, 1051, 702, 0, 1000, ""},
	{9420, 'c', ack, 702, 1052, 0, 1000, ""},
	{20000, 'c', syn, 100000, 0, 0, 1000, scale}, // the same ports
	{20010, 's', rst | ack, 100000, 100001, 0, 0, ""},
}

// packet returns the IP packet of a step. The numbers of the client begin at base, and those of the server
// half a circle later.
func (s step) packet(version int, port uint16, base uint32) []byte {
	be := binary.BigEndian
	client, server, ends := base, base+1<<31, []byte{1, 2}
	ports, seq, ackNumber := be.AppendUint16(be.AppendUint16(nil, port), 443), client+s.seq, server+s.ack
	if s.from == 's' {
		ports, seq, ackNumber, ends = be.AppendUint16(be.AppendUint16(nil, 443), port), server+s.seq, client+s.ack, []byte{2, 1}
	}
	if s.flags&ack == 0 {
		ackNumber = 0
	}
	tcp := be.AppendUint32(be.AppendUint32(ports, seq), ackNumber)
	tcp = be.AppendUint16(append(tcp, byte(5+len(s.options)/4)<<4, s.flags), s.window)
	tcp = append(append(append(tcp, 0, 0, 0, 0), s.options...), make([]byte, s.size)...)
	return append(header(version, 6, len(tcp), ends), tcp...)
}

// header returns an IP header between two hosts.
func header(version int, protocol byte, size int, ends []byte) []byte {
	be := binary.BigEndian
	if version == 4 {
		b := be.AppendUint16([]byte{0x45, 0}, uint16(20+size))
		return append(b, 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, ends[0], 192, 0, 2, ends[1])
	}
	b := append(be.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(size)), protocol, 64)
	for _, end := range ends {
		b = append(b, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end)
	}
	return b
}

// A framing puts what is in front of an IP packet.
type framing struct {
	link  uint32
	frame func(ip []byte, ethertype string) []byte
}

// pppOf are the protocol numbers that PPP has for ethertypes.
var pppOf = map[string]string{"\x08\x00": "\x00\x21", "\x86\xdd": "\x00\x57"}

// framings are the link types and tunnels that are decoded.
func framings() map[string]framing {
	macs := "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
	with := func(link uint32, before, after string) framing {
		return framing{link, func(ip []byte, ethertype string) []byte {
			return slices.Concat([]byte(before), []byte(ethertype), []byte(after), ip)
		}}
	}
	fixed := func(link uint32, v4, v6 string) framing {
		return framing{link, func(ip []byte, ethertype string) []byte {
			if ethertype == "\x86\xdd" {
				return append([]byte(v6), ip...)
			}
			return append([]byte(v4), ip...)
		}}
	}
	udp := func(port uint16, inside func(ip []byte, ethertype string) []byte) framing {
		return framing{101, func(ip []byte, ethertype string) []byte {
			payload := inside(ip, ethertype)
			be := binary.BigEndian
			b := be.AppendUint16(be.AppendUint16([]byte{0x9c, 0x40}, port), uint16(8+len(payload)))
			return slices.Concat(header(4, 17, len(payload)+8, []byte{7, 8}), b, []byte{0, 0}, payload)
		}}
	}
	vni := "\x00\x00\x2a\x00"
	return map[string]framing{
		"ethernet": with(1, macs, ""),
		"vlan":     with(1, macs+"\x81\x00\x00\x0a", ""),
		"qinq":     with(1, macs+"\x88\xa8\x00\x64\x81\x00\x00\x0a", ""),
		"mpls":     fixed(1, macs+"\x88\x47\x00\x06\x40\x40\x00\x0c\x81\x40", macs+"\x88\x47\x00\x06\x40\x40\x00\x0c\x81\x40"),
		"pppoe": {1, func(ip []byte, ethertype string) []byte {
			size := binary.BigEndian.AppendUint16(nil, uint16(2+len(ip)))
			return slices.Concat([]byte(macs+"\x88\x64\x11\x00\x00\x01"), size, []byte(pppOf[ethertype]), ip)
		}},
		"raw":      fixed(101, "", ""),
		"null":     fixed(0, "\x02\x00\x00\x00", "\x1e\x00\x00\x00"),
		"loop":     fixed(108, "\x00\x00\x00\x02", "\x00\x00\x00\x1e"),
		"sll":      with(113, "\x00\x00\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00", ""),
		"sll2":     with(276, "", "\x00\x00\x00\x00\x00\x03\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00"),
		"ppp":      fixed(9, "\xff\x03\x00\x21", "\xff\x03\x00\x57"),
		"802.11":   with(105, "\x08\x01"+string(make([]byte, 22))+"\xaa\xaa\x03\x00\x00\x00", ""),
		"radiotap": with(127, "\x00\x00\x08\x00\x00\x00\x00\x00\x08\x01"+string(make([]byte, 22))+"\xaa\xaa\x03\x00\x00\x00", ""),
		"gre": {101, func(ip []byte, ethertype string) []byte {
			return slices.Concat(header(4, 47, 4+len(ip), []byte{7, 8}), []byte("\x00\x00"+ethertype), ip)
		}},
		"vxlan": udp(4789, func(ip []byte, ethertype string) []byte {
			return slices.Concat([]byte("\x08\x00\x00\x00"+vni+macs+ethertype), ip)
		}),
		"geneve": udp(6081, func(ip []byte, ethertype string) []byte {
			return slices.Concat([]byte("\x00\x00"+ethertype+vni), ip)
		}),
	}
}

// ethertypes are those of IP.
var ethertypes = map[int]string{4: "\x08\x00", 6: "\x86\xdd"}

// A variant is the script behind some headers, of a client port of its own.
type variant struct {
	framing
	name    string
	version int
	cut     bool // only the headers are captured
	base    uint32
}

// scripted writes a pcapng file with an interface for each variant.
func scripted(t *testing.T, all []variant) string {
	t.Helper()
	const block, device, packet = 0x0a0d0d0a, 1, 6
	var file []byte
	add := func(kind uint32, body ...[]byte) {
		le := binary.LittleEndian
		content := slices.Concat(body...)
		content = append(content, "\x00\x00\x00"[:-len(content)&3]...)
		size := uint32(12 + len(content))
		file = le.AppendUint32(append(le.AppendUint32(le.AppendUint32(file, kind), size), content...), size)
	}
	add(block, numbers(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff))
	for _, v := range all {
		add(device, numbers(v.link, 0))
	}
	for i, v := range all {
		for _, s := range script {
			b := v.frame(s.packet(v.version, uint16(49152+i), v.base), ethertypes[v.version])
			captured := len(b)
			if v.cut {
				captured -= s.size
			}
			stamp := uint64(at.Add(time.Duration(s.at) * time.Millisecond).UnixMicro())
			add(packet, numbers(uint32(i), uint32(stamp>>32), uint32(stamp), uint32(captured), uint32(len(b))), b[:captured])
		}
	}
	name := filepath.Join(t.TempDir(), "script.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func numbers(all ...uint32) (b []byte) {
	for _, n := range all {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// of returns what is said of the packets of a variant, counted from 1.
func (j judgement) of(i int) judgement {
	part := make(judgement)
	for frame := range uint64(len(script)) {
		if said := j[uint64(i*len(script))+frame+1]; said != nil {
			part[frame+1] = said
		}
	}
	return part
}

// compareVariants compares what tshark and we say of each variant, in which each type must be.
func compareVariants(t *testing.T, all []variant) {
	t.Helper()
	file := scripted(t, all)
	theirs, ours := tsharkSays(t, file), weSay(t, file)
	for i, v := range all {
		t.Run(v.name, func(t *testing.T) {
			compare(t, theirs.of(i), ours.of(i))
			hasAllTypes(t, ours.of(i))
		})
	}
}

// TestLinksAgainstTshark compares what both say of the script behind each link header and in each tunnel, of
// IPv4 and IPv6, whole and cut.
func TestLinksAgainstTshark(t *testing.T) {
	var all []variant
	for name, f := range framings() {
		for version := range ethertypes {
			for _, cut := range []bool{false, true} {
				all = append(all, variant{f, fmt.Sprintf("IPv%d in %s, cut %t", version, name, cut), version, cut, 0xfffffe00})
			}
		}
	}
	compareVariants(t, all)
}

// TestWrapsAgainstTshark has the numbers of the client, and then those of the server, wrap at each place of the
// script.
func TestWrapsAgainstTshark(t *testing.T) {
	var all []variant
	for n := uint32(0); n < 1200; n += 25 {
		for _, base := range []uint32{-n, 1<<31 - n} {
			all = append(all, variant{framings()["raw"], fmt.Sprintf("from %#x", base), 4, false, base})
		}
	}
	compareVariants(t, all)
}

// hasAllTypes fails if a type was found nowhere.
func hasAllTypes(t *testing.T, ours judgement) {
	t.Helper()
	found := make(map[string]bool)
	for _, said := range ours {
		for _, s := range said {
			found[s] = true
		}
	}
	for _, a := range analysis {
		if !found[a.name] {
			t.Errorf("no %s: %v", a.name, slices.Sorted(maps.Keys(found)))
		}
	}
}

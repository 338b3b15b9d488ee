package packet_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/vmtest"
)

// A column is a field of tshark, and the field of a Flow that must be the same. It has a
// value for each header of its kind, the outermost first.
type column struct {
	name  string
	layer event.Layer  // the network or the transport; NoLayer for any
	field event.Fields // that we must have
	get   func(*event.Headers) any
}

// columns are the fields that a packet may have once for each of its headers.
var columns = []column{
	{"eth.dst", 0, event.FieldEthDst, func(h *event.Headers) any { return h.EthDst }},
	{"eth.src", 0, event.FieldEthSrc, func(h *event.Headers) any { return h.EthSrc }},
	{"arp.opcode", event.ARP, event.FieldARPOp, func(h *event.Headers) any { return h.ARPOp }},
	{"arp.src.hw_mac", event.ARP, event.FieldARPSrc, func(h *event.Headers) any { return h.ARPSrc }},
	{"arp.dst.hw_mac", event.ARP, event.FieldARPDst, func(h *event.Headers) any { return h.ARPDst }},
	{"arp.src.proto_ipv4", event.ARP, event.FieldSrc, func(h *event.Headers) any { return h.Src }},
	{"arp.dst.proto_ipv4", event.ARP, event.FieldDst, func(h *event.Headers) any { return h.Dst }},

	{"ip.src", event.IPv4, event.FieldSrc, func(h *event.Headers) any { return h.Src }},
	{"ip.dst", event.IPv4, event.FieldDst, func(h *event.Headers) any { return h.Dst }},
	{"ip.ttl", event.IPv4, event.FieldTTL, func(h *event.Headers) any { return h.TTL }},
	{"ip.dsfield.dscp", event.IPv4, event.FieldTOS, func(h *event.Headers) any { return h.DSCP }},
	{"ip.dsfield.ecn", event.IPv4, event.FieldTOS, func(h *event.Headers) any { return h.ECN }},
	{"ip.len", event.IPv4, event.FieldTotalLen, func(h *event.Headers) any { return h.TotalLen }},
	{"ip.id", event.IPv4, event.FieldFragmentID, func(h *event.Headers) any { return h.FragmentID }},
	{"ip.flags.df", event.IPv4, event.FieldFragment, func(h *event.Headers) any { return bit(h.DontFragment) }},
	{"ip.flags.mf", event.IPv4, event.FieldFragment, func(h *event.Headers) any { return bit(h.MoreFragments) }},
	{"ip.frag_offset", event.IPv4, event.FieldFragment, func(h *event.Headers) any { return h.FragmentOffset / 8 }},
	{"ip.proto", event.IPv4, event.FieldProtocol, protocol4},

	{"ipv6.src", event.IPv6, event.FieldSrc, func(h *event.Headers) any { return h.Src }},
	{"ipv6.dst", event.IPv6, event.FieldDst, func(h *event.Headers) any { return h.Dst }},
	{"ipv6.hlim", event.IPv6, event.FieldTTL, func(h *event.Headers) any { return h.TTL }},
	{"ipv6.tclass.dscp", event.IPv6, event.FieldTOS, func(h *event.Headers) any { return h.DSCP }},
	{"ipv6.tclass.ecn", event.IPv6, event.FieldTOS, func(h *event.Headers) any { return h.ECN }},
	{"ipv6.flow", event.IPv6, event.FieldFlowLabel, func(h *event.Headers) any { return h.FlowLabel }},
	{"ipv6.plen", event.IPv6, event.FieldTotalLen, func(h *event.Headers) any { return max(h.TotalLen, 40) - 40 }},
	{"ipv6.fraghdr.offset", event.IPv6, event.FieldFragment, func(h *event.Headers) any { return h.FragmentOffset / 8 }},
	{"ipv6.fraghdr.more", event.IPv6, event.FieldFragment, func(h *event.Headers) any { return bit(h.MoreFragments) }},
	{"ipv6.fraghdr.ident", event.IPv6, event.FieldFragmentID, func(h *event.Headers) any { return h.FragmentID }},

	{"tcp.srcport", event.TCP, event.FieldSrcPort, func(h *event.Headers) any { return h.SrcPort }},
	{"tcp.dstport", event.TCP, event.FieldDstPort, func(h *event.Headers) any { return h.DstPort }},
	{"tcp.seq_raw", event.TCP, event.FieldSeq | event.FieldAck, func(h *event.Headers) any { return h.Seq }},
	{"tcp.ack_raw", event.TCP, event.FieldAck, func(h *event.Headers) any { return h.Ack }},
	{"tcp.flags", event.TCP, event.FieldTCPFlags, func(h *event.Headers) any { return uint16(h.TCPFlags) }},
	{"tcp.window_size_value", event.TCP, event.FieldWindow, func(h *event.Headers) any { return h.Window }},
	{"tcp.len", event.TCP, event.FieldTCPLen, func(h *event.Headers) any { return h.TCPLen }},
	{"tcp.options.timestamp.tsval", event.TCP, event.FieldTSVal, func(h *event.Headers) any { return h.TSVal }},
	{"tcp.options.wscale.shift", event.TCP, event.FieldWindowScale, func(h *event.Headers) any { return h.WindowScale }},
	{"udp.srcport", event.UDP, event.FieldSrcPort, func(h *event.Headers) any { return h.SrcPort }},
	{"udp.dstport", event.UDP, event.FieldDstPort, func(h *event.Headers) any { return h.DstPort }},
	{"udp.length", event.UDP, event.FieldUDPLen, func(h *event.Headers) any { return h.UDPLen }},
	{"sctp.srcport", event.SCTP, event.FieldSrcPort, func(h *event.Headers) any { return h.SrcPort }},
	{"sctp.dstport", event.SCTP, event.FieldDstPort, func(h *event.Headers) any { return h.DstPort }},
	{"sctp.verification_tag", event.SCTP, event.FieldSCTPTag, func(h *event.Headers) any { return h.SCTPTag }},
	{"sctp.chunk_type", event.SCTP, event.FieldSCTPChunk, func(h *event.Headers) any { return h.SCTPChunk }},

	{"icmp.type", event.ICMP, event.FieldICMPType, func(h *event.Headers) any { return h.ICMPType }},
	{"icmp.code", event.ICMP, event.FieldICMPCode, func(h *event.Headers) any { return h.ICMPCode }},
	{"icmp.seq", event.ICMP, event.FieldICMPSeq, func(h *event.Headers) any { return h.ICMPSeq }},
	{"icmp.mtu", event.ICMP, event.FieldMTU, func(h *event.Headers) any { return h.MTU }},
	{"icmpv6.type", event.ICMPv6, event.FieldICMPType, func(h *event.Headers) any { return h.ICMPType }},
	{"icmpv6.code", event.ICMPv6, event.FieldICMPCode, func(h *event.Headers) any { return h.ICMPCode }},
	{"icmpv6.mtu", event.ICMPv6, event.FieldMTU, func(h *event.Headers) any { return h.MTU }},
	{"icmpv6.echo.identifier", event.ICMPv6, event.FieldICMPID, func(h *event.Headers) any { return h.ICMPID }},
	{"icmpv6.echo.sequence_number", event.ICMPv6, event.FieldICMPSeq, func(h *event.Headers) any { return h.ICMPSeq }},
}

// once are the fields of tshark's that are not a header's, or of several kinds
// of header.
var once = []struct {
	name string
	get  func(*event.Flow) string
}{
	{"vxlan.vni", func(f *event.Flow) string { return tunnel(f, event.VXLAN) }},
	{"geneve.vni", func(f *event.Flow) string { return tunnel(f, event.Geneve) }},
	{"gre.key", func(f *event.Flow) string { return tunnel(f, event.GRE) }},
	{"esp.spi", func(f *event.Flow) string { return spi(f, true) }},
	{"ah.spi", func(f *event.Flow) string { return spi(f, false) }},
	{"vlan.id", func(f *event.Flow) string { return tags(f, false) }},
	{"ieee8021ad.id", func(f *event.Flow) string { return tags(f, true) }},
}

func tunnel(f *event.Flow, kind event.Layer) string {
	if f.Tunnel.Kind != kind || !f.Tunnel.HasID {
		return ""
	}
	return fmt.Sprint(f.Tunnel.ID)
}

// spi is that of ESP or of AH, of which a packet has one.
func spi(f *event.Flow, esp bool) string {
	if !f.Has(event.FieldSPI) || esp != (f.Transport == event.ESP) {
		return ""
	}
	return fmt.Sprint(f.SPI)
}

// tags are the identifiers of the tags of IEEE 802.1ad, or of the others.
func tags(f *event.Flow, ad bool) string {
	var ids []string
	for _, h := range headers(f) {
		for i, v := range h.VLAN {
			if h.Has(event.FieldVLAN<<i) && ad == (v.TPID == tQinQ) {
				ids = append(ids, fmt.Sprint(v.ID))
			}
		}
	}
	return strings.Join(ids, ",")
}

// protocol4 is what the IPv4 header itself says; Headers.Protocol is behind AH.
func protocol4(h *event.Headers) any {
	if h.Extensions > 0 {
		return 51
	}
	return h.Protocol
}

// plain returns values of tshark's in decimal: in which base it prints a number,
// and how a flag, is different from version to version.
func plain(values string) string {
	all := strings.Split(values, ",")
	for i, v := range all {
		switch n, err := strconv.ParseUint(v, 0, 64); {
		case err == nil:
			all[i] = strconv.FormatUint(n, 10)
		case v == "True":
			all[i] = "1"
		case v == "False":
			all[i] = "0"
		}
	}
	return strings.Join(all, ",")
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// format returns a field as tshark prints it.
func (c *column) format(f *event.Flow) string {
	var all []string
	for _, h := range headers(f) {
		if h.Has(c.field) && (c.layer == event.NoLayer || c.layer == h.Network || c.layer == h.Transport) {
			all = append(all, fmt.Sprint(c.get(h)))
		}
	}
	return strings.Join(all, ",")
}

// capture writes a pcap file of packets of one link type, each of which had so
// many more bytes on the wire.
func capture(t *testing.T, linkType uint32, samples []sample, more int) string {
	t.Helper()
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 65535), linkType)
	for _, s := range samples {
		b = append(b, make([]byte, 8)...)
		b = le.AppendUint32(le.AppendUint32(b, uint32(len(s.data))), uint32(len(s.data)+more))
		b = append(b, s.data...)
	}
	name := filepath.Join(t.TempDir(), "corpus.pcap")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// notForTshark are packets of which tshark shows more than a Flow has: a second
// tunnel or index, other hardware than Ethernet, a VNI though its flag is not set,
// which Linux drops.
var notForTshark = []string{
	"tunnel in tunnel", "ip in ip in gre", "geneve of another version", "gre with routing", "ah and esp", "arp of infiniband",
	"vxlan without a vni",
}

// linkTypes are those of pcap.
var linkTypes = map[event.LinkType]uint32{event.LinkEthernet: 1, event.LinkRaw: 101}

// TestTsharkAgrees compares every whole packet with tshark's reading of it.
func TestTsharkAgrees(t *testing.T) {
	tshark := lookFor(t)
	for link, linkType := range linkTypes {
		samples := slices.DeleteFunc(corpus(), func(s sample) bool {
			return s.link != link || slices.Contains(notForTshark, s.name)
		})
		compare(t, samples, tshark(capture(t, linkType, samples, 0)), func(got, want string) bool { return got == want })
	}
}

// TestTsharkAgreesOnCutPackets cuts every packet at every byte. What tshark
// still shows is in the Flow too, which has more, as tshark gives up on a header that
// is cut. The exception is a Protocol that is AH, which is not the transport's.
func TestTsharkAgreesOnCutPackets(t *testing.T) {
	tshark := lookFor(t)
	skip := append([]string{"ah"}, notForTshark...)
	for link, linkType := range linkTypes {
		var samples []sample
		for _, s := range corpus() {
			for n := 1; n < len(s.data) && s.link == link && !slices.Contains(skip, s.name); n++ {
				samples = append(samples, sample{fmt.Sprintf("%s, %d bytes", s.name, n), link, s.data[:n]})
			}
		}
		compare(t, samples, tshark(capture(t, linkType, samples, 1000)), beginsWith)
	}
}

// beginsWith says that a list has at least the values of another.
func beginsWith(got, want string) bool {
	return got == want || want == "" || strings.HasPrefix(got, want+",")
}

// lookFor returns a function that has tshark read a file: for each packet a line,
// for each column a value.
func lookFor(t *testing.T) func(file string) [][]string {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	args := []string{
		"-n", "-d", "udp.port==8472,vxlan", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
		"-T", "fields", "-E", "occurrence=a",
	}
	for _, c := range columns {
		args = append(args, "-e", c.name)
	}
	for _, c := range once {
		args = append(args, "-e", c.name)
	}
	return func(file string) (lines [][]string) {
		out, err := exec.CommandContext(t.Context(), tshark, append(args, "-r", file)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			lines = append(lines, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
		return lines
	}
}

// compare compares packets with tshark's lines about them.
func compare(t *testing.T, samples []sample, lines [][]string, agree func(got, want string) bool) {
	t.Helper()
	if len(lines) != len(samples) {
		t.Fatalf("tshark reads %d packets of %d", len(lines), len(samples))
	}
	for i, s := range samples {
		f := decode(s.data, s.link, 0)
		check := func(name, got, want string) {
			if !agree(got, plain(want)) {
				t.Errorf("%s: %s is %q, tshark says %q", s.name, name, got, want)
			}
		}
		for j := range columns {
			check(columns[j].name, columns[j].format(&f), lines[i][j])
		}
		for j, c := range once {
			check(c.name, c.get(&f), lines[i][len(columns)+j])
		}
	}
}

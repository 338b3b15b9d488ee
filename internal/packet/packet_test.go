package packet_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
)

var update = flag.Bool("update", false, "rewrite testdata/flows.txt")

func decode(data []byte, link event.LinkType, proto uint16) (f event.Flow) {
	packet.Decode(data, link, proto, &f)
	return f
}

// TestDecode compares every field of every packet with testdata/flows.txt.
func TestDecode(t *testing.T) {
	var b bytes.Buffer
	for _, s := range slices.Concat(corpus(), malformed()) {
		f := decode(s.data, s.link, 0)
		fmt.Fprintf(&b, "%s\n%s", s.name, show(&f))
	}
	golden := filepath.Join("testdata", "flows.txt")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
}

func TestWholePacketsAreDecodedToTheEnd(t *testing.T) {
	unknown := []string{"an unknown protocol", "unknown ethertype", "ieee 802.3", "arp of infiniband", "tunnel in tunnel",
		"ip in ip in gre", "gre with routing"}
	for _, s := range corpus() {
		want := event.Complete
		if slices.Contains(unknown, s.name) {
			want = event.UnknownProtocol
		}
		if f := decode(s.data, s.link, 0); f.Stop.Why != want {
			t.Errorf("%s: %v at %v, byte %d", s.name, f.Stop.Why, f.Stop.Layer, f.Stop.Offset)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, s := range malformed() {
		if f := decode(s.data, s.link, 0); f.Stop.Why != event.Malformed {
			t.Errorf("%s: %v at %v, byte %d", s.name, f.Stop.Why, f.Stop.Layer, f.Stop.Offset)
		}
	}
}

// TestTruncatedAnywhere cuts every packet at every byte. What is left gives
// fewer fields, none of them different.
func TestTruncatedAnywhere(t *testing.T) {
	for _, s := range slices.Concat(corpus(), malformed()) {
		for n := range s.data {
			if err := cutAt(s.data, n, s.link, 0); err != nil {
				t.Errorf("%s, %d of %d bytes: %v", s.name, n, len(s.data), err)
			}
		}
	}
}

// cutAt compares a packet's first n bytes with the whole. The bytes behind them
// are within reach, and must not be looked at.
func cutAt(data []byte, n int, link event.LinkType, proto uint16) error {
	whole, part := decode(data, link, proto), decode(data[:n], link, proto)
	if alone := decode(slices.Clip(slices.Clone(data[:n])), link, proto); alone != part {
		return fmt.Errorf("%d bytes differ by what is behind them:\n%s%s", n, show(&part), show(&alone))
	}
	if part.Stop.Offset > n {
		return fmt.Errorf("stopped at %d of %d", part.Stop.Offset, n)
	}
	for i, h := range headers(&part) {
		if err := subset(h, headers(&whole)[i]); err != nil {
			return err
		}
	}
	if p, w := part.Tunnel, whole.Tunnel; p.Kind != event.NoLayer && p.Kind != w.Kind || p.HasID && p != w {
		return fmt.Errorf("tunnel %v of %v", p, w)
	}
	return nil
}

func headers(f *event.Flow) [3]*event.Headers {
	return [3]*event.Headers{&f.Headers, &f.Inner, &f.Quoted}
}

// subset says what part has that whole has not, or has otherwise; and what it
// has without saying so.
func subset(part, whole *event.Headers) error {
	if part.Network != event.NoLayer && part.Network != whole.Network ||
		part.Transport != event.NoLayer && part.Transport != whole.Transport {
		return fmt.Errorf("%v/%v of %v/%v", part.Network, part.Transport, whole.Network, whole.Transport)
	}
	var none event.Headers
	for _, f := range fields {
		got, want := f.get(part), f.get(whole)
		switch {
		case !part.Has(f.bit) && got != f.get(&none):
			return fmt.Errorf("%s is %v, and not said to be there", f.name, got)
		case part.Has(f.bit) && (!whole.Has(f.bit) || got != want):
			return fmt.Errorf("%s is %v, of the whole %v", f.name, got, want)
		}
	}
	return nil
}

func TestDecodeForgetsTheLastPacket(t *testing.T) {
	var f event.Flow
	for _, s := range corpus() {
		packet.Decode(s.data, s.link, 0, &f)
		if fresh := decode(s.data, s.link, 0); f != fresh {
			t.Errorf("%s:\n%swant:\n%s", s.name, show(&f), show(&fresh))
		}
	}
	packet.Decode(nil, event.LinkEthernet, 0, &f)
	if want := (event.Flow{Stop: event.Stop{Why: event.Truncated}}); f != want {
		t.Errorf("no bytes:\n%s", show(&f))
	}
}

// TestNoChecksum: a datagram has no checksum if its header says so, not if that was cut off.
func TestNoChecksum(t *testing.T) {
	whole := ip6(17, udp(53, []byte(payload)))
	for _, test := range []struct {
		sum  uint16
		size int
		want bool
	}{{0, len(whole), true}, {7, len(whole), false}, {0x700, len(whole), false}, {0, 47, false}} {
		data := slices.Clone(whole)
		data[46], data[47] = byte(test.sum>>8), byte(test.sum)
		if f := decode(data[:test.size], event.LinkRaw, 0); f.NoChecksum != test.want || f.Transport != event.UDP {
			t.Errorf("checksum %d in %d bytes: none is %t, of %v", test.sum, test.size, f.NoChecksum, f.Transport)
		}
	}
}

// TestWithoutAnEthernetHeader decodes what a tun device does: the kernel takes the
// packet from its MAC header, and there is none.
func TestWithoutAnEthernetHeader(t *testing.T) {
	v4, v6 := ip4(17, udp(53, []byte(payload))), ip6(17, udp(53, []byte(payload)))
	frame4, frame6 := eth(tIPv4, v4), eth(tIPv6, v6)
	frame4[0], frame6[0] = 0x46, 0x60 // as many cards' addresses begin
	tagged := pack(frame4[:12], uint16(tVLAN), vlan(10, tIPv4, v4))
	tests := map[string]struct {
		data  []byte
		link  event.LinkType
		proto uint16
		want  event.Fields // what tells how it was read
		not   event.Fields
		begin event.LinkType // as Decode decided
	}{
		"tun, ipv4":                     {v4, event.LinkEthernet, tIPv4, event.FieldDstPort, event.FieldEthDst, event.LinkRaw},
		"tun, ipv6":                     {v6, event.LinkEthernet, tIPv6, event.FieldDstPort, event.FieldEthDst, event.LinkRaw},
		"an address that begins with 4": {frame4, event.LinkEthernet, tIPv4, event.FieldDstPort | event.FieldEthDst, 0, event.LinkEthernet},
		"an address that begins with 6": {frame6, event.LinkEthernet, tIPv6, event.FieldDstPort | event.FieldEthDst, 0, event.LinkEthernet},
		"such an address and a tag":     {tagged, event.LinkEthernet, tIPv4, event.FieldDstPort | event.FieldVLAN, 0, event.LinkEthernet},
		"too short to tell":             {v4[:14], event.LinkEthernet, tIPv4, 0, event.FieldEthDst | event.FieldTTL, event.LinkEthernet},
		"no hint":                       {v4, event.LinkEthernet, 0, event.FieldEthDst, event.FieldTTL, event.LinkEthernet},
		"raw, no hint":                  {v6, event.LinkRaw, 0, event.FieldDstPort, event.FieldEthDst, event.LinkRaw},
		"raw, of all protocols":         {v4, event.LinkRaw, 3, event.FieldDstPort, event.FieldEthDst, event.LinkRaw},
		"raw, of nothing":               {nil, event.LinkRaw, 0, 0, event.FieldEtherType, event.LinkRaw},
		"raw, no ip":                    {[]byte(payload), event.LinkRaw, 0, 0, event.FieldEtherType, event.LinkRaw},
		"raw arp":                       {arp(1), event.LinkRaw, tARP, event.FieldARPOp, event.FieldEthDst, event.LinkRaw},
	}
	for name, tt := range tests {
		var f event.Flow
		if begin := packet.Decode(tt.data, tt.link, tt.proto, &f); begin != tt.begin {
			t.Errorf("%s: begins with link type %d, want %d", name, begin, tt.begin)
		}
		if !f.Has(tt.want) || f.Fields&tt.not != 0 {
			t.Errorf("%s:\n%s", name, show(&f))
		}
		for n := range tt.data {
			if err := cutAt(tt.data, n, tt.link, tt.proto); err != nil {
				t.Errorf("%s: %d bytes: %v", name, n, err)
			}
		}
	}
}

// TestSourceRoute: a source route is found among other options, also in a packet that is cut there, and not behind the end
// of options or a malformed one.
func TestSourceRoute(t *testing.T) {
	for options, want := range map[string]bool{
		"\x83\x07\x04\x0a\x00\x00\x01\x00": true, "\x01\x01\x01\x89\x03\x04\x00\x00": true,
		"\x44\x04\x05\x00\x83\x03\x04\x00": true,
		"\x00\x00\x00\x83":                 false, "\x44\x04\x05\x00": false, "\x44\x00\x83\x03": false,
		"\x44\x28\x83\x03": false, "\x01\x01\x01\x83": false,
	} {
		for _, cut := range []int{0, 8} { // the bytes of the protocol above
			data := ip4frag(17, 0, options, make([]byte, 8))
			f := decode(data[:len(data)-cut], event.LinkRaw, event.EtherIPv4)
			if !f.Has(event.FieldIPOptions) || f.SourceRoute != want {
				t.Errorf("%x: options %v, source route %v, want %v", options, f.Has(event.FieldIPOptions), f.SourceRoute, want)
			}
		}
	}
	if f := decode(ip4(17, make([]byte, 8)), event.LinkRaw, event.EtherIPv4); f.Has(event.FieldIPOptions) {
		t.Error("a header without options has some")
	}
}

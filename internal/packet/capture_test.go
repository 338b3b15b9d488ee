package packet_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
)

// framed is an IP packet behind the link header of each type.
func framed(version uint8) map[string]struct {
	link packet.CaptureLink
	data []byte
} {
	ip, t, ppp, bsd := ip4(6, tcp(0x018, "")), uint16(tIPv4), uint16(0x0021), uint32(2)
	if version == 6 {
		ip, t, ppp, bsd = ip6(6, tcp(0x018, "")), tIPv6, 0x0057, 30
	}
	snap := pack("\xaa\xaa\x03\x00\x00\x00", t, ip)
	radio := pack("\x00\x00\x0c\x00", make([]byte, 8))
	type frame = struct {
		link packet.CaptureLink
		data []byte
	}
	return map[string]frame{
		"ethernet":              {1, eth(t, ip)},
		"raw":                   {101, ip},
		"raw of bsd":            {12, ip},
		"raw of openbsd":        {14, ip},
		"ip alone":              {packet.CaptureLink(228 + uint32(version/6)), ip},
		"null, little endian":   {0, pack([]byte{byte(bsd), 0, 0, 0}, ip)},
		"null, big endian":      {0, pack(bsd, ip)},
		"loop":                  {108, pack(bsd, ip)},
		"sll":                   {113, pack(uint16(0), uint16(1), uint16(6), macs[:8], t, ip)},
		"sll and vlan":          {113, pack(uint16(0), uint16(1), uint16(6), macs[:8], uint16(tVLAN), vlan(10, t, ip))},
		"sll2":                  {276, pack(t, uint16(0), uint32(3), uint16(1), uint16(6), macs[:8], ip)},
		"ppp":                   {9, pack(ppp, ip)},
		"ppp, compressed":       {9, pack(uint8(ppp), ip)},
		"ppp in hdlc":           {50, pack("\xff\x03", ppp, ip)},
		"802.11":                {105, pack("\x08\x01", make([]byte, 22), snap)},
		"802.11 qos":            {105, pack("\x88\x01", make([]byte, 24), snap)},
		"802.11 qos, ht":        {105, pack("\x88\x81", make([]byte, 28), snap)},
		"802.11 four addresses": {105, pack("\x08\x03", make([]byte, 28), snap)},
		"radiotap":              {127, pack(radio, "\x08\x01", make([]byte, 22), snap)},
	}
}

func TestFramesOfEachLinkType(t *testing.T) {
	for version, network := range map[uint8]event.Layer{4: event.IPv4, 6: event.IPv6} {
		for name, frame := range framed(version) {
			var f event.Flow
			d := packet.NewFrameDecoder(frame.link)
			d.Decode(frame.data, &f)
			if f.Network != network || f.Stop.Why != event.Complete || f.SrcPort != 49152 || f.TCPLen != uint32(len(payload)) {
				t.Errorf("IPv%d in %s:\n%s", version, name, show(&f))
			}
			for n := range frame.data {
				var cut event.Flow
				d.Decode(frame.data[:n:n], &cut)
				if err := subset(&cut.Headers, &f.Headers); err != nil || cut.Stop.Offset > n {
					t.Errorf("IPv%d in %s, %d bytes: %v, %d", version, name, n, err, cut.Stop.Offset)
				}
			}
		}
	}
}

func TestFramesThatAreNotDecoded(t *testing.T) {
	var f event.Flow
	for name, data := range map[string][]byte{
		"encrypted":  pack("\x08\x41", make([]byte, 60)),
		"management": pack("\x80\x00", make([]byte, 60)),
		"no data":    pack("\x48\x01", make([]byte, 60)),
		"no snap":    pack("\x08\x01", make([]byte, 60)),
	} {
		packet.NewFrameDecoder(105).Decode(data, &f)
		if f.Stop.Why != event.UnknownProtocol || f.Network != event.NoLayer {
			t.Errorf("802.11, %s:\n%s", name, show(&f))
		}
	}
	if packet.NewFrameDecoder(147) != nil || packet.CaptureLink(147).Supported() {
		t.Error("a link type of private use has a decoder")
	}
}

// FuzzFrames decodes anything of any link type.
func FuzzFrames(f *testing.F) {
	for _, frame := range framed(4) {
		f.Add(uint32(frame.link), frame.data)
	}
	f.Fuzz(func(t *testing.T, link uint32, data []byte) {
		d := packet.NewFrameDecoder(packet.CaptureLink(link))
		if d == nil {
			return
		}
		var flow event.Flow
		d.Decode(data, &flow)
		if s := flow.Stop; s.Why == event.Undone || s.Offset < 0 || s.Offset > len(data) {
			t.Fatalf("%v at %d of %d", s.Why, s.Offset, len(data))
		}
	})
}

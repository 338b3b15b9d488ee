package decode_test

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/decode"
)

const (
	frame    = "02005e00530202005e0053010800"
	datagram = "45000024000100004011f4c4c0000201c63364029c40003500100000" + "7061796c6f616421"
)

func bytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPackets(t *testing.T) {
	tests := map[string]struct {
		data     string
		given    event.LinkType
		proto    uint16
		origin   event.Origin
		link     event.LinkType
		ethernet bool
	}{
		"ethernet":              {data: frame + datagram, proto: 0x0800, ethernet: true},
		"of a device":           {data: frame + datagram, proto: 0x0800, origin: event.Hardware, ethernet: true},
		"no link header":        {data: datagram, proto: 0x0800, link: event.LinkRaw},
		"replayed, so known":    {data: datagram, given: event.LinkRaw, link: event.LinkRaw},
		"replayed, with a hint": {data: datagram, given: event.LinkRaw, proto: 0x0800, link: event.LinkRaw},
	}
	stage := decode.Packets()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := event.Event{Count: 1, Origin: tt.origin}
			e.Packet = event.Packet{Data: bytes(t, tt.data), HasData: true, Link: tt.given, Proto: tt.proto}
			if !stage(&e) {
				t.Error("rejected")
			}
			f := e.Packet.Flow
			if f == nil {
				t.Fatal("no flow")
			}
			if e.Packet.Link != tt.link || f.Has(event.FieldEthDst) != tt.ethernet {
				t.Errorf("link type %d, ethernet header %t, want %d, %t", e.Packet.Link, f.Has(event.FieldEthDst), tt.link, tt.ethernet)
			}
			if want := netip.MustParseAddr("198.51.100.2"); f.Dst != want || f.DstPort != 53 || f.Transport != event.UDP {
				t.Errorf("to %v, %v port %d, want %v, udp port 53", f.Dst, f.Transport, f.DstPort, want)
			}
		})
	}
}

func TestPacketsForgetsTheLastPacket(t *testing.T) {
	stage := decode.Packets()
	e := event.Event{Packet: event.Packet{Data: bytes(t, frame+datagram), HasData: true}}
	stage(&e)
	e.Packet.Data = nil
	stage(&e)
	if want := (event.Flow{Stop: event.Stop{Why: event.Truncated}}); *e.Packet.Flow != want {
		t.Errorf("flow %+v, want %+v", *e.Packet.Flow, want)
	}
}

func TestPacketsLeavesOthersAlone(t *testing.T) {
	for name, e := range map[string]event.Event{
		"no bytes": {Count: 1, Packet: event.Packet{Proto: 0x0800, HasProto: true}},
		"loss":     {Kind: event.Loss, Count: 1},
	} {
		if !decode.Packets()(&e) || e.Packet.Flow != nil {
			t.Errorf("%s: rejected, or flow %+v", name, e.Packet.Flow)
		}
	}
}

func TestPacketsDoesNotAllocate(t *testing.T) {
	stage := decode.Packets()
	e := event.Event{Packet: event.Packet{Data: bytes(t, frame+datagram), HasData: true, Proto: 0x0800}}
	if n := testing.AllocsPerRun(100, func() { stage(&e) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestTag: a tag that is not in the bytes is the outer one of the flow.
func TestTag(t *testing.T) {
	out, in := event.VLAN{TPID: 0x88a8, ID: 7}, event.VLAN{TPID: 0x8100, ID: 9}
	for data, want := range map[string][2]event.VLAN{
		frame + datagram: {out}, frame[:24] + "81000009" + "0800" + datagram: {out, in},
	} {
		e := event.Event{Packet: event.Packet{Data: bytes(t, data), HasData: true, Tag: out}}
		decode.Packets()(&e)
		f := e.Packet.Flow
		if f.VLAN != want || !f.Has(event.FieldVLAN) || f.Has(event.FieldVLANInner) != (want[1].TPID != 0) {
			t.Errorf("tags %+v, want %+v", f.VLAN, want)
		}
	}
}

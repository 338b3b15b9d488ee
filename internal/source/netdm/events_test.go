package netdm

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/netlink"
)

// emitted returns the events of one message.
func emitted(t *testing.T, msg []byte) *output {
	t.Helper()
	s, w := newSession(t, newKernel())
	out := &output{}
	newRun(s, w).emit(out, msg)
	return out
}

func TestPacketWithEveryAttribute(t *testing.T) {
	payload := []byte{1, 2, 3, 4, 5}
	msg := message(cmdPacketAlert,
		attr(netlink.AttrOrigin, u16(1)...),
		attr(netlink.AttrPC, u64(0xffffffff81000010)...),
		attr(netlink.AttrSymbol, text("icmp_rcv+0x10/0x20")...),
		attr(netlink.AttrReason, text("NO_SOCKET")...),
		attr(netlink.AttrTrapName, text("ttl")...),
		attr(netlink.AttrTrapGroup, text("l3")...),
		attr(netlink.AttrPort, flat(attr(0, u32(7)...), attr(1, text("eth0")...))...),
		attr(netlink.AttrTimestamp, u64(1_795_231_565_328_161_970)...),
		attr(netlink.AttrProto, u16(0x800)...),
		attr(netlink.AttrOrigLen, u32(1500)...),
		attr(netlink.AttrCookie, 0xab, 0xcd),
		attr(netlink.AttrPayload, payload...),
	)
	want := event.Event{
		Count: 1, Individual: true, Origin: event.Hardware, Reason: "NO_SOCKET",
		Time: time.Unix(1_795_231_565, 328_161_970), KernelTime: true,
		Where: event.Where{Frame: event.Frame{PC: 0xffffffff81000010}, HasPC: true, Kernel: "icmp_rcv+0x10/0x20", Trap: "ttl",
			TrapGroup: "l3"},
		Packet: event.Packet{Proto: 0x800, HasProto: true, Data: payload, HasData: true, Len: 1500, HasLen: true},
		Port:   event.Port{IfIndex: 7, IfName: "eth0"}, Cookie: []byte{0xab, 0xcd}, Raw: msg,
	}
	out := emitted(t, msg)
	if len(out.events) != 1 || !reflect.DeepEqual(out.events[0], want) {
		t.Errorf("got %+v\nwant %+v", out.events, want)
	}
}

func TestPacketWithoutAttributes(t *testing.T) {
	msg := message(cmdPacketAlert)
	before := time.Now()
	e := emitted(t, msg).events[0]
	if e.KernelTime || e.Time.Before(before) {
		t.Errorf("time %v, kernel time %v: want the time of receipt", e.Time, e.KernelTime)
	}
	e.Time = time.Time{}
	if want := (event.Event{Count: 1, Individual: true, Origin: event.Unstated, Raw: msg}); !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v\nwant %+v", e, want)
	}
}

func TestOrigins(t *testing.T) {
	for value, want := range map[uint16]event.Origin{0: event.Software, 1: event.Hardware, 2: event.Unknown, 999: event.Unknown} {
		e := emitted(t, message(cmdPacketAlert, attr(netlink.AttrOrigin, u16(value)...))).events[0]
		if e.Origin != want {
			t.Errorf("origin %d: %v, want %v", value, e.Origin, want)
		}
	}
}

func TestSummary(t *testing.T) {
	full := []string{}
	for i := range netlink.MaxPoints {
		full = append(full, fmt.Sprintf("1 at %#x", 0x1000+i))
	}
	tests := map[string]struct {
		msg  []byte
		want []string
	}{
		"empty":             {message(cmdAlert, points(0)), nil},
		"software":          {message(cmdAlert, points(2)), []string{"1 at 0x1000", "1 at 0x1001"}},
		"hardware":          {message(cmdAlert, points(0), traps("ttl", 9)), []string{"9 at ttl"}},
		"both":              {message(cmdAlert, points(1), traps("ttl", 9)), []string{"1 at 0x1000", "9 at ttl"}},
		"one less than all": {message(cmdAlert, points(netlink.MaxPoints-1)), full[:netlink.MaxPoints-1]},
		"full":              {message(cmdAlert, points(netlink.MaxPoints)), append(full[:64:64], "lost 1 beyond full summaries")},
		"cut short":         {message(cmdAlert, attr(netlink.AttrSummary, 1)), []string{"lost 1 in messages that could not be decoded"}},
		"another command":   {message(9), []string{"lost 1 in messages that could not be decoded"}},
		"no message":        {[]byte{1}, []string{"lost 1 in messages that could not be decoded"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out := emitted(t, tt.msg)
			out.got(t, tt.want...)
			for i, e := range out.events {
				if raw := e.Raw != nil; raw != (i == 0 && e.Kind == event.Drop) {
					t.Errorf("event %d: raw %v, want it on the first drop alone", i, raw)
				} else if raw && !bytes.Equal(e.Raw, tt.msg) {
					t.Errorf("raw % x, want % x", e.Raw, tt.msg)
				}
				if e.KernelTime || e.Time.IsZero() || e.Individual {
					t.Errorf("event %d: %+v: want the time of receipt, and no individual packet", i, e)
				}
			}
		})
	}
}

func TestUndecodableAlertIsCountedInARun(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.send(packet("A"), []byte("garbage"), packet("B"))
		r.stop()
		r.out.got(t, "A", "lost 1 in messages that could not be decoded", "B")
	})
}

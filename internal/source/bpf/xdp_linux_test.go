package bpf

import (
	"net"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
)

// attachXDP attaches a program to an interface, in its driver or for packets.
func (p *place) attachXDP(t *testing.T, iface string, mode link.XDPAttachFlags, code ...asm.Instruction) uint64 {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: code, License: "MIT"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	p.Do(func() error {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: i.Index, Flags: mode})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	return uint64(id)
}

// TestXDP: frames that a program or its driver loses are drops of their own, reported
// individually or counted; what XDP on packets drops is reported once, as the packet that it is.
func TestXDP(t *testing.T) {
	const frames = 10
	aborted := []asm.Instruction{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	astray := []asm.Instruction{
		asm.Mov.Imm(asm.R1, 12345), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
	}
	exception, redirect := []event.Arg{{Name: "action", Text: "XDP_ABORTED"}}, []event.Arg{{Name: "err", Text: "EINVAL"}}
	tests := map[string]struct {
		mode   link.XDPAttachFlags
		code   []asm.Instruction
		frame  bool // it is no packet
		reason string
		args   []event.Arg // after prog
	}{
		"aborted on veth":   {link.XDPDriverMode, aborted, false, "XDP_EXCEPTION", exception},
		"redirect on veth":  {link.XDPDriverMode, astray, true, "XDP_REDIRECT_ERR", redirect},
		"aborted, generic":  {link.XDPGenericMode, aborted, false, "XDP_EXCEPTION", exception},
		"redirect, generic": {link.XDPGenericMode, astray, false, "XDP_REDIRECT_ERR", redirect},
	}
	samples := []int{2, DefaultSample}
	if vmtest.InGuest() { // which are slow
		samples = samples[:1]
	}
	for name, tt := range tests {
		for _, sample := range samples {
			t.Run(name, func(t *testing.T) {
				p := newPlace(t)
				p.Wire()
				id := p.attachXDP(t, "far", tt.mode, tt.code...)
				fd := p.packetSocket(t)
				frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 100)...)
				r := sourcetest.Run(t, need(t, Options{Sample: sample}), func(e *event.Event) bool {
					return e.Netns.Inode == p.inode && e.Port.IfName == "far"
				})
				for range frames {
					p.sendFrame(t, fd, "near", frame)
				}
				r.Await(frames)
				kept := r.End()
				n, individual := sourcetest.Total(kept)
				if n != frames || (individual < n) != (sample < frames) {
					t.Errorf("%d drops, %d individually, want %d", n, individual, frames)
				}
				stalled := uint64(0)
				for i := range kept {
					e := &kept[i]
					if e.Reason != tt.reason && len(e.Args) == 0 && e.Where.HasPC {
						stalled += e.Count
						continue
					}
					if e.Reason != tt.reason || e.Where.HasPC == tt.frame || e.Packet.HasLen && tt.frame || e.Kind != event.Drop {
						t.Errorf("%+v, want reason %s", e, tt.reason)
					}
					want := append([]event.Arg{{Name: "prog", Number: id}}, tt.args...)
					if e.Individual && !slices.Equal(e.Args, want) {
						t.Errorf("%s with %+v, want %+v", e.Reason, e.Args, want)
					}
				}
				// A CPU that stands still for 10 ms between the two tracepoints forgets what the first said.
				if stalled > 2 {
					t.Errorf("%d drops without what XDP said of them", stalled)
				}
			})
		}
	}
}

// TestXDPFamily: the reason XDP selects frames that XDP loses and packets that it aborts.
func TestXDPFamily(t *testing.T) {
	const frames = 5
	p := newPlace(t)
	p.Wire()
	p.attachXDP(t, "far", link.XDPDriverMode, asm.Mov.Imm(asm.R0, 0), asm.Return())
	fd := p.packetSocket(t)
	for expression, want := range map[string]uint64{
		"reason XDP": frames, "reason XDP_EXCEPTION": frames, "reason != XDP": 0, "reason XDP_REDIRECT_ERR": 0,
	} {
		s := newSelection(t, p, "iface far and "+expression, Options{Sample: DefaultSample})
		for range frames {
			p.sendFrame(t, fd, "near", append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 100)...))
		}
		s.Await(want)
		if n, _ := sourcetest.Total(s.End()); n != want {
			t.Errorf("%s: %d drops, want %d", expression, n, want)
		}
	}
}

// TestXDPCondition: a condition is tested on frames, too.
func TestXDPCondition(t *testing.T) {
	const frames = 5
	p := newPlace(t)
	p.Wire()
	p.attachXDP(t, "far", link.XDPDriverMode, asm.Mov.Imm(asm.R1, 12345), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return())
	fd := p.packetSocket(t)
	of := func(iface string) *sourcetest.Running {
		s := need(t, Options{Condition: &condition.Test{Field: condition.IfName, Names: []condition.Name{{Text: iface}}}})
		if s.refused != nil {
			t.Fatal(s.refused)
		}
		return sourcetest.Run(t, s, func(e *event.Event) bool { return e.Netns.Inode == p.inode })
	}
	near, far := of("near"), of("far")
	for range frames {
		p.sendFrame(t, fd, "near", append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 100)...))
	}
	far.Await(frames)
	if n, _ := sourcetest.Total(far.End()); n != frames {
		t.Errorf("iface far: %d drops, want %d", n, frames)
	}
	if n, _ := sourcetest.Total(near.End()); n != 0 || near.Ledger.Rejected < frames {
		t.Errorf("iface near: %d drops and %d rejected, want none and at least %d", n, near.Ledger.Rejected, frames)
	}
}

package detailtest

import (
	"net"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
)

// Programs of XDP.
var (
	Aborts  = []asm.Instruction{asm.Mov.Imm(asm.R0, 0), asm.Return()} // XDP_ABORTED
	Passes  = []asm.Instruction{asm.Mov.Imm(asm.R0, 2), asm.Return()} // XDP_PASS
	Astray  = []asm.Instruction{asm.Mov.Imm(asm.R1, 12345), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return()}
	aborted = []event.Arg{{Name: "action", Text: "XDP_ABORTED"}}
	invalid = []event.Arg{{Name: "err", Text: "EINVAL"}} // there is no such interface
)

// AttachXDP attaches a program to an interface of a namespace, in its driver or for packets, and
// returns its ID.
func AttachXDP(t *testing.T, ns *drops.Namespace, iface string, mode link.XDPAttachFlags, code ...asm.Instruction) uint64 {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, Instructions: code, License: "MIT"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	ns.Do(func() error {
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

// XDP tests that frames that a program or its driver loses are drops of their own; what XDP on packets
// drops is reported once, as the packet that it is.
func XDP(t *testing.T, s Subject) {
	const frames = 10
	tests := map[string]xdpTest{
		"aborted on veth":   {link.XDPDriverMode, Aborts, false, "XDP_EXCEPTION", aborted},
		"redirect on veth":  {link.XDPDriverMode, Astray, true, "XDP_REDIRECT_ERR", invalid},
		"aborted, generic":  {link.XDPGenericMode, Aborts, false, "XDP_EXCEPTION", aborted},
		"redirect, generic": {link.XDPGenericMode, Astray, false, "XDP_REDIRECT_ERR", invalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			ns.Wire()
			id := AttachXDP(t, ns, "far", tt.mode, tt.code...)
			tt.args = append([]event.Arg{{Name: "prog", Number: id}}, tt.args...)
			stalled := uint64(0)
			for _, e := range s.lose(t, ns, "far", "XDP", frames, func() { Burst(t, ns, "near", Frame(100), frames) }) {
				if s.Sockets && e.Reason != tt.reason && len(e.Args) == 0 && e.Where.HasPC {
					stalled += e.Count
				} else {
					tt.check(t, &e)
				}
			}
			// A CPU that stands still for 100 ms between the two tracepoints forgets what the first said to BPF.
			if stalled > 2 {
				t.Errorf("%d drops without what XDP said of them", stalled)
			}
		})
	}
}

// An xdpTest is frames that a program or its driver loses, and what the source says of each.
type xdpTest struct {
	mode   link.XDPAttachFlags
	code   []asm.Instruction
	frame  bool // it is no packet
	reason string
	args   []event.Arg
}

// check checks the event of a drop; values are only in that of a single one.
func (tt *xdpTest) check(t *testing.T, e *event.Event) {
	t.Helper()
	if e.Reason != tt.reason || e.Where.HasPC == tt.frame || e.Packet.HasLen && tt.frame || e.Port.IfIndex == 0 {
		t.Errorf("%+v, want reason %s", e, tt.reason)
	}
	if e.Individual && !slices.Equal(e.Args, tt.args) {
		t.Errorf("%s with %+v, want %+v", e.Reason, e.Args, tt.args)
	}
}

// lose runs the source while drop loses count packets, and returns them.
func (s *Subject) lose(t *testing.T, ns *drops.Namespace, iface, family string, count uint64, drop func()) []event.Event {
	t.Helper()
	r := sourcetest.Run(t, s.Open(t), s.Of(ns, iface, family))
	drop()
	r.Await(count)
	kept := r.End()
	if n, individual := sourcetest.Total(kept); n != count || (individual < n) != s.Counts || r.Ledger.TotalLost() != 0 {
		t.Errorf("%d drops, %d individually, want %d; %d lost", n, individual, count, r.Ledger.TotalLost())
	}
	return kept
}

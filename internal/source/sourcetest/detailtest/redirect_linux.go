package detailtest

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/vmtest/drops"
)

// redirect makes a wire with a program at its far end that redirects every frame to the first
// entry of a map of a kind, whose values are of so many bytes.
func redirect(t *testing.T, kind ebpf.MapType, size uint32) (*drops.Namespace, *ebpf.Map) {
	t.Helper()
	ns := drops.NewNamespace(t)
	ns.Wire()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: size, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	AttachXDP(t, ns, "far", link.XDPDriverMode, asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Imm(asm.R2, 0), asm.Mov.Imm(asm.R3, 0),
		asm.FnRedirectMap.Call(), asm.Return())
	return ns, m
}

// target makes a pair of veth interfaces, of which out is in the map, and returns its index.
func target(ns *drops.Namespace, m *ebpf.Map) (index int) {
	ns.Run("ip", "link", "add", "out", "type", "veth", "peer", "name", "beyond")
	ns.Run("ip", "link", "set", "out", "up")
	ns.Run("ip", "link", "set", "beyond", "up")
	ns.Do(func() error {
		out, err := net.InterfaceByName("out")
		if err != nil {
			return err
		}
		index = out.Index
		return m.Put(uint32(0), uint32(index))
	})
	return index
}

// RedirectToDevice tests that frames for an interface that does not take them are drops, each once.
func RedirectToDevice(t *testing.T, s Subject) {
	const frames = 10
	tests := map[string]struct {
		fault   string // a command after which out takes no frames
		without bool   // its peer has no program, so that it takes none anyway
		reason  string
		arg     event.Arg
	}{
		"down":           {"ip link set out down", false, "XDP_REDIRECT_ERR", event.Arg{Name: "err", Text: "ENETDOWN"}},
		"gone":           {"ip link del out", false, "XDP_EXCEPTION", event.Arg{Name: "action", Text: "XDP_ABORTED"}},
		"without XDP":    {"true", true, "XDP_REDIRECT_ERR", event.Arg{Name: "err", Text: "EOPNOTSUPP"}},
		"too long":       {"ip link set out mtu 300", false, "XDP_REDIRECT_ERR", event.Arg{Name: "err", Text: "EMSGSIZE"}},
		"peer too small": {"ip link set beyond mtu 300", false, "XDP_DEVMAP_XMIT", event.Arg{Name: "out", Text: "out"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ns, m := redirect(t, ebpf.DevMap, 4)
			index := target(ns, m)
			if !tt.without {
				AttachXDP(t, ns, "beyond", link.XDPDriverMode, Passes...)
			}
			fault := strings.Fields(tt.fault)
			ns.Run(fault[0], fault[1:]...)
			if tt.arg.Name == "out" && !s.Sockets { // nor devices
				tt.arg = event.Arg{Name: "out", Number: uint64(index)}
			}
			kept := s.lose(t, ns, "far", "XDP", frames, func() { Burst(t, ns, "near", Frame(600), frames) })
			for i := range kept {
				if e := &kept[i]; e.Reason != tt.reason || e.Individual && !slices.Contains(e.Args, tt.arg) {
					t.Errorf("%s with %+v, want %s with %+v", e.Reason, e.Args, tt.reason, tt.arg)
				}
			}
		})
	}
}

// RedirectToCPU tests that frames for a CPU that has no time for them are drops, but for those in its queue.
func RedirectToCPU(t *testing.T, s Subject) {
	const frames, room = 40, 8
	ns, m := redirect(t, ebpf.CPUMap, 4)
	if err := m.Put(uint32(0), uint32(room)); err != nil {
		t.Fatal(err)
	}
	info, err := m.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	want := []event.Arg{{Name: "map", Number: uint64(id)}, {Name: "cpu"}}
	kept := s.lose(t, ns, "", "XDP_CPUMAP_ENQUEUE", frames-room, func() {
		alone(ns, func() { Burst(t, ns, "near", Frame(600), frames) })
	})
	for i := range kept {
		if e := &kept[i]; e.Individual && !slices.Equal(e.Args, want) {
			t.Errorf("%+v, want %+v", e.Args, want)
		}
	}
}

// alone has the namespace's thread run f on CPU 0, where no kernel thread for frames then runs.
func alone(ns *drops.Namespace, f func()) {
	var before unix.CPUSet
	ns.Do(func() error {
		var first unix.CPUSet
		first.Set(0)
		return errors.Join(unix.SchedGetaffinity(0, &before), unix.SchedSetaffinity(0, &first),
			unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0))
	})
	defer ns.Do(func() error {
		return errors.Join(unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0),
			unix.SchedSetaffinity(0, &before))
	})
	f()
}

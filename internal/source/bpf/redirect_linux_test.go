package bpf

import (
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
)

// A redirected place has a program at far that redirects every frame to the first entry of a map.
type redirected struct {
	*place
	frames *ebpf.Map // the map
}

// redirect makes a place for a map of a kind, whose values are of so many bytes.
func redirect(t *testing.T, kind ebpf.MapType, size uint32) *redirected {
	t.Helper()
	p := newPlace(t)
	p.Wire()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: size, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	p.attachXDP(t, "far", link.XDPDriverMode, asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Imm(asm.R2, 0), asm.Mov.Imm(asm.R3, 0),
		asm.FnRedirectMap.Call(), asm.Return())
	return &redirected{p, m}
}

// target makes a pair of veth interfaces, of which out is in the map.
func (p *redirected) target(t *testing.T) {
	t.Helper()
	p.run(t, "ip link add out type veth peer name beyond", "ip link set out up", "ip link set beyond up")
	p.Do(func() error {
		out, err := net.InterfaceByName("out")
		if err != nil {
			return err
		}
		return p.frames.Put(uint32(0), uint32(out.Index))
	})
}

// burst sends frames to near, one at once after another.
func (p *redirected) burst(t *testing.T, frames int) {
	t.Helper()
	fd := p.packetSocket(t)
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, 600)...)
	p.Do(func() error {
		near, err := net.InterfaceByName("near")
		for range frames {
			err = errors.Join(err, unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: near.Index}))
		}
		return err
	})
}

// TestRedirectToDevice: frames for an interface that does not take them are counted, each once.
func TestRedirectToDevice(t *testing.T) {
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
		for _, sample := range []int{DefaultSample, 2} {
			t.Run(name, func(t *testing.T) {
				p := redirect(t, ebpf.DevMap, 4)
				p.target(t)
				if !tt.without {
					p.attachXDP(t, "beyond", link.XDPDriverMode, asm.Mov.Imm(asm.R0, 2), asm.Return())
				}
				p.run(t, tt.fault)
				r := sourcetest.Run(t, need(t, Options{Sample: sample}), func(e *event.Event) bool {
					return e.Netns.Inode == p.inode && e.Port.IfName == "far"
				})
				p.burst(t, frames)
				r.Await(frames)
				kept := r.End()
				if n, individual := sourcetest.Total(kept); n != frames || (individual < n) != (sample < frames) {
					t.Errorf("%d drops, %d individually, want %d", n, individual, frames)
				}
				for i := range kept {
					if e := &kept[i]; e.Reason != tt.reason || e.Individual && !slices.Contains(e.Args, tt.arg) {
						t.Errorf("%s with %+v, want %s with %+v", e.Reason, e.Args, tt.reason, tt.arg)
					}
				}
			})
		}
	}
}

// TestRedirectToCPU: frames for a CPU that has no time for them are counted, but for those in its queue.
func TestRedirectToCPU(t *testing.T) {
	const frames, room = 40, 8
	p := redirect(t, ebpf.CPUMap, 4)
	if err := p.frames.Put(uint32(0), uint32(room)); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.Run(t, need(t, Options{Sample: DefaultSample}), func(e *event.Event) bool { return e.Reason == "XDP_CPUMAP_ENQUEUE" })
	p.alone(t, func() { p.burst(t, frames) })
	r.Await(frames - room)
	kept := r.End()
	info, err := p.frames.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	want := []event.Arg{{Name: "map", Number: uint64(id)}, {Name: "cpu"}}
	if n, individual := sourcetest.Total(kept); n != frames-room || individual != n {
		t.Errorf("%d drops, %d individually, want %d", n, individual, frames-room)
	}
	for i := range kept {
		if e := &kept[i]; !slices.Equal(e.Args, want) {
			t.Errorf("%+v, want %+v", e.Args, want)
		}
	}
}

// alone has the namespace's thread run f on CPU 0, where no kernel thread for frames then runs.
func (p *redirected) alone(t *testing.T, f func()) {
	t.Helper()
	var before unix.CPUSet
	p.Do(func() error {
		var first unix.CPUSet
		first.Set(0)
		return errors.Join(unix.SchedGetaffinity(0, &before), unix.SchedSetaffinity(0, &first),
			unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0))
	})
	defer p.Do(func() error {
		return errors.Join(unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0),
			unix.SchedSetaffinity(0, &before))
	})
	f()
}

package trace

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/source/sourcetest/detailtest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// freesFrames finds the functions that free packets of XDP, of which those of veth may be of a module.
func freesFrames(t *testing.T) func(pc uint64) bool {
	t.Helper()
	var symbols kallsyms.Live
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	return func(pc uint64) bool {
		symbol, _ := symbols.Lookup(pc)
		name, _, _ := strings.Cut(symbol.Name, ".")
		return slices.Contains(FrameFunctions, name)
	}
}

// subject opens sources with other options. Drops are recognised by their reasons.
func subject(change func(*testing.T, *Options)) detailtest.Subject {
	return detailtest.Subject{
		Open: func(t *testing.T) pipeline.Source {
			opts := Options{Others: true}
			change(t, &opts)
			s := need(t, opts)
			if s.refused != nil {
				t.Fatal(s.refused)
			}
			return s
		},
		Of: func(_ *drops.Namespace, _, family string) func(*event.Event) bool {
			return func(e *event.Event) bool { return strings.HasPrefix(e.Reason, family) }
		},
	}
}

// withSymbols is the subject as a run opens it, and without what symbols tell.
var subjects = map[string]func(*testing.T, *Options){
	"with symbols":    func(t *testing.T, o *Options) { o.FreesFrames = freesFrames(t) },
	"without symbols": func(*testing.T, *Options) {},
	"with stacks":     func(t *testing.T, o *Options) { o.FreesFrames, o.Stack = freesFrames(t), true },
}

func TestXDP(t *testing.T) {
	for name, change := range subjects {
		t.Run(name, func(t *testing.T) { detailtest.XDP(t, subject(change)) })
	}
}

func TestRedirectToDevice(t *testing.T) {
	detailtest.RedirectToDevice(t, subject(subjects["with symbols"]))
}

func TestRedirectToCPU(t *testing.T) {
	detailtest.RedirectToCPU(t, subject(subjects["with symbols"]))
}

func TestFullBuffer(t *testing.T) {
	detailtest.FullBuffer(t, subject(subjects["without symbols"]))
}

// TestQdisc: a kernel without reasons does not say what a queueing discipline drops.
func TestQdisc(t *testing.T) {
	if guest.AtLeast(5, 17) {
		detailtest.Qdisc(t, subject(subjects["without symbols"]))
	}
}

// TestFrameShows lets the source fall asleep before frames that no packet is freed after.
func TestFrameShows(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.Wire()
	detailtest.AttachXDP(t, ns, "far", link.XDPDriverMode, detailtest.Astray...)
	sub := subject(subjects["with symbols"])
	r := sourcetest.Run(t, sub.Open(t), sub.Of(ns, "far", "XDP"))
	for i := range uint64(2) {
		time.Sleep(3 * perf.BatchTime)
		detailtest.Burst(t, ns, "near", detailtest.Frame(100), 1)
		r.Await(i + 1)
	}
	shown := time.Now()
	if r.End(); len(r.At) != 2 || r.At[1].After(shown) {
		t.Errorf("%d frames shown, at %v, want 2 until %v", len(r.At), r.At, shown)
	}
}

// TestLossOfOthers floods a small ring with what other tracepoints say: what is shown and what is lost
// adds up, and nothing is counted twice.
func TestLossOfOthers(t *testing.T) {
	const count = 3000
	tests := map[string]func(*testing.T, *drops.Namespace) (reason string, lose func() (drops int)){
		"frames": func(t *testing.T, ns *drops.Namespace) (string, func() int) {
			ns.Wire()
			detailtest.AttachXDP(t, ns, "far", link.XDPDriverMode, detailtest.Astray...)
			return "XDP", func() int {
				detailtest.Burst(t, ns, "near", detailtest.Frame(100), count)
				return count
			}
		},
		"packets of XDP": func(t *testing.T, ns *drops.Namespace) (string, func() int) {
			ns.Wire()
			detailtest.AttachXDP(t, ns, "far", link.XDPGenericMode, detailtest.Aborts...)
			return "NOT_SPECIFIED", func() int {
				detailtest.Burst(t, ns, "near", detailtest.Frame(100), count)
				return count
			}
		},
		"full buffer": func(t *testing.T, ns *drops.Namespace) (string, func() int) {
			receiver := detailtest.NewReceiver(t, ns, unix.IPPROTO_ICMP)
			return "SOCKET_RCVBUFF", func() int {
				receiver.Fill(t, count)
				return count - receiver.Queued(t)
			}
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			reason, lose := prepare(t, ns)
			opts := Options{Others: true, RingSize: 1, Filter: ignoreOthers(t, reason), FreesFrames: freesFrames(t)}
			r := &sourcetest.Running{
				Keep: all, Then: func(*event.Event) { time.Sleep(100 * time.Microsecond) }, // a slow sink
			}
			sourcetest.RunWith(t, need(t, opts), r)
			want := lose()
			shown, _ := sourcetest.Total(r.End())
			l := r.Ledger
			exact := shown+l.TotalLost() == uint64(want) || vmtest.InGuest() && shown+l.TotalLost() > uint64(want) // no filter there
			if l.Lost[event.InRing] == 0 || shown == 0 || !exact {
				t.Errorf("%d shown, %d lost, want %d in all: %+v", shown, l.TotalLost(), want, l)
			}
		})
	}
}

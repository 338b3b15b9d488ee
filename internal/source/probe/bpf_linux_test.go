package probe

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
)

// TestFallback: what tests a condition is the first that can, unless one alone is wanted. Nothing else has a second try.
func TestFallback(t *testing.T) {
	refused, absent := fmt.Errorf("%w: invalid argument", errTest), errors.New("no such function")
	const why = "point x: test the condition by BPF: invalid argument"
	for name, tt := range map[string]struct {
		tester Tester
		fails  map[Tester]error
		want   error
		tested Tester // in the end
		says   string // Options.Filtered
	}{
		"attached":       {Any, nil, nil, Attached, ""},
		"not attached":   {Any, map[Tester]error{Attached: refused}, nil, BPF, ""},
		"without BPF":    {Any, map[Tester]error{Attached: refused, BPF: refused}, nil, Filters, why},
		"something else": {Any, map[Tester]error{Attached: absent}, absent, Attached, ""},
		"only BPF":       {BPF, map[Tester]error{BPF: refused}, refused, BPF, ""},
		"only filters":   {Filters, map[Tester]error{BPF: refused}, nil, Filters, ""},
	} {
		said := ""
		before := &pointEvent{site: &site{name: "before"}}
		s := &Source{tester: tt.tester, points: []*pointEvent{before}, filtered: func(err error) { said += err.Error() }}
		var tested Tester
		err := s.withTester(&site{name: "x"}, func(of *site, by Tester) error {
			s.points, tested = append(s.points, &pointEvent{site: of}), by
			if by != Filters {
				s.loaded = append(s.loaded, &programs{})
			}
			return tt.fails[by]
		})
		if !errors.Is(err, tt.want) || said != tt.says {
			t.Errorf("%s: %v, says %q", name, err, said)
		}
		if len(s.points) != 2 || s.points[0] != before || tested != tt.tested || (len(s.loaded) == 1) != (tested != Filters) {
			t.Errorf("%s: tester %d, %d events and %d programs are left", name, tested, len(s.points), len(s.loaded))
		}
	}
}

// TestGuestNotAttached: the program at the return of a function loads, but cannot be attached. Filters test in its place,
// and in that of the one at the call, which is detached.
func TestGuestNotAttached(t *testing.T) {
	ns, before := drops.NewNamespace(t), probesOf(t)
	p := point.Point{Name: "back", Form: point.Form{Functions: []string{"udp_rcv"}, At: point.Return, When: "skb->len > 100"}}
	typed, err := Type(&p, running().Types, running().Symbols)
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	s := &Source{ringSize: defaultRing, byID: make(map[uint64]int), pairs: newPairs(), filtered: func(err error) { said = err.Error() }}
	if s.probes, err = perf.OpenProbes(); err != nil {
		t.Fatal(err)
	}
	err = s.withTester(typed.sites[0], func(of *site, by Tester) error {
		switch by {
		case Attached:
			return fmt.Errorf("%w: not here", errTest)
		case Filters:
			return s.addSite(of, Filters)
		}
		k, err := s.programsOf(of)
		if err != nil {
			return err
		}
		k.shown.Close()
		k.shown = notOfProbes(t)
		return errors.Join(s.addProbe(of, false, k), s.addProbe(of, true, k))
	})
	if err != nil || !strings.HasPrefix(said, "point back: test the condition by BPF: attach a BPF program to ") {
		t.Fatalf("%v, says %q", err, said)
	}
	if len(s.points) != 2 || len(s.loaded) != 0 || s.points[0].filter == "" || s.points[1].program != nil {
		t.Fatalf("%+v, %d programs", s.points, len(s.loaded))
	}
	if err := s.openCPUs(); err != nil {
		t.Fatal(err)
	}
	r := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Kind == event.Point })
	ns.SendUDP(3)
	r.Await(3)
	if events := r.End(); len(events) != 3 || r.Ledger.Points != (event.PointCounts{Shown: 3}) {
		t.Errorf("%d events, %+v", len(events), r.Ledger.Points)
	}
	if after := probesOf(t); after != before {
		t.Errorf("probes left:\n%s", after)
	}
}

// notOfProbes returns a program that no probe accepts.
func notOfProbes(t *testing.T) *ebpf.Program {
	t.Helper()
	code := asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, Instructions: code, License: "Dual MIT/GPL"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

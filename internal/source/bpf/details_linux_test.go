package bpf

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/source/sourcetest/detailtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// subject opens sources of a form that report so many drops of each kind whole: all of a test's if DefaultSample.
func subject(form string, sample int) detailtest.Subject {
	return detailtest.Subject{
		Open: func(t *testing.T) pipeline.Source {
			s := needForm(t, form, Options{Sample: sample})
			if s.refused != nil {
				t.Fatal(s.refused)
			}
			return s
		},
		Of: func(ns *drops.Namespace, iface, family string) func(*event.Event) bool {
			inode := ns.Inode()
			return func(e *event.Event) bool {
				if iface == "" && family != "" { // nor has it a namespace
					return strings.HasPrefix(e.Reason, family)
				}
				return e.Netns.Inode == inode && (iface == "" || e.Port.IfName == iface)
			}
		},
		Counts: sample < DefaultSample, Sockets: true,
	}
}

// TestOthersLoad: the kernel takes the program of each tracepoint that it has.
func TestOthersLoad(t *testing.T) {
	if s := need(t, Options{}); s.refused != nil || len(s.others) < 7 {
		t.Errorf("%d programs of other tracepoints, want 7 or more: %+v", len(s.others), s.refused)
	}
}

func TestFullBuffer(t *testing.T) {
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) { detailtest.FullBuffer(t, subject(form, DefaultSample)) })
	}
}

func TestGuestMemory(t *testing.T) { detailtest.Memory(t, subject(forms[0], DefaultSample)) }

// TestSelectedByArgs: an expression on what is in a receive buffer is decided for each drop whole.
func TestSelectedByArgs(t *testing.T) {
	const times = 20
	p := newPlace(t)
	receiver := detailtest.NewReceiver(t, p.Namespace, unix.IPPROTO_ICMP)
	all := newSelection(t, p, "ip", Options{Sample: 1})
	full := newSelection(t, p, "args.rmem > 1000", Options{Sample: 1})
	small := newSelection(t, p, "args.rmem < 1000", Options{Sample: 1})
	receiver.Fill(t, times)
	full.Await(times / 2)
	sourcetest.AwaitIdle(all.Running, full.Running, small.Running)
	drops, _ := sourcetest.Total(all.End())
	n, individual := sourcetest.Total(full.End())
	if n < times/2 || n > drops || individual != n || full.Ledger.TotalLost() != 0 {
		t.Errorf("%d of %d drops, %d individually", n, drops, individual)
	}
	if n, _ := sourcetest.Total(small.End()); n != 0 {
		t.Errorf("%d drops with little in the buffer", n)
	}
}

// TestSelectedByFamily: a reason stands for the finer ones of its family, before and after other
// tracepoints gave those.
func TestSelectedByFamily(t *testing.T) {
	const frames = 40
	p := newPlace(t)
	p.Wire()
	p.run(t, "tc qdisc add dev near root handle 7: tbf rate 8kbit burst 1600 limit 1600")
	fd := p.packetSocket(t)
	family := newSelection(t, p, "iface near and reason QDISC_DROP", Options{Sample: 1})
	finer := newSelection(t, p, "iface near and reason {QDISC_DROP_GENERIC, QDISC_DROP_OVERLIMIT}", Options{Sample: 1})
	others := newSelection(t, p, "iface near and reason != QDISC_DROP", Options{Sample: 1})
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}, make([]byte, 1000)...)
	for range frames {
		p.sendFrame(t, fd, "near", frame)
	}
	sourcetest.AwaitIdle(family.Running, finer.Running, others.Running)
	n, _ := sourcetest.Total(family.End())
	ofFiner, _ := sourcetest.Total(finer.End())
	ofOthers, _ := sourcetest.Total(others.End())
	least := uint64(frames / 2)
	if !guest.AtLeast(5, 17) { // there are no reasons
		least = 0
	}
	if n < least || ofOthers != 0 || (ofFiner == n) != (guest.AtLeast(7, 2) || least == 0) {
		t.Errorf("%d drops, %d with a finer reason, %d others, want at least %d", n, ofFiner, ofOthers, least)
	}
}

func TestQdisc(t *testing.T) {
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) { detailtest.Qdisc(t, subject(form, 1)) })
	}
}

package bpf

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf/link"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/source/sourcetest/detailtest"
	"dropwatch/internal/vmtest"
)

// TestXDP reports some frames and counts the others, or reports each, but in guests, which are slow.
func TestXDP(t *testing.T) {
	samples := []int{2, DefaultSample}
	if vmtest.InGuest() {
		samples = samples[:1]
	}
	for _, sample := range samples {
		t.Run(fmt.Sprint("sample ", sample), func(t *testing.T) { detailtest.XDP(t, subject(forms[0], sample)) })
	}
}

func TestRedirectToDevice(t *testing.T) {
	for _, sample := range []int{DefaultSample, 2} {
		t.Run(fmt.Sprint("sample ", sample), func(t *testing.T) { detailtest.RedirectToDevice(t, subject(forms[0], sample)) })
	}
}

func TestRedirectToCPU(t *testing.T) { detailtest.RedirectToCPU(t, subject(forms[0], DefaultSample)) }

// TestXDPFamily: the reason XDP selects frames that XDP loses and packets that it aborts.
func TestXDPFamily(t *testing.T) {
	const frames = 5
	p := newPlace(t)
	p.Wire()
	detailtest.AttachXDP(t, p.Namespace, "far", link.XDPDriverMode, detailtest.Aborts...)
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
	detailtest.AttachXDP(t, p.Namespace, "far", link.XDPDriverMode, detailtest.Astray...)
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

package diagnose

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/tally"
)

// maxFrames is how many kinds of frames are kept of a cause.
const maxFrames = 64

// A Frame is to which MAC address a packet was sent, and by which.
type Frame struct {
	To, From event.MAC
	Src, Dst netip.Addr // of the packet in it
}

// A FrameCount is how many of the drops were of such frames.
type FrameCount struct {
	Frame
	Count    uint64
	Segments uint64 // packets on the wire
}

// byFrame is the evidence that the MAC addresses of frames lead to.
var byFrame = []knowledge.Evidence{knowledge.Misaddressed, knowledge.BothIsolated}

// addFrame counts the frame of a packet, if its MAC address may be why it was dropped.
func (g *group) addFrame(e *event.Event) {
	const fields = event.FieldEthDst | event.FieldEthSrc | event.FieldSrc | event.FieldDst
	p := e.Packet.Flow
	if p == nil || !p.Has(fields) || !slices.ContainsFunc(byFrame, func(evidence knowledge.Evidence) bool {
		return hasCase(g.meaning.Entry, evidence)
	}) {
		return
	}
	if g.frames == nil {
		g.frames = tally.New[Frame, uint64](maxFrames, nil)
	}
	if entry, _ := g.frames.Add(Frame{p.EthDst, p.EthSrc, p.Src, p.Dst}, e.Count); entry != nil {
		entry.Value += max(e.Segments, e.Count)
	}
}

// frameCounts are the frames, in the order in which they came.
func (g *group) frameCounts() (all []FrameCount) {
	if g.frames == nil {
		return nil
	}
	for entry := range g.frames.All {
		all = append(all, FrameCount{entry.Key, entry.Count, entry.Value})
	}
	return all
}

// An interfaceAnswer is what an interface has.
type interfaceAnswer struct {
	MAC       string       `json:"mac,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// findMisaddressed makes findings of their own of frames whose packet is for an address of the interface, and whose
// destination is the MAC address of no interface in its network namespace. Those are read now.
func (d *Diagnosis) findMisaddressed(h *Host) {
	var all []Finding
	for _, f := range slices.Concat(d.Findings, d.Noise) {
		part := f.separate(f.misaddressed(h))
		if part.Count > 0 {
			part.MAC = h.interfaceIn(f.Netns.Inode, f.IfName).MAC
			part.Meaning = part.Meaning.With(knowledge.Misaddressed, part.frameEvent())
			part.Rate = d.rate(part.Count)
			all = append(all, part)
		}
		if f.Rate = d.rate(f.Count); f.Count > 0 {
			all = append(all, f)
		}
	}
	d.rank(all)
}

// misaddressed are those frames of a finding, the most frequent first.
func (f *Finding) misaddressed(h *Host) (all []FrameCount) {
	if f.IfName == "" || len(f.Namespaces) > 0 || !f.mayBe(knowledge.Misaddressed) {
		return nil
	}
	for _, frame := range f.frames {
		own := h.interfaceIn(f.Netns.Inode, f.IfName)
		if slices.Contains(own.Addresses, frame.Dst) && own.MAC != "" && !h.hasMAC(f.Netns.Inode, frame.To) {
			all = append(all, frame)
		}
	}
	slices.SortStableFunc(all, func(a, b FrameCount) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

// separate takes the drops of frames out of a finding, and returns them as one of their own: without drops if there are none.
func (f *Finding) separate(frames []FrameCount) (part Finding) {
	part = *f
	part.Frames, part.frames, part.Count, part.Segments = frames, nil, 0, 0
	for _, frame := range frames {
		part.Count += frame.Count
		part.Segments += frame.Segments
	}
	if part.Count == 0 {
		return part
	}
	isPart := func(c FlowCount) bool {
		return slices.ContainsFunc(frames, func(frame FrameCount) bool { return frame.Dst == c.Flow.Dst.Addr() })
	}
	part.Flows = slices.DeleteFunc(slices.Clone(f.Flows), func(c FlowCount) bool { return !isPart(c) })
	f.Flows = slices.DeleteFunc(slices.Clone(f.Flows), isPart)
	part.Share = f.Share * float64(part.Count) / float64(f.Count)
	f.Share -= part.Share
	part.Reported = part.Count // each with its packet
	f.Count, f.Segments, f.Reported = f.Count-part.Count, f.Segments-part.Segments, f.Reported-part.Count
	return part
}

// frameEvent is what the finding knows of its drops, with the first of its frames.
func (f *Finding) frameEvent() *event.Event {
	e, frame := f.event(), &f.Frames[0]
	e.Packet.Flow = &event.Flow{Headers: event.Headers{
		Fields: event.FieldEthDst | event.FieldSrc | event.FieldDst, EthDst: frame.To, Src: frame.Src, Dst: frame.Dst,
	}}
	return e
}

// interfaceIn is what an interface in a network namespace has, zero if it is gone.
func (h *Host) interfaceIn(netns uint32, name string) interfaceAnswer {
	return ask(h, fmt.Sprintf("interface %d %s", netns, name), func() (a interfaceAnswer) {
		_ = h.within(netns, func() error {
			device, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			a.MAC = device.HardwareAddr.String()
			addresses, err := device.Addrs()
			for _, address := range addresses {
				if prefix, err := netip.ParsePrefix(address.String()); err == nil {
					a.Addresses = append(a.Addresses, prefix.Addr())
				}
			}
			return err
		})
		return a
	})
}

// hasMAC reports whether an interface in a network namespace has a MAC address, or that cannot be found out.
func (h *Host) hasMAC(netns uint32, mac event.MAC) bool {
	return ask(h, fmt.Sprintf("interface %d with MAC %v", netns, mac), func() (has bool) {
		err := h.within(netns, func() error {
			devices, err := net.Interfaces()
			has = slices.ContainsFunc(devices, func(d net.Interface) bool { return d.HardwareAddr.String() == mac.String() })
			return err
		})
		return has || err != nil
	})
}

// appendFrames appends to which MAC addresses the packets were sent, and by which.
func (f *Finding) appendFrames(p *paragraph) {
	label := "frames"
	for i, frame := range f.Frames {
		if i == maxFlowLines {
			p.field("", fmt.Sprintf("and %d more", len(f.Frames)-i))
			break
		}
		p.prose(label, fmt.Sprintf("to %v, not %s, from %v (source %v, destination %v)  %d",
			frame.To, f.MAC, frame.From, frame.Src, frame.Dst, frame.Count))
		label = ""
	}
}

// frameJSON is to which MAC address packets were sent, and by which.
type frameJSON struct {
	To    string     `json:"dst_mac"`
	Own   string     `json:"interface_mac"`
	From  string     `json:"src_mac"`
	Src   netip.Addr `json:"src"`
	Dst   netip.Addr `json:"dst"`
	Count uint64     `json:"count"`
}

// frameJSON is the object of frames, with the MAC address that they should have had.
func (f *Finding) frameJSON(c *FrameCount) frameJSON {
	return frameJSON{c.To.String(), f.MAC, c.From.String(), c.Src, c.Dst, c.Count}
}

package diagnose

import (
	"fmt"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A portsAnswer is the port of a bridge where frames arrived, and that behind which their destination is; zero ones are not
// known.
type portsAnswer struct {
	In  counters.Port `json:"in"`
	Out counters.Port `json:"out"`
}

// findPorts narrows findings of frames that a bridge knew the port for, and did not send: by what both ports are now, if that
// is the same for all destinations that were seen.
func (d *Diagnosis) findPorts(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.IfName == "" || len(f.Namespaces) > 0 || !f.mayBe(knowledge.BothIsolated) {
			continue
		}
		var all []portsAnswer
		for _, frame := range f.frames {
			all = append(all, h.ports(f.Netns.Inode, f.IfName, frame.To))
		}
		f.narrowByPorts(all)
	}
}

// narrowByPorts gives the finding the cause that its ports show.
func (f *Finding) narrowByPorts(all []portsAnswer) {
	var evidence knowledge.Evidence
	for i := range all {
		if one := all[i].evidence(); i == 0 || one == evidence {
			evidence = one
		} else {
			return
		}
	}
	if evidence == 0 {
		return
	}
	in, out := event.Quote(all[0].In.IfName), event.Quote(all[0].Out.IfName)
	text := map[knowledge.Evidence]string{
		knowledge.SamePort:     "the destination is behind " + in + ", too",
		knowledge.PortBlocked:  "the destination is behind " + out + ", which is " + all[0].Out.State,
		knowledge.BothIsolated: fmt.Sprintf("the destination is behind %s, and both %s and %s are isolated", out, in, out),
	}[evidence]
	e := f.event()
	e.Port.IfName = all[0].Out.IfName
	f.Meaning = f.Meaning.With(evidence, e)
	f.Evidence = append(f.Evidence, text)
}

// evidence is why the bridge does not send what arrives at one port by the other, 0 if the ports do not show it.
func (p *portsAnswer) evidence() knowledge.Evidence {
	switch {
	case p.In.IfName == "" || p.Out.IfName == "":
		return 0
	case p.In.IfName == p.Out.IfName:
		return knowledge.SamePort
	case p.Out.State != "":
		return knowledge.PortBlocked
	case p.In.Isolated && p.Out.Isolated:
		return knowledge.BothIsolated
	}
	return 0
}

// ports are the ports of a bridge for frames that arrived at one of them for a MAC address.
func (h *Host) ports(netns uint32, ifname string, mac event.MAC) portsAnswer {
	return ask(h, fmt.Sprintf("ports %d %s %v", netns, ifname, mac), func() (a portsAnswer) {
		_ = h.within(netns, func() (err error) {
			a.In, a.Out, err = counters.ReadPorts(ifname, mac)
			return err
		})
		return a
	})
}

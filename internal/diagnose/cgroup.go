package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/event"
	"dropwatch/internal/kernel"
	"dropwatch/internal/knowledge"
)

// A programsAnswer has the BPF programs that packets of a control group have to pass, if that could be found out.
type programsAnswer struct {
	Known    bool                    `json:"known"`
	Programs []bpfprog.CgroupProgram `json:"programs,omitempty"`
}

// findCgroupPrograms names the BPF programs at the control group of the owner that dropped its packets, or may have. Where
// there is none, the filter of a socket is that which its program set. They are read now.
func (d *Diagnosis) findCgroupPrograms(h *Host) {
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			if f := &findings[i]; f.mayBe(knowledge.AtCgroup) && f.OwnerCount > 0 {
				f.readCgroupPrograms(h)
			}
		}
	}
}

// readCgroupPrograms does so for one finding. Of a socket that is not of IP the kernel runs no such program, and one of
// ICMP or of raw IP is passed copies.
func (f *Finding) readCgroupPrograms(h *Host) {
	sent := !f.mayBe(knowledge.OwnFilter)
	socket := f.Owner.Socket
	if !sent && (socket == nil || !socket.Receiver) {
		return
	}
	if !sent && !isIP(socket) {
		f.Meaning = f.Meaning.With(knowledge.Capture, f.event())
		return
	}
	a := h.cgroupPrograms(f.Owner.Cgroup.Path, sent)
	switch {
	case len(a.Programs) > 0:
		f.Meaning = f.Meaning.With(knowledge.AtCgroup, f.event())
		f.setPrograms(a.Programs, sent)
	case a.Known && !sent && f.Owner.Cgroup.ID != 0 && protocols[uint8(socket.Protocol)].name != "":
		f.Meaning = f.Meaning.With(knowledge.OwnFilter, f.event())
	}
}

func isIP(s *event.Socket) bool { return s.Family == kernel.AFInet || s.Family == kernel.AFInet6 }

// setPrograms has the finding name programs. That which drops what is sent is certain if it is the only one at the group of the
// socket, and not of its process alone; what is received may be dropped by a filter of the socket as well.
func (f *Finding) setPrograms(all []bpfprog.CgroupProgram, sent bool) {
	f.Rule.Confidence = OneOf
	switch {
	case len(all) == 1 && sent && f.Owner.Cgroup.ID != 0:
		f.Rule.Confidence = Exactly
	case len(all) == 1:
		f.Rule.Confidence = Likely
	}
	var texts, checks []string
	for _, p := range all {
		text := fmt.Sprintf("BPF program %d", p.ID)
		if p.Name != "" {
			text += " " + p.Name
		}
		if p.Group != "" {
			text += " at control group " + p.Group
		}
		texts = append(texts, text)
		checks = append(checks, fmt.Sprintf("bpftool prog show id %d", p.ID))
	}
	f.Rule.Text = strings.Join(texts, "; ")
	f.Meaning.Check = append(checks, f.Meaning.Check...)
}

// cgroupPrograms are those that packets of a control group of version 2 have to pass.
func (h *Host) cgroupPrograms(group string, sent bool) programsAnswer {
	direction := "received"
	if sent {
		direction = "sent"
	}
	return ask(h, fmt.Sprintf("BPF programs at control group %s, %s", group, direction), func() (a programsAnswer) {
		top := h.live.MountPoint("cgroup2")
		if top == "" || group == "" {
			return a
		}
		programs, err := bpfprog.CgroupPrograms(top, group, sent)
		return programsAnswer{Known: err == nil, Programs: programs}
	})
}

// Package doctor tells whether this host and this user can watch drops, and
// what mends what cannot be: each check is one [Finding]. It needs no root and
// changes nothing but this: asking for the NET_DM family makes the kernel load
// its module, as any use of dropwatch does, which costs nothing until monitoring
// starts.
package doctor

import (
	"io/fs"

	"dropwatch/netlink"
)

// A State says what a check came to.
type State uint8

const (
	OK      State = iota
	Warning       // something is missing, but drops can be watched
	Wrong         // a source of drops cannot work, and no other does
	Unknown       // it cannot be told, or does not apply
)

var stateNames = [...]string{OK: "ok", Warning: "warning", Wrong: "wrong", Unknown: "unknown"}

// String gives the word that the JSON form uses.
func (s State) String() string { return stateNames[s] }

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Finding is what one check came to.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Says   string `json:"says"`             // may hold what the kernel or a file chose, unescaped
	Remedy string `json:"remedy,omitempty"` // a command; empty if nothing is to be done, or no command does it
}

// A Report is all that Examine found out.
type Report struct {
	Findings []Finding
	BPF      bool // the source bpf works
	Netdm    bool // the source netdm works
	Trace    bool // the source trace works
}

// Works tells whether drops can be watched at all.
func (r Report) Works() bool { return r.BPF || r.Netdm || r.Trace }

// A Host is what Examine looks at.
type Host struct {
	// Root is the file system, of which proc, sys, boot, etc and lib/modules
	// are read.
	Root fs.FS

	// Monitor finds NET_DM; [Dial] is the real one. [netlink.ErrNoFamily] when
	// there is none.
	Monitor func() (Monitor, error)

	// BPF and Trace open the source of that name and close it again. Their
	// errors say why that cannot be done, and what to do.
	BPF, Trace func() error
}

// A Monitor is what can be asked of NET_DM without changing it. The errors are
// those of [netlink.Client].
type Monitor interface {
	Running() (bool, error)
	Join() error // joins the group of the alerts and leaves it: [netlink.ErrJoinPermission]
	Peers() (peers []netlink.Peer, hidden int, err error)
	Close() error
}

// checks are in the order in which a person reads them: what all sources need,
// what bpf needs, what netdm needs, what trace needs, and the rest. One that has nothing to add
// says nothing.
var checks = []struct {
	name string
	look func(*exam) Finding
}{
	{"kernel", (*exam).kernel},
	{"config", (*exam).config},
	{"lockdown", (*exam).lockdown},
	{"btf", (*exam).btf},
	{"bpf", (*exam).bpf},
	{"module", (*exam).module},
	{"netns", (*exam).netns},
	{"family", (*exam).family},
	{"start", (*exam).start},
	{"join", (*exam).join},
	{"monitor", (*exam).inUse},
	{"tracefs", (*exam).tracefs},
	{"perf", (*exam).perf},
	{"rings", (*exam).rings},
	{"trace", (*exam).trace},
	{"symbols", (*exam).symbols},
}

// Examine looks at everything, also when something was found wrong.
func Examine(h Host) Report {
	e := newExam(h)
	r := Report{
		BPF: e.bpfErr == nil, Netdm: e.mayStart && e.joinErr == nil && e.dialErr == nil, Trace: e.traceErr == nil,
	}
	for _, c := range checks {
		f := c.look(e)
		f.Name = c.name
		if f.State == Wrong && r.Works() {
			f.State = Warning
		}
		if f.Says != "" {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

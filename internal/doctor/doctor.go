// Package doctor checks whether this host and this user can monitor drops, and how
// to fix what prevents it: each check is one [Finding]. It needs no root and changes
// nothing but this: looking for the NET_DM family makes the kernel load its module,
// as any use of dropwatch does, which costs nothing until monitoring starts.
package doctor

// A Report is the result of Examine.
type Report struct {
	Findings []Finding // in the order of checks; those with nothing to add are left out
	BPF      bool      // the source bpf works
	Netdm    bool      // the source netdm works
	Trace    bool      // the source trace works
}

// Works reports whether drops can be monitored at all: one source is enough.
func (r Report) Works() bool { return r.BPF || r.Netdm || r.Trace }

// checks are in the order in which a person reads them: what all sources need, what
// bpf needs, what netdm needs, what trace needs, and the rest. A Finding without a
// Detail is not shown.
var checks = []struct {
	name string
	run  func(*exam) Finding
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
	{"retrans", (*exam).retransmissions},
	{"symbols", (*exam).symbols},
	{"owners", (*exam).owners},
}

// Examine runs all checks, also after one has failed, as each may need a fix. A
// failure of one source is only a Warning if another source works.
func Examine(s Subject) Report {
	e := newExam(s)
	r := Report{
		BPF: e.bpfErr == nil, Netdm: e.mayStart && e.joinErr == nil && e.dialErr == nil, Trace: e.traceErr == nil,
	}
	for _, c := range checks {
		f := c.run(e)
		f.Name = c.name
		if f.State == Failed && r.Works() {
			f.State = Warning
		}
		if f.Detail != "" {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

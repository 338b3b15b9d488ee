package diagnose

import (
	"encoding/json"
	"io"

	"dropwatch/internal/conntrack"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/routing"
)

// findingJSON is a line of kind finding.
type findingJSON struct {
	Kind     string  `json:"kind"`
	Rank     int     `json:"rank,omitempty"` // noise has none
	ID       string  `json:"id"`
	Layer    string  `json:"layer,omitempty"`
	Module   string  `json:"module,omitempty"`
	Class    string  `json:"class,omitempty"`
	Severity string  `json:"severity"`
	Count    uint64  `json:"count"`
	Parts    []Part  `json:"parts,omitempty"` // of count by what names them, if that is several; the first is id
	Rate     float64 `json:"rate"`
	Steady   bool    `json:"steady,omitempty"`
	Segments uint64  `json:"segments"`
	Unseen   uint64  `json:"unseen,omitempty"` // beside count: by a counter alone
	Reason   string  `json:"reason,omitempty"`
	Location string  `json:"location,omitempty"`
	IfName   string  `json:"ifname,omitempty"`
	netnsJSON
	Spaces    []spaceJSON       `json:"namespaces,omitempty"` // of one in many; netns is the first
	Cause     string            `json:"cause,omitempty"`
	Evidence  []string          `json:"evidence,omitempty"` // what the host shows that decides the cause
	Usual     []string          `json:"usual,omitempty"`
	Args      map[string]any    `json:"args,omitempty"`      // numbers and texts, by what they are called
	Points    []pointJSON       `json:"points,omitempty"`    // where they were lost, with what the kernel knew there
	Egress    string            `json:"egress,omitempty"`    // interface
	Routes    []routing.DeadEnd `json:"routes,omitempty"`    // one of which dropped
	Hop       routing.Hop       `json:"hop,omitzero"`        // the route of packets whose TTL expired
	Answer    *ruleJSON         `json:"icmp_lost,omitempty"` // the rule that dropped the ICMP errors which answer the packets
	Culprit   *culpritJSON      `json:"culprit,omitempty"`
	Flows     []flowJSON        `json:"flows"`
	NFQueues  []nfqueueJSON     `json:"nfqueues,omitempty"`  // that took none of the packets
	Frames    []frameJSON       `json:"frames,omitempty"`    // for addresses of the interface, to other MAC addresses
	Followed  []followedJSON    `json:"followed,omitempty"`  // what became of packets of some flows, since one was lost or sent again
	Conntrack *conntrack.Entry  `json:"conntrack,omitempty"` // of the first flow; its state is none if there is no entry
	Counters  []counterJSON     `json:"counters"`
	Objects   []objectJSON      `json:"objects,omitempty"`
	Listeners []listenerJSON    `json:"listeners,omitempty"`  // that accept packets to the port of the first flow
	Sender    *senderJSON       `json:"sender,omitempty"`     // of the first flow, on this host
	Resent    *resentJSON       `json:"resent,omitempty"`     // of retransmissions
	SentAgain []sentAgainJSON   `json:"sent_again,omitempty"` // because of the drops
	Settings  []settingJSON     `json:"settings"`
	Check     []string          `json:"check"`
	Fix       []string          `json:"fix"`
}

// listenerJSON is a socket that accepts packets to the port of a flow.
type listenerJSON struct {
	Local   string       `json:"local"`            // address and port, as ss(8) has them
	Remote  string       `json:"remote,omitempty"` // whose packets alone it accepts
	Inode   uint64       `json:"inode"`
	Process *processJSON `json:"process,omitempty"`
	Accepts bool         `json:"accepts"` // also those of the flow
}

// processJSON is a process in a network namespace.
type processJSON struct {
	PID  uint32 `json:"pid"`
	Name string `json:"process,omitempty"`
}

// inNetnsJSON is nil if no process is known.
func inNetnsJSON(p event.Process) *processJSON {
	if p.PID == 0 {
		return nil
	}
	return &processJSON{p.PID, p.Comm}
}

// netnsJSON is a network namespace.
type netnsJSON struct {
	Netns   string       `json:"netns,omitempty"`         // its name
	NetnsID uint32       `json:"netns_inode,omitempty"`   // 0: not known
	InNetns *processJSON `json:"netns_process,omitempty"` // by which commands enter it, where it has no name
}

// netnsJSONOf returns a namespace, with a process in it if one is known.
func netnsJSONOf(n event.Netns, in event.Process) netnsJSON {
	return netnsJSON{n.Name, n.Inode, inNetnsJSON(in)}
}

// spaceJSON is a network namespace with the drops in it.
type spaceJSON struct {
	netnsJSON
	Count uint64 `json:"count"`
}

// objectJSON is a queue or a buffer that is full, or a socket that dropped.
type objectJSON struct {
	Name   string `json:"name"`
	Object string `json:"object,omitempty"`
	Value  uint64 `json:"value"`
	Limit  uint64 `json:"limit,omitempty"`
	Change uint64 `json:"change,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`
}

// settingJSON is a setting that decides the loss.
type settingJSON struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin,omitempty"`
	Limit  bool   `json:"limit"` // whether it may be what limits; otherwise advice says why not
	Advice string `json:"advice,omitempty"`
}

// culpritJSON is who has to do with most of the drops: a process, or a rule.
type culpritJSON struct {
	PID        uint32 `json:"pid,omitempty"`
	Process    string `json:"process,omitempty"` // its name
	Unit       string `json:"unit,omitempty"`
	Container  string `json:"container,omitempty"`
	Pod        string `json:"pod,omitempty"`
	Socket     uint64 `json:"socket,omitempty"`     // inode
	Confidence string `json:"confidence,omitempty"` // of the owner
	Count      uint64 `json:"count,omitempty"`      // drops of the owner

	Rule *ruleJSON `json:"rule,omitempty"`
}

// ruleJSON is the rule of a firewall.
type ruleJSON struct {
	Text       string     `json:"text"`
	Confidence Confidence `json:"confidence"`
}

// endpointsJSON is who sends packets to whom.
type endpointsJSON struct {
	Protocol string `json:"protocol"`
	Src      string `json:"src,omitempty"`
	Dst      string `json:"dst,omitempty"`
}

// flowJSON is how many drops were of a flow.
type flowJSON struct {
	endpointsJSON
	Flags string `json:"flags,omitempty"`
	Count uint64 `json:"count"`
}

// json leaves out addresses that are not known. The port of a client is 0 there, and left out.
func (f Flow) json() endpointsJSON {
	j := endpointsJSON{Protocol: f.Protocol}
	if f.Src.IsValid() {
		j.Src, j.Dst = endpoint(f.Src), endpoint(f.Dst)
	}
	return j
}

// counterJSON is by how much a counter rose.
type counterJSON struct {
	Name   string `json:"name"`
	IfName string `json:"ifname,omitempty"`
	Change uint64 `json:"change"`
}

// A stateJSON is a line of kind state.
type stateJSON struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Layer    string `json:"layer"`
	Module   string `json:"module"`
	Class    string `json:"class"`
	Severity string `json:"severity"`
	IfName   string `json:"ifname,omitempty"`
	netnsJSON
	Object  string       `json:"object,omitempty"`
	About   string       `json:"about,omitempty"`
	Value   uint64       `json:"value"`
	Limit   uint64       `json:"limit"`
	Cause   string       `json:"cause"`
	Usual   []string     `json:"usual,omitempty"`
	Culprit *culpritJSON `json:"culprit,omitempty"`
	Check   []string     `json:"check"`
	Fix     []string     `json:"fix"`
}

// WriteJSON writes a line for each finding, with those of noise, and for each state, and one
// of kind end. The program's help, json, says what each key means. It returns the first error of w.
func (d *Diagnosis) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			if err := encoder.Encode(findings[i].json()); err != nil {
				return err
			}
		}
	}
	for i := range d.States {
		if err := encoder.Encode(d.States[i].json()); err != nil {
			return err
		}
	}
	return encoder.Encode(d.end())
}

// each returns what of makes of each, in their order; never nil, so that a key without omitempty is [] and not null.
func each[T, J any](all []T, of func(*T) J) []J {
	lines := make([]J, 0, len(all))
	for i := range all {
		lines = append(lines, of(&all[i]))
	}
	return lines
}

// json is the line of a finding. Lists that every finding has are [] if they are empty, all others are left out.
func (f *Finding) json() findingJSON {
	j := findingJSON{
		Kind: "finding", Rank: f.Rank, ID: f.ID, Severity: f.Severity().String(), Count: f.Count, Parts: f.Parts,
		Rate: f.Rate, Steady: f.Steady, Segments: f.Segments, Unseen: f.Unseen, Reason: f.Reason, Location: f.Location, IfName: f.IfName,
		netnsJSON: netnsJSONOf(f.Netns, f.InNetns), Spaces: each(f.Namespaces, (*NetnsCount).json),
		Cause: f.Meaning.Cause, Evidence: f.Evidence, Args: argsJSON(f.Args), Points: each(f.Points, (*PointValues).json),
		Egress: f.Egress, Routes: f.Routes, Hop: f.Hop, Answer: f.AnswerLost.json(), Culprit: f.culprit(),
		Flows: each(f.Flows, (*FlowCount).json), Followed: followedJSONOf(f.Followed), Frames: each(f.Frames, f.frameJSON),
		NFQueues: each(f.Queues, (*NFQueue).json),
		Counters: each(f.Counters, counterJSONOf), Objects: each(f.Objects, objectJSONOf), Listeners: each(f.Listeners, listenerJSONOf),
		Sender: f.Sender.json(), Resent: f.Resent.json(), SentAgain: each(f.SentAgain, (*SentAgain).json),
		Settings: each(f.Settings, (*Setting).json), Check: append([]string{}, f.Meaning.Check...), Fix: fixJSON(&f.Meaning),
	}
	if e := f.Meaning.Entry; e != nil {
		j.Layer, j.Module, j.Class, j.Usual = e.Layer.String(), e.Module, f.Meaning.Class.String(), f.Meaning.Usual
	}
	if f.Conntrack.State != "" {
		j.Conntrack = &f.Conntrack
	}
	return j
}

func (n *NetnsCount) json() spaceJSON { return spaceJSON{netnsJSONOf(n.Netns, n.InNetns), n.Count} }

func (f *FlowCount) json() flowJSON { return flowJSON{f.Flow.json(), f.Flags, f.Count} }

func counterJSONOf(c *counters.Row) counterJSON { return counterJSON{c.ID(), c.IfName, c.Delta} }

// objectJSONOf has of a level also by how much it changed.
func objectJSONOf(o *counters.Row) objectJSON {
	return objectJSON{o.ID(), o.Object, o.Value, o.Limit, o.Delta, o.Inode}
}

// listenerJSONOf has the process of the socket if it is known.
func listenerJSONOf(l *Listener) listenerJSON {
	j := listenerJSON{Local: l.String(), Inode: l.Inode, Process: inNetnsJSON(l.Process), Accepts: l.Accepts}
	if l.Remote.IsValid() {
		j.Remote = l.Remote.String()
	}
	return j
}

// json has as advice why the setting is not what limits or, if it may be, what is known of it.
func (s *Setting) json() settingJSON {
	j := settingJSON{Name: s.Name, Value: s.Value, Origin: s.Origin, Limit: s.NotTheLimit == "", Advice: s.NotTheLimit}
	if j.Limit && s.About != nil {
		j.Advice = s.About.Advice
	}
	return j
}

// fixJSON is what to do, the sentence as a comment.
func fixJSON(x *knowledge.Explanation) []string {
	all := []string{}
	if x.Fix != "" {
		all = append(all, "# "+x.Fix)
	}
	return append(all, x.Apply...)
}

// json is the line of a state.
func (s *State) json() stateJSON {
	e, f := s.Meaning.Entry, Finding{Owner: s.Owner}
	if len(s.Owner.AppendTo(nil)) > 0 {
		f.OwnerCount = 1
	}
	j := stateJSON{
		Kind: "state", ID: s.ID(), Layer: e.Layer.String(), Module: e.Module, Class: s.Meaning.Class.String(),
		Severity: s.Meaning.Severity.String(), IfName: s.IfName,
		netnsJSON: netnsJSONOf(s.Netns, s.InNetns),
		Object:    s.Object, About: s.About, Value: s.Value, Limit: s.Limit, Cause: s.Meaning.Cause, Usual: s.Meaning.Usual,
		Culprit: f.culprit(), Check: append([]string{}, s.Meaning.Check...), Fix: fixJSON(&s.Meaning),
	}
	if j.Culprit != nil {
		j.Culprit.Count = 0 // of drops
	}
	return j
}

// culprit is the owner of most of the drops and the rule that dropped, nil if neither is
// known.
func (f *Finding) culprit() *culpritJSON {
	if f.OwnerCount == 0 && f.Rule.Text == "" {
		return nil
	}
	o := &f.Owner
	c := &culpritJSON{
		PID: o.Process.PID, Process: o.Process.Comm, Unit: o.Unit, Container: o.Container.Name, Pod: o.Pod.Name, Count: f.OwnerCount,
	}
	if o.Socket != nil {
		c.Socket = o.Socket.Inode
	}
	switch {
	case f.OwnerCount == 0:
	case o.Guessed():
		c.Confidence = event.Likely.String()
	default:
		c.Confidence = event.Certain.String()
	}
	c.Rule = f.Rule.json()
	return c
}

// json is nil if there is no rule.
func (r *Rule) json() *ruleJSON {
	if r.Text == "" {
		return nil
	}
	return &ruleJSON{r.Text, r.Confidence}
}

// argsJSON are numbers and texts, by what they are called.
func argsJSON(args []event.Arg) map[string]any {
	all := make(map[string]any)
	for _, a := range args {
		all[a.Name] = a.Number
		if a.Text != "" {
			all[a.Name] = a.Text
		}
	}
	return all
}

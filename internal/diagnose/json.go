package diagnose

import (
	"encoding/json"
	"io"
	"time"

	"dropwatch/internal/conntrack"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/routing"
)

// findingJSON is a line of kind finding.
type findingJSON struct {
	Kind      string            `json:"kind"`
	Rank      int               `json:"rank,omitempty"` // noise has none
	ID        string            `json:"id"`
	Layer     string            `json:"layer,omitempty"`
	Module    string            `json:"module,omitempty"`
	Class     string            `json:"class,omitempty"`
	Severity  string            `json:"severity"`
	Count     uint64            `json:"count"`
	Parts     []Part            `json:"parts,omitempty"` // of count by what names them, if that is several; the first is id
	Rate      float64           `json:"rate"`
	Steady    bool              `json:"steady,omitempty"`
	Segments  uint64            `json:"segments"`
	Unseen    uint64            `json:"unseen,omitempty"` // beside count: by a counter alone
	Reason    string            `json:"reason,omitempty"`
	Location  string            `json:"location,omitempty"`
	IfName    string            `json:"ifname,omitempty"`
	Netns     string            `json:"netns,omitempty"`
	NetnsID   uint32            `json:"netns_inode,omitempty"`
	InNetns   *processJSON      `json:"netns_process,omitempty"` // by which commands enter it
	Spaces    []spaceJSON       `json:"namespaces,omitempty"`    // of one in many; netns is the first
	Cause     string            `json:"cause,omitempty"`
	Usual     []string          `json:"usual,omitempty"`
	Args      map[string]any    `json:"args,omitempty"`      // numbers and texts, by what they are called
	Points    []pointJSON       `json:"points,omitempty"`    // where they were lost, with what the kernel knew there
	Egress    string            `json:"egress,omitempty"`    // interface
	Routes    []routing.DeadEnd `json:"routes,omitempty"`    // one of which dropped
	Hop       routing.Hop       `json:"hop,omitzero"`        // the route of packets whose TTL expired
	Answer    *ruleJSON         `json:"icmp_lost,omitempty"` // the rule that dropped the ICMP errors which answer the packets
	Culprit   *culpritJSON      `json:"culprit,omitempty"`
	Flows     []flowJSON        `json:"flows"`
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
	Local   string       `json:"local"`
	Inode   uint64       `json:"inode"`
	Process *processJSON `json:"process,omitempty"`
	Accepts bool         `json:"accepts"` // also those to the address of the flow
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

// spaceJSON is a network namespace with the drops in it.
type spaceJSON struct {
	Netns   string `json:"netns,omitempty"`
	NetnsID uint32 `json:"netns_inode,omitempty"`

	InNetns *processJSON `json:"netns_process,omitempty"`

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

type settingJSON struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin,omitempty"`
	Limit  bool   `json:"limit"` // whether it may be what limits; otherwise advice says why not
	Advice string `json:"advice,omitempty"`
}

type culpritJSON struct {
	PID        uint32 `json:"pid,omitempty"`
	Process    string `json:"process,omitempty"`
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

type flowJSON struct {
	endpointsJSON
	Flags string `json:"flags,omitempty"`
	Count uint64 `json:"count"`
}

func (f Flow) json() endpointsJSON {
	j := endpointsJSON{Protocol: f.Protocol}
	if f.Src.IsValid() {
		j.Src, j.Dst = endpoint(f.Src), endpoint(f.Dst)
	}
	return j
}

type counterJSON struct {
	Name   string `json:"name"`
	IfName string `json:"ifname,omitempty"`
	Change uint64 `json:"change"`
}

// accountJSON is a counter in the reconciliation.
type accountJSON struct {
	counterJSON
	Netns   string `json:"netns,omitempty"`
	NetnsID uint32 `json:"netns_inode,omitempty"`
	Unit    string `json:"unit"`

	// The change is the sum of these.
	Seen            uint64 `json:"seen"`
	Finding         uint64 `json:"finding,omitempty"`         // it has one of its own
	Retransmissions uint64 `json:"retransmissions,omitempty"` // as the findings cause
	Noise           uint64 `json:"noise,omitempty"`
	Unexplained     uint64 `json:"unexplained"`

	RaisedBy []raisedJSON `json:"raised_by,omitempty"` // functions; what is missing of the change is its driver's, or not known
}

// A stateJSON is a line of kind state.
type stateJSON struct {
	Kind     string       `json:"kind"`
	ID       string       `json:"id"`
	Layer    string       `json:"layer"`
	Module   string       `json:"module"`
	Class    string       `json:"class"`
	Severity string       `json:"severity"`
	IfName   string       `json:"ifname,omitempty"`
	Netns    string       `json:"netns,omitempty"`
	NetnsID  uint32       `json:"netns_inode,omitempty"`
	InNetns  *processJSON `json:"netns_process,omitempty"`
	Object   string       `json:"object,omitempty"`
	About    string       `json:"about,omitempty"`
	Value    uint64       `json:"value"`
	Limit    uint64       `json:"limit"`
	Cause    string       `json:"cause"`
	Usual    []string     `json:"usual,omitempty"`
	Culprit  *culpritJSON `json:"culprit,omitempty"`
	Check    []string     `json:"check"`
	Fix      []string     `json:"fix"`
}

// WriteJSON writes a line for each finding, with those of noise, and for each state, and one
// of kind end.
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
	end := struct {
		Kind           string        `json:"kind"`
		Verdict        string        `json:"verdict"`
		Severity       string        `json:"severity,omitempty"`
		Seconds        float64       `json:"seconds"`
		Drops          uint64        `json:"drops"`
		Harmless       uint64        `json:"harmless"`
		Lost           uint64        `json:"lost"`
		Recording      *recordJSON   `json:"recording,omitempty"`
		Undecided      int           `json:"undecided,omitempty"`
		Reconciliation []accountJSON `json:"reconciliation"`
		Failures       []string      `json:"failures,omitempty"`
	}{
		Kind: "end", Verdict: d.Verdict(), Seconds: d.Interval.Seconds(), Drops: d.Drops, Harmless: d.Harmless,
		Lost: d.Ledger.TotalLost(), Undecided: len(d.Undecided),
	}
	if worst := d.Worst(); worst != 0 {
		end.Severity = worst.String()
	}
	end.Recording = d.Recording.json()
	end.Reconciliation = d.reconciliation()
	for i := range d.Failures {
		end.Failures = append(end.Failures, d.Failures[i].Error())
	}
	return encoder.Encode(end)
}

// recordJSON is where a diagnosis that is not of this host comes from.
type recordJSON struct {
	Host     string     `json:"host"`
	Kernel   string     `json:"kernel"`
	Counters bool       `json:"counters"`
	From     *time.Time `json:"from,omitempty"` // when the first counters were read
	Until    *time.Time `json:"until,omitempty"`
}

func (r *Recording) json() *recordJSON {
	if r == nil {
		return nil
	}
	j := &recordJSON{Host: r.Host, Kernel: r.Kernel, Counters: r.Counters}
	if r.Counters {
		j.From, j.Until = &r.From, &r.Until
	}
	return j
}

func (d *Diagnosis) reconciliation() []accountJSON {
	all := []accountJSON{}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		j := accountJSON{
			counterJSON: counterJSON{a.ID(), a.IfName, a.Delta}, Netns: a.Netns.Name, NetnsID: a.Netns.Inode,
			Unit: a.Meaning.Entry.Unit.String(), Seen: a.Seen, RaisedBy: raisedJSONOf(a),
		}
		switch d.Remainder(a) {
		case OwnFinding:
			j.Finding = a.Rest
		case Retransmissions:
			j.Retransmissions = a.Rest
		case NoAttention:
			j.Noise = a.Rest
		case Unexplained:
			j.Unexplained = a.Rest
		}
		all = append(all, j)
	}
	return all
}

func (f *Finding) json() findingJSON {
	j := findingJSON{
		Kind: "finding", Rank: f.Rank, ID: f.ID, Severity: f.Severity().String(), Count: f.Count, Parts: f.Parts,
		Rate: f.Rate, Steady: f.Steady, Segments: f.Segments, Unseen: f.Unseen, Reason: f.Reason, Location: f.Location, IfName: f.IfName,
		Netns: f.Netns.Name, NetnsID: f.Netns.Inode, InNetns: inNetnsJSON(f.InNetns),
		Cause: f.Meaning.Cause, Args: argsJSON(f.Args), Egress: f.Egress, Routes: f.Routes, Hop: f.Hop,
		Culprit: f.culprit(), Flows: []flowJSON{}, Counters: []counterJSON{}, Settings: []settingJSON{},
		Check: append([]string{}, f.Meaning.Check...), Fix: fixJSON(&f.Meaning),
	}
	if e := f.Meaning.Entry; e != nil {
		j.Layer, j.Module, j.Class, j.Usual = e.Layer.String(), e.Module, f.Meaning.Class.String(), f.Meaning.Usual
	}
	j.Points = pointsJSON(f.Points)
	j.Answer, j.Sender = f.AnswerLost.json(), f.Sender.json()
	j.Resent, j.SentAgain = f.Resent.json(), sentAgainOf(f.SentAgain)
	if f.Conntrack.State != "" {
		j.Conntrack = &f.Conntrack
	}
	for _, flow := range f.Flows {
		j.Flows = append(j.Flows, flowJSON{flow.Flow.json(), flow.Flags, flow.Count})
	}
	j.Followed = followedJSONOf(f.Followed)
	for _, n := range f.Namespaces {
		j.Spaces = append(j.Spaces, spaceJSON{n.Netns.Name, n.Netns.Inode, inNetnsJSON(n.InNetns), n.Count})
	}
	for i := range f.Counters {
		c := &f.Counters[i]
		j.Counters = append(j.Counters, counterJSON{c.ID(), c.IfName, c.Delta})
	}
	for i := range f.Objects {
		o := &f.Objects[i]
		j.Objects = append(j.Objects, objectJSON{o.ID(), o.Object, o.Value, o.Limit, o.Delta, o.Inode})
	}
	for i := range f.Listeners {
		l := &f.Listeners[i]
		j.Listeners = append(j.Listeners, listenerJSON{l.String(), l.Inode, inNetnsJSON(l.Process), l.Accepts})
	}
	for _, s := range f.Settings {
		one := settingJSON{Name: s.Name, Value: s.Value, Origin: s.Origin, Limit: s.NotTheLimit == "", Advice: s.NotTheLimit}
		if one.Limit && s.About != nil {
			one.Advice = s.About.Advice
		}
		j.Settings = append(j.Settings, one)
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

func (s *State) json() stateJSON {
	e, f := s.Meaning.Entry, Finding{Owner: s.Owner}
	if len(s.Owner.AppendTo(nil)) > 0 {
		f.OwnerCount = 1
	}
	j := stateJSON{
		Kind: "state", ID: s.ID(), Layer: e.Layer.String(), Module: e.Module, Class: s.Meaning.Class.String(),
		Severity: s.Meaning.Severity.String(), IfName: s.IfName,
		Netns: s.Netns.Name, NetnsID: s.Netns.Inode, InNetns: inNetnsJSON(s.InNetns),
		Object: s.Object, About: s.About, Value: s.Value, Limit: s.Limit, Cause: s.Meaning.Cause, Usual: s.Meaning.Usual,
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

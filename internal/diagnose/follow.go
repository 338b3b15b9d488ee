package diagnose

import (
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/tally"
)

// MaxFollowed is how many flows a Collector has followed at most.
const MaxFollowed = 3

// Of how many flows it is counted which are the largest, and for how long between two that are followed.
const (
	maxCandidates = 64
	chooseTime    = time.Second
)

// A follows is which flows are followed.
type follows struct {
	candidates *tally.Tally[Flow, struct{}]
	chosen     []Flow
	next       time.Time // when the next one is chosen
}

// follow counts n packets of a flow that were lost or sent again, and has the largest flow followed that is not yet: the
// first at once, another after each second, so that a large one is not left out for those that came before it.
func (c *Collector) follow(e *event.Event, n uint64) {
	f, ok := flowOf(&e.Packet)
	s := &c.follows
	if c.Follow == nil || len(s.chosen) == MaxFollowed || !ok || !f.Src.IsValid() || e.Aggregate {
		return
	}
	if s.candidates == nil {
		s.candidates = tally.New[Flow, struct{}](maxCandidates, nil)
	}
	s.candidates.Add(f, n)
	if e.Time.Before(s.next) {
		return
	}
	if largest := s.largest(); largest != (Flow{}) {
		s.chosen, s.next = append(s.chosen, largest), e.Time.Add(chooseTime)
		c.Follow(largest)
	}
}

// largest returns the largest flow that is not followed; zero if there is none.
func (s *follows) largest() (f Flow) {
	var most uint64
	for e := range s.candidates.All {
		if e.Count > most && !slices.Contains(s.chosen, e.Key) {
			f, most = e.Key, e.Count
		}
	}
	return f
}

// A Followed is what became of the packets of a flow since it was chosen, in the network namespaces that they passed. The
// port of a client is that of any.
type Followed struct {
	Flow Flow
	In   []FollowedIn
}

// A FollowedIn is what became of them in a network namespace.
type FollowedIn struct {
	Netns event.Netns
	flows.Account
}

// AddFollowed adds to the findings what became of the packets of their flows, as far as any passed.
func (d *Diagnosis) AddFollowed(all []Followed) {
	for i := range d.Findings {
		f := &d.Findings[i]
		for _, followed := range all {
			if in := f.passed(&followed); len(in) > 0 && f.has(followed.Flow) {
				f.Followed = append(f.Followed, Followed{followed.Flow, in})
			}
		}
	}
}

// passed returns where packets of a flow passed: of a loopback address, which each network namespace has, in that of the
// finding alone. Elsewhere packets that may be of the flow are no sign of it.
func (f *Finding) passed(followed *Followed) (in []FollowedIn) {
	for _, one := range followed.In {
		own := one.Netns.Inode == f.Netns.Inode
		elsewhere := one.HasSeen() && !followed.Flow.Src.Addr().IsLoopback()
		if one.Verdict() != flows.NothingSeen && (own || elsewhere) {
			in = append(in, one)
		}
	}
	return in
}

// has reports whether packets of a flow are among those of the finding.
func (f *Finding) has(flow Flow) bool {
	merged := flow.merged()
	same := append(merged[:], flow)
	isPeer := func(p Peer) bool { return p.Addr == flow.Dst.Addr() }
	return slices.ContainsFunc(f.Flows, func(c FlowCount) bool { return slices.Contains(same, c.Flow) }) ||
		f.Resent != nil && flow.Protocol == "tcp" && slices.ContainsFunc(f.Resent.Peers, isPeer)
}

// appendFollowed appends each flow that was followed, and what became of its packets.
func (f *Finding) appendFollowed(p *paragraph) {
	for i := range f.Followed {
		followed := &f.Followed[i]
		for j := range followed.In {
			in := &followed.In[j]
			where := ""
			if netns := describeNetns(in.Netns, event.Process{}); netns != "" && in.Netns.Inode != f.Netns.Inode {
				where = " in " + netns
			}
			p.prose("followed", followed.Flow.String()+where+": "+in.Text())
		}
	}
}

// A followedJSON is what became of the packets of a flow in a network namespace.
type followedJSON struct {
	endpointsJSON
	netnsJSON
	Verdict   string  `json:"verdict"`
	Received  uint64  `json:"received"`
	Delivered *uint64 `json:"delivered,omitempty"` // nil: it is not known
	Forwarded uint64  `json:"forwarded"`
	SentOwn   uint64  `json:"sent_own"`
	Waiting   uint64  `json:"waiting"`
	Dropped   uint64  `json:"dropped"`
	Text      string  `json:"text"`
}

// followedJSONOf are those of a finding.
func followedJSONOf(all []Followed) (lines []followedJSON) {
	for i := range all {
		for j := range all[i].In {
			in := &all[i].In[j]
			line := followedJSON{
				endpointsJSON: all[i].Flow.json(), netnsJSON: netnsJSONOf(in.Netns, event.Process{}), Verdict: in.Verdict().String(),
				Received: in.Received, Forwarded: in.Forwarded, SentOwn: in.Own, Waiting: in.Waiting, Dropped: in.Dropped, Text: in.Text(),
			}
			if !in.Blind {
				line.Delivered = &in.Delivered
			}
			lines = append(lines, line)
		}
	}
	return lines
}

package diagnose

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/nftables"
	"dropwatch/internal/settings"
)

// A Host answers what findings need to know of a host besides drops and counters. Of a
// running one that is how it is now. Its answers can be kept, as in a recording, and given
// again by a Host of them, on any machine. It is not safe for concurrent use.
type Host struct {
	live       *host.Host // nil: there are only answers
	settings   *settings.Reader
	owner      func(inode uint64) event.Owner
	namespaces map[uint32]host.Netns        // nil: not needed yet
	rulesets   map[uint32]*nftables.Ruleset // by network namespace; nil: it cannot be read
	programs   map[string]bool              // that the host lacks, or not
	tables     map[uint32]string            // names of routing tables; nil: not needed yet
	answers    map[string]json.RawMessage
	keep       func(question string, answer []byte)
}

// NewHost returns the host whose files h reads: its files of sysctl.d now, and its network
// namespaces when they are first needed. Owner returns the owner of a socket by its inode
// number; nil: none is known.
func NewHost(h *host.Host, owner func(inode uint64) event.Owner) *Host {
	return &Host{live: h, settings: settings.New(h), owner: owner, programs: make(map[string]bool)}
}

// RecordedHost returns the host that has given answers, by their questions, as
// [Host.Keep] had them. What it was not asked then, it does not know.
func RecordedHost(answers map[string]json.RawMessage) *Host { return &Host{answers: answers} }

// Keep has each further answer handed over, as JSON. The same question may be asked again,
// and have another answer.
func (h *Host) Keep(keep func(question string, answer []byte)) { h.keep = keep }

// ask returns the answer to a question, which must say all that the answer depends on. Read
// reads it from a running host. What is not known is zero.
func ask[T any](h *Host, question string, read func() T) (answer T) {
	if h.live == nil {
		text, known := h.answers[question]
		if !known || json.Unmarshal(text, &answer) != nil { // which may leave a part of it
			return *new(T)
		}
		return answer
	}
	answer = read()
	if h.keep != nil {
		if text, err := json.Marshal(answer); err == nil {
			h.keep(question, text)
		}
	}
	return answer
}

// within calls get on a thread in a network namespace; 0 is that of this process. It
// fails if the namespace is gone, or as get does.
func (h *Host) within(netns uint32, get func() error) error {
	if netns == 0 || netns == h.live.Netns() {
		return get()
	}
	return h.live.InNetns(h.liveNamespaces()[netns], get)
}

// liveNamespaces are those of the running host, listed once.
func (h *Host) liveNamespaces() map[uint32]host.Netns {
	if h.namespaces == nil {
		h.namespaces = h.live.NetworkNamespaces()
	}
	return h.namespaces
}

// ownNetns is the inode number of dropwatch's own network namespace.
func (h *Host) ownNetns() uint32 { return ask(h, "own netns", func() uint32 { return h.live.Netns() }) }

// processIn is a process in a network namespace, zero if none is known.
func (h *Host) processIn(netns uint32) (p event.Process) {
	p.PID = ask(h, fmt.Sprintf("process in netns %d", netns), func() uint32 { return h.liveNamespaces()[netns].PID })
	if p.PID != 0 {
		p.Confidence = event.Certain
		p.Comm = ask(h, fmt.Sprintf("name of process %d", p.PID), func() string { return h.live.Comm(p.PID) })
	}
	return p
}

// ruleset returns the rules of nftables in a network namespace, nil if they cannot be read:
// that is a Failure of the counters already.
func (h *Host) ruleset(netns uint32) *nftables.Ruleset {
	rules, known := h.rulesets[netns]
	if known {
		return rules
	}
	_ = h.within(netns, func() (err error) {
		rules, err = nftables.Read()
		return err
	})
	if h.rulesets == nil {
		h.rulesets = make(map[uint32]*nftables.Ruleset)
	}
	h.rulesets[netns] = rules
	return rules
}

// chains are those of nftables in a network namespace that hooks call.
func (h *Host) chains(netns uint32) []nftables.Chain {
	return ask(h, fmt.Sprintf("chains %d", netns), func() []nftables.Chain {
		if rules := h.ruleset(netns); rules != nil {
			return rules.Chains()
		}
		return nil
	})
}

// A suspectsAnswer has what may drop a packet, if that could be found out.
type suspectsAnswer struct {
	Known    bool               `json:"known"`
	Suspects []nftables.Suspect `json:"suspects,omitempty"`
}

// suspects are the rules that may drop a packet at a hook, false if that is not known.
func (h *Host) suspects(netns uint32, hook string, p *nftables.Packet) ([]nftables.Suspect, bool) {
	a := ask(h, fmt.Sprintf("rules %d %s %016x", netns, hook, hash(p)), func() (a suspectsAnswer) {
		rules := h.ruleset(netns)
		if rules == nil {
			return a
		}
		err := h.within(netns, func() (err error) {
			a.Suspects, err = rules.Suspects(hook, p)
			return err
		})
		a.Known = err == nil
		return a
	})
	return a.Suspects, a.Known
}

// hash stands for a packet in a question.
func hash(p *nftables.Packet) uint64 {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%x %x %t %d %d %s", p.Link, p.Network, p.Whole, p.Proto, p.Port.IfIndex, p.Port.IfName)
	return sum.Sum64()
}

// A valueAnswer is a setting of a network namespace.
type valueAnswer struct {
	Name   string `json:"name,omitempty"` // empty: it has no such setting
	Value  string `json:"value,omitempty"`
	Origin string `json:"origin,omitempty"`
}

// readSettings returns those of several settings that a network namespace has, as
// [settings.Reader.ReadAll] does.
func (h *Host) readSettings(n event.Netns, names []string, ifname string) (all []settings.Setting) {
	for _, name := range settings.Deciding(names) {
		a := ask(h, fmt.Sprintf("setting %d %s %s", n.Inode, name, ifname), func() (a valueAnswer) {
			for _, s := range h.settings.ReadAll(n, []string{name}, ifname) {
				a = valueAnswer{s.Name, s.Value, s.Origin}
			}
			return a
		})
		known := slices.ContainsFunc(all, func(s settings.Setting) bool { return s.Name == a.Name })
		if a.Name != "" && !known { // that of all interfaces, once
			about, _ := settings.Find(a.Name)
			all = append(all, settings.Setting{Name: a.Name, Value: a.Value, Origin: a.Origin, About: about})
		}
	}
	return all
}

// An ownerAnswer is the owner of a socket.
type ownerAnswer struct {
	PID        uint32           `json:"pid,omitempty"`
	Process    string           `json:"process,omitempty"`
	Confidence event.Confidence `json:"confidence,omitempty"`
	Cgroup     string           `json:"cgroup,omitempty"`
	Unit       string           `json:"unit,omitempty"`
	Container  string           `json:"container,omitempty"` // its ID
	Runtime    string           `json:"runtime,omitempty"`
	Name       string           `json:"name,omitempty"` // of the container
	Pod        string           `json:"pod,omitempty"`
	PodUID     string           `json:"pod_uid,omitempty"`
	PodSpace   string           `json:"pod_namespace,omitempty"`
	Socket     *socketAnswer    `json:"socket,omitempty"`
}

// A socketAnswer is what names the direction of an owner.
type socketAnswer struct {
	Inode      uint64           `json:"inode,omitempty"`
	Family     uint16           `json:"family,omitempty"`
	Receiver   bool             `json:"receiver,omitempty"`
	Confidence event.Confidence `json:"confidence,omitempty"`
}

// ownerOf returns the owner of a socket by its inode number.
func (h *Host) ownerOf(inode uint64) event.Owner {
	a := ask(h, fmt.Sprintf("owner of socket %d", inode), func() ownerAnswer {
		if h.owner == nil {
			return ownerAnswer{}
		}
		return answerOf(h.owner(inode))
	})
	o := event.Owner{
		Process: event.Process{PID: a.PID, Comm: a.Process, Confidence: a.Confidence}, Cgroup: event.Cgroup{Path: a.Cgroup}, Unit: a.Unit,
		Container: event.Container{ID: a.Container, Runtime: a.Runtime, Name: a.Name},
		Pod:       event.Pod{UID: a.PodUID, Namespace: a.PodSpace, Name: a.Pod},
	}
	if s := a.Socket; s != nil {
		o.Socket = &event.Socket{Inode: s.Inode, Family: s.Family, Receiver: s.Receiver, Confidence: s.Confidence}
	}
	return o
}

// answerOf is what is kept of an owner, without what no finding shows.
func answerOf(o event.Owner) ownerAnswer {
	a := ownerAnswer{
		PID: o.Process.PID, Process: o.Process.Comm, Confidence: o.Process.Confidence, Cgroup: o.Cgroup.Path, Unit: o.Unit,
		Container: o.Container.ID, Runtime: o.Container.Runtime, Name: o.Container.Name,
		Pod: o.Pod.Name, PodUID: o.Pod.UID, PodSpace: o.Pod.Namespace,
	}
	if s := o.Socket; s != nil {
		a.Socket = &socketAnswer{s.Inode, s.Family, s.Receiver, s.Confidence}
	}
	return a
}

// Ask asks the host for what the findings need to know of it: addresses that another host has,
// too, a process in each network namespace without a name, settings, chains of a firewall,
// routes, connections, listening sockets, senders on this host, and the owners of sockets. What it does not say is left out.
func (d *Diagnosis) Ask(h *Host) {
	d.findMisaddressed(h)
	d.findDuplicates(h) // it and what follows find narrower causes, which have commands and settings of their own
	d.readRoutes(h)
	d.readListeners(h)
	d.findGroups(h)
	d.findPorts(h)
	d.findPeers(h)
	d.readRules(h)
	d.readQueues(h)
	d.readElements(h)
	d.readLimits(h)
	d.nameErrorsLost()
	d.readConnections(h)
	d.findInvalid()
	d.findSenders(h)
	d.findOwners(h)
	d.findCgroupPrograms(h)
	d.findIgnored(h)
	d.rank(slices.Concat(d.Findings, d.Noise)) // whose severities may be others now
	d.findNamespaces(h)
	d.readSettings(h)
	d.findPrograms(h)
}

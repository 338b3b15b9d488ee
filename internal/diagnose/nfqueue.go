package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/nftables"
)

// An NFQueue is a queue of packets that wait for the verdict of a program.
type NFQueue struct {
	Number  uint16
	PortID  uint32        // of the netlink socket of the program that reads it; 0: none does
	Process event.Process // that has the socket; zero if it is not known
	Waiting uint64        // packets
}

// queueAnswer is a queue with a reader, a line of /proc/net/netfilter/nfnetlink_queue.
type queueAnswer struct {
	Number  uint16 `json:"number"`
	PortID  uint32 `json:"port_id"`
	Inode   uint64 `json:"inode,omitempty"` // of the reader's socket, 0 if it was not found
	Waiting uint64 `json:"waiting"`
}

// queuesAnswer has all queues with a reader in a network namespace, if that could be found out.
type queuesAnswer struct {
	Known  bool          `json:"known"`
	Queues []queueAnswer `json:"queues,omitempty"`
}

// The counters of what is lost at queues with a reader, by what was full.
const (
	queueFull  = "nfqueue.queue_dropped"
	bufferFull = "nfqueue.queue_user_dropped"
)

// findQueueRules keeps the rules of iptables that passed packets to a queue. Those of nftables are read later.
func (f *Finding) findQueueRules(rows []counters.Row) {
	if !f.mayBe(knowledge.NoReader) {
		return
	}
	for i := range rows {
		r := &rows[i]
		if r.Group == counters.IPTables && r.Delta > 0 && strings.Contains(r.Object, "-j NFQUEUE ") && f.atHook(r.Hook) && f.isIn(r) {
			f.queueRules = append(f.queueRules, queueRule{ruleText(r), queuesIn(r.Object)})
		}
	}
}

// A queueRule is a rule that passes packets to queues.
type queueRule struct {
	text string
	nftables.Queues
}

// queuesIn reads the options of a rule, as [nftables.Queues.Options] writes them.
func queuesIn(rule string) (q nftables.Queues) {
	if _, options, ok := strings.Cut(rule, "--queue-balance "); ok {
		_, _ = fmt.Sscanf(options, "%d:%d", &q.First, &q.Last)
	} else if _, options, ok := strings.Cut(rule, "--queue-num "); ok {
		_, _ = fmt.Sscanf(options, "%d", &q.First)
		q.Last = q.First
	}
	return q
}

// readQueues finds the rules that passed packets to a queue which took none of them, who reads that, and so what was wrong:
// nobody did, or what was full.
func (d *Diagnosis) readQueues(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if !f.mayBe(knowledge.NoReader) || len(f.Namespaces) > 0 {
			continue
		}
		f.setQueueRule(h)
		if a := h.queues(f.Netns.Inode); a.Known {
			f.setQueues(h, a.Queues)
		}
	}
}

// setQueueRule adds the rules of nftables, and has the finding name all.
func (f *Finding) setQueueRule(h *Host) {
	for i := 0; i < len(f.samples) && f.hook != ""; i++ {
		for _, s := range h.queueing(f.Netns.Inode, f.hook, &f.samples[i]) {
			one := queueRule{suspectText(&s), *s.Queues}
			if !slices.Contains(f.queueRules, one) {
				f.queueRules = append(f.queueRules, one)
			}
		}
	}
	var texts []string
	for _, r := range f.queueRules {
		texts = append(texts, r.text)
	}
	switch len(texts) {
	case 0:
	case 1:
		f.Rule = Rule{texts[0], Likely}
	default:
		f.Rule = Rule{strings.Join(texts, "; "), OneOf}
	}
}

// setQueues narrows the finding by the counters of queues that rose, and else by who reads the queues of the rules.
func (f *Finding) setQueues(h *Host, read []queueAnswer) {
	evidence := knowledge.NoReader
	for i := range f.Counters {
		r := &f.Counters[i]
		number, err := strconv.ParseUint(strings.TrimPrefix(r.Object, "queue "), 10, 16)
		switch {
		case err != nil:
			continue
		case r.ID() == bufferFull:
			evidence = knowledge.BufferFull
		case r.ID() == queueFull && evidence == knowledge.NoReader:
			evidence = knowledge.QueueFull
		}
		f.addQueue(h, uint16(number), read)
	}
	if evidence == knowledge.NoReader {
		f.addUnread(h, read)
		if slices.ContainsFunc(f.Queues, func(q NFQueue) bool { return q.PortID != 0 }) {
			return // its reader may have come since
		}
	}
	f.Meaning = f.Meaning.With(evidence, f.event())
}

// addUnread adds the queues of the rules that nobody reads, or all of them if there are none.
func (f *Finding) addUnread(h *Host, read []queueAnswer) {
	const most = 64
	isRead := func(n int) bool {
		return slices.ContainsFunc(read, func(a queueAnswer) bool { return int(a.Number) == n })
	}
	for _, unread := range []bool{true, false} {
		for _, r := range f.queueRules {
			for n := int(r.First); n <= int(r.Last) && len(f.Queues) < most; n++ {
				if isRead(n) != unread {
					f.addQueue(h, uint16(n), read)
				}
			}
		}
		if len(f.Queues) > 0 {
			return
		}
	}
}

// addQueue adds a queue with its reader, once.
func (f *Finding) addQueue(h *Host, number uint16, read []queueAnswer) {
	if slices.ContainsFunc(f.Queues, func(q NFQueue) bool { return q.Number == number }) {
		return
	}
	q := NFQueue{Number: number}
	if i := slices.IndexFunc(read, func(a queueAnswer) bool { return a.Number == number }); i >= 0 {
		q.PortID, q.Waiting = read[i].PortID, read[i].Waiting
		if read[i].Inode != 0 {
			q.Process = h.ownerOf(read[i].Inode).Process
		}
	}
	f.Queues = append(f.Queues, q)
}

// String says who reads the queue: "queue 3 is read by ids/123 (port ID 4711): 16 packets waiting".
func (q *NFQueue) String() string {
	if q.PortID == 0 {
		return fmt.Sprintf("queue %d is read by no program", q.Number)
	}
	reader := fmt.Sprintf("port ID %d", q.PortID)
	if process := q.Process.AppendTo(nil); len(process) > 0 {
		reader = fmt.Sprintf("%s (%s)", process, reader)
	}
	return fmt.Sprintf("queue %d is read by %s: %s", q.Number, reader, event.Plural(q.Waiting, "packet")+" waiting")
}

// appendQueues appends who reads the queues.
func (f *Finding) appendQueues(p *paragraph) {
	label := "about"
	for i := range f.Queues {
		if i == maxObjects {
			p.field("", fmt.Sprintf("and %d more", len(f.Queues)-i))
			break
		}
		p.prose(label, f.Queues[i].String())
		label = ""
	}
}

// nfqueueJSON is a queue of packets that wait for the verdict of a program.
type nfqueueJSON struct {
	Number  uint16       `json:"number"`
	PortID  uint32       `json:"port_id,omitempty"` // of its reader's netlink socket; missing: there is none
	Process *processJSON `json:"process,omitempty"` // that reads it
	Waiting uint64       `json:"waiting"`           // packets
}

func (q *NFQueue) json() nfqueueJSON {
	return nfqueueJSON{q.Number, q.PortID, inNetnsJSON(q.Process), q.Waiting}
}

// queueing are the rules of nftables that may pass a packet to a queue.
func (h *Host) queueing(netns uint32, hook string, p *nftables.Packet) []nftables.Suspect {
	return ask(h, fmt.Sprintf("queueing rules %d %s %016x", netns, hook, hash(p)), func() (all []nftables.Suspect) {
		if rules := h.ruleset(netns); rules != nil {
			_ = h.within(netns, func() (err error) {
				all, err = rules.Queueing(hook, p)
				return err
			})
		}
		return all
	})
}

// queues are those of a network namespace that programs read.
func (h *Host) queues(netns uint32) queuesAnswer {
	return ask(h, fmt.Sprintf("queues %d", netns), func() (a queuesAnswer) {
		_ = h.within(netns, func() error {
			text, err := h.live.ReadFile("proc/thread-self/net/netfilter/nfnetlink_queue")
			if err != nil {
				return err
			}
			sockets, err := h.live.ReadFile("proc/thread-self/net/netlink")
			a = queuesAnswer{Known: true, Queues: parseQueues(string(text), string(sockets))}
			return err
		})
		return a
	})
}

// parseQueues reads nfnetlink_queue (net/netfilter/nfnetlink_queue.c seq_show): the number, the port ID of the reader, the
// packets that wait, and more; and of the netlink sockets those of netfilter with these port IDs.
func parseQueues(queues, sockets string) (all []queueAnswer) {
	const netfilter = "12" // NETLINK_NETFILTER
	inodes := make(map[string]uint64)
	for line := range strings.Lines(sockets) {
		if f := strings.Fields(line); len(f) >= 10 && f[1] == netfilter { // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
			inodes[f[2]], _ = strconv.ParseUint(f[9], 10, 64)
		}
	}
	for line := range strings.Lines(queues) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		number, err1 := strconv.ParseUint(f[0], 10, 16)
		port, err2 := strconv.ParseUint(f[1], 10, 32)
		waiting, err3 := strconv.ParseUint(f[2], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			all = append(all, queueAnswer{uint16(number), uint32(port), inodes[f[1]], waiting})
		}
	}
	return all
}

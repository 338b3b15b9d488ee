package jsonl

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
)

// A Follow formats what became of the packets of some flows as lines of kind follow, for each interface and second,
// and at the end as lines of kind followed, for each network namespace. It goes before a [Sink] that writes to the same
// file, so that the ledger is the last line.
type Follow struct {
	lines *Sink
	blind bool
	netns func(inode uint32) string
}

// NewFollow returns a Follow, of the options with the host only. Blind says that deliveries are not known. Netns
// returns the name of a namespace, empty if it has none.
func NewFollow(o Options, blind bool, netns func(inode uint32) string) *Follow {
	return &Follow{lines: New(nil, o), blind: blind, netns: netns}
}

// Second appends a line for each interface.
func (f *Follow) Second(b []byte, at time.Time, rows []flows.Row, _ []flows.CauseCount) []byte {
	for i := range rows {
		b = f.row(b, at, &rows[i])
	}
	return b
}

// row appends what grew at an interface in a second.
func (f *Follow) row(b []byte, at time.Time, r *flows.Row) []byte {
	b = f.lines.begin(b, "follow", at)
	b = f.namespace(b, r.Netns)
	b = appendPort(b, &event.Port{IfIndex: r.IfIndex, IfName: r.IfName})
	b = appendNumber(b, "received", r.Received())
	if !f.blind {
		b = appendNumber(b, "delivered", r.Packets[flows.Delivered])
	}
	b = appendNumber(b, "forwarded", r.Packets[flows.Forwarded])
	b = appendNumber(b, "sent", r.Sent())
	b = appendNumber(b, "waiting", r.Waiting())
	b = appendNumber(b, "dropped", r.Dropped)
	b = appendNumber(b, "harmless", r.Harmless)
	b = appendNumber(b, "undecided", r.Packets[flows.Undecided])
	b = appendNumber(b, "received_buffers", r.ReceivedBuffers())
	return finish(appendNumber(b, "sent_buffers", r.SentBuffers()))
}

// namespace appends a network namespace with its name; nothing if it is not known (0), for which no name is looked up.
func (f *Follow) namespace(b []byte, inode uint32) []byte {
	if inode == 0 {
		return b
	}
	return appendNetns(b, &event.Netns{Inode: inode, Name: f.netns(inode)})
}

// End appends a line for each namespace.
func (f *Follow) End(b []byte, at time.Time, _ []flows.Row, accounts []flows.Account) []byte {
	for i := range accounts {
		b = f.account(b, at, &accounts[i])
	}
	return b
}

// account appends what a namespace did with the packets.
func (f *Follow) account(b []byte, at time.Time, a *flows.Account) []byte {
	b = f.lines.begin(b, "followed", at)
	b = f.namespace(b, a.Netns)
	b = appendWord(b, "verdict", a.Verdict().String())
	b = appendNumber(b, "received", a.Received)
	if !f.blind {
		b = appendNumber(b, "delivered", a.Delivered)
	}
	b = appendNumber(b, "forwarded", a.Forwarded)
	b = appendNumber(b, "sent_own", a.Own)
	b = appendNumber(b, "waiting", a.Waiting)
	b = appendNumber(b, "dropped", a.Dropped)
	return finish(appendText(b, "text", a.Text()))
}

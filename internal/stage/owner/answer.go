package owner

import (
	"time"

	"dropwatch/internal/event"
)

// maxAnswers is how many sockets are remembered before all are forgotten. Each takes some 100 bytes.
const maxAnswers = 1 << 15

// A key identifies a socket: by its cookie, or by its inode if it was found by addresses.
type key uint64

// keyOf is what a socket is found by: its cookie, or else its inode number.
func keyOf(s *event.Socket) key {
	const byInode = 1 << 62 // above every cookie and every hash of an address, and below addresses in the kernel
	if s.Cookie != 0 {
		return key(s.Cookie)
	}
	return key(s.Inode | byInode)
}

// An answer is what is known of a socket. Times are since the finder was made. There is one for each of many sockets,
// which come in any order: the smaller it is the more of them the caches of a CPU have.
type answer struct {
	inode, cgroup uint64
	who           *identity     // nil: nobody has looked yet
	expires       time.Duration // when the process is looked for again
	held          time.Duration // when a process last had it
	by            holder        // the process that has it, or had it; none: it is not known
	reading       uint32        // of open files, by which by is known
	pending       bool          // the process was not found, but may be when the processes have been read
}

// fits reports whether the answer is about that socket. The cookie may stand for an address in the
// kernel, which another socket may have later. A socket that was closed has no inode.
func (a *answer) fits(o *event.Owner) bool {
	return (o.Cgroup.ID == 0 || o.Cgroup.ID == a.cgroup) && (o.Socket.Inode == 0 || o.Socket.Inode == a.inode)
}

// process returns the process that has the socket.
func (a *answer) process() event.Process {
	switch {
	case a.by.pid == 0:
		return event.Process{}
	case a.by.shared:
		return event.Process{PID: a.by.pid, Comm: a.who.owner.Process.Comm, Confidence: event.Likely}
	}
	return event.Process{PID: a.by.pid, Comm: a.who.owner.Process.Comm, Confidence: event.Certain}
}

// complete sets everything of an owner that its socket leads to.
func (f *finder) complete(o *event.Owner, t *event.Task, now time.Time) {
	k := keyOf(o.Socket)
	a := f.answers[k]
	if !a.fits(o) {
		a = answer{inode: o.Socket.Inode, cgroup: o.Cgroup.ID}
	}
	if f.isOld(&a, now) {
		f.refresh(&a, t, now)
		keep(f.answers, k, a, maxAnswers)
	}
	socket := o.Socket
	*o = a.who.owner
	o.Socket, o.Process, o.Pending = socket, a.process(), a.pending || a.who.owner.Pending
	if o.Process.Confidence == event.Certain && (socket.Confidence != event.Certain || socket.Inode == 0) {
		o.Process.Confidence = event.Likely
	}
}

// isOld reports whether an answer must be looked up again. It renews the identity if that is due.
func (f *finder) isOld(a *answer, now time.Time) bool {
	if a.who == nil {
		return true
	}
	if !a.who.replaced && !now.Before(a.who.expires) {
		f.renew(a.who, now)
	}
	f.holders.poll()
	return a.who.replaced || a.reading != f.holders.number || now.Sub(f.began) >= a.expires
}

// refresh looks up again which process has a socket. What is not found any more stays as it was.
func (f *finder) refresh(a *answer, t *event.Task, now time.Time) {
	since := now.Sub(f.began)
	held, ok, pending := f.holder(a.inode, now)
	a.reading, a.expires = f.holders.number, since+f.holders.remaining(now)
	if !ok {
		held, ok = f.probe(a.inode, t, now)
		a.expires = since + pause // a reading may begin by then
	}
	switch {
	case ok:
		a.held, a.by = since, held
	case since-a.held >= heldTTL:
		a.by = holder{}
	default:
		a.by.shared = true // or has been closed
	}
	a.pending = pending && a.by.pid == 0
	if ok || a.who == nil || a.who.of.pid == 0 {
		a.who = f.identify(belonging{a.by.pid, a.cgroup}, now)
	}
}

// holder returns the process that has a socket; none if the socket has no inode.
func (f *finder) holder(inode uint64, now time.Time) (held holder, ok, pending bool) {
	if inode == 0 {
		return held, false, false
	}
	return f.holders.find(inode, now)
}

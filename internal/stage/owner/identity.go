package owner

import (
	"cmp"
	"time"

	"dropwatch/internal/event"
)

// A belonging is what leads to an identity: a process, and the control group that the kernel has for its socket. Each is
// 0 if it is not known.
type belonging struct {
	pid    uint32
	cgroup uint64
}

// An identity is what all sockets of a belonging have in common: an owner without its socket and the number of its process.
type identity struct {
	of       belonging
	owner    event.Owner // without socket and PID
	expires  time.Time   // when it is looked up again
	replaced bool        // by another that says something else; the owner does not change any more
}

// identify returns the identity of a belonging.
func (f *finder) identify(of belonging, now time.Time) *identity {
	who := f.identities[of]
	switch {
	case who == nil:
		who = f.lookUp(&identity{of: of}, now)
		keep(f.identities, of, who, maxKept)
	case !now.Before(who.expires):
		who = f.renew(who, now)
	}
	return who
}

// renew looks up an identity again, and returns it, or the one that replaces it. One that was replaced stays as it is: the
// number of its process may have become that of another.
func (f *finder) renew(who *identity, now time.Time) *identity {
	is := f.lookUp(who, now)
	if is.owner == who.owner {
		who.expires = is.expires
		return who
	}
	who.replaced = true
	keep(f.identities, is.of, is, maxKept)
	return is
}

// lookUp returns an identity as the files say it now. What is not found any more is as it was.
func (f *finder) lookUp(was *identity, now time.Time) *identity {
	is := &identity{of: was.of, owner: was.owner, expires: now.Add(ttl)}
	o := &is.owner
	var p process
	if is.of.pid != 0 {
		p = f.processes.get(is.of.pid, now)
		o.Process.Comm = cmp.Or(p.comm, o.Process.Comm)
	}
	path, ok, unread := f.group(is.of.cgroup, now)
	if o.Cgroup.ID, o.Pending = is.of.cgroup, unread; unread {
		is.expires = now.Add(pause)
	}
	switch {
	case ok:
		o.Cgroup.Path = path
	case is.of.cgroup == 0 && p.cgroup != "":
		o.Cgroup.Path = p.cgroup
	}
	if p.place == (place{}) {
		p.place = f.places.get(path, now)
	}
	if p.place != (place{}) {
		f.label(&p.place, now)
		o.Unit, o.Container, o.Pod = p.unit, p.container, p.pod
	}
	return is
}

// group returns the path of a control group; none if its ID is not known.
func (f *finder) group(id uint64, now time.Time) (path string, ok, pending bool) {
	if id == 0 {
		return "", false, false
	}
	return f.groups.find(id, now)
}

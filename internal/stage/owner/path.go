package owner

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// A place is what the path of a control group says: where its processes run.
type place struct {
	unit      string // of systemd; empty: none
	container event.Container
	pod       event.Pod
	user      uint32 // who runs the container, if not root
}

// or returns a place in which the other one adds what p does not say.
func (p place) or(other place) place {
	if p.container == (event.Container{}) {
		p.container, p.user = other.container, other.user
	}
	p.unit = cmp.Or(p.unit, other.unit)
	p.pod = cmp.Or(p.pod, other.pod)
	return p
}

// placeOf reads the path of a control group. Names that users may have chosen do not count.
func (f *finder) placeOf(path string) place {
	if path == "" {
		return place{}
	}
	p := parsePath(path, len(path))
	if p.container.ID == "" && p.pod.UID == "" {
		return p
	}
	if rooted, ok := f.host.RootCgroups(path); ok {
		return parsePath(path, rooted)
	}
	return p
}

// parsePath finds the unit that systemctl(1) would name (cg_path_get_unit), and the innermost container
// with its pod. Processes of a runtime itself, such as conmon, are not in its container. Only root has
// created the first parts, as many as rooted. Below them, and below the service manager of a user,
// users choose the names: there a container is podman's, of that user, or does not count.
func parsePath(path string, rooted int) place {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for len(parts) > 0 && parts[0] == ".." { // outside the cgroup namespace of this process
		parts = parts[1:]
	}
	p := place{unit: unitOf(parts)}
	user, parent := uint32(0), ""
	for i, part := range parts {
		c, uid := containerOf(parent, part), podOf(part)
		switch {
		case user != 0 && c.Runtime == "podman":
			p.container, p.user = c, user
		case user != 0 || i >= rooted:
		case c.ID != "" && uid != "":
			p.pod, p.container = event.Pod{UID: uid}, c
		case c.ID != "":
			p.container = c
		case uid != "":
			p.pod, p.container = event.Pod{UID: uid}, event.Container{}
		}
		parent, user = part, cmp.Or(user, managerOf(part))
	}
	return p
}

// managerOf returns the user of a user's service manager, user@UID.service; 0 for other units.
func managerOf(part string) uint32 {
	digits, ok := strings.CutPrefix(strings.TrimSuffix(part, ".service"), "user@")
	if !ok || !strings.HasSuffix(part, ".service") {
		return 0
	}
	uid, _ := strconv.ParseUint(digits, 10, 32)
	return uint32(uid)
}

// unitOf returns the first part that is not a slice, if it is a unit.
func unitOf(parts []string) string {
	for _, part := range parts {
		part = strings.TrimPrefix(part, "_") // cg_escape
		switch {
		case !isUnit(part):
			return ""
		case !strings.HasSuffix(part, ".slice"):
			return part
		}
	}
	return ""
}

// unitTypes are the types of systemd.unit(5) that have processes.
var unitTypes = []string{"service", "socket", "mount", "swap", "slice", "scope"}

// isUnit reports whether a name is that of a unit (unit_name_is_valid of systemd), not of a template.
func isUnit(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && len(name) < 256 && name[0] != '@' && name[dot-1] != '@' &&
		slices.Contains(unitTypes, name[dot+1:]) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) && !strings.ContainsRune(`:-_.\@`, r) })
}

// isWord reports whether IDs and names in paths can have the character.
func isWord(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// podOf returns the UID in pod<uid>, or in kubepods-burstable-pod<uid>.slice, where _ stands for -.
func podOf(part string) string {
	part, _, _ = strings.Cut(part, ":") // of runc without systemd: slice:runtime:id
	name, slice := strings.CutSuffix(part, ".slice")
	if slice {
		if !strings.Contains(name, "kubepods") {
			return ""
		}
		name = strings.ReplaceAll(name[strings.LastIndexByte(name, '-')+1:], "_", "-")
	}
	uid, ok := strings.CutPrefix(name, "pod")
	if !ok || len(uid) != 32 && len(uid) != 36 || !isHex(strings.ReplaceAll(uid, "-", "")) {
		return ""
	}
	return uid
}

// runtimes are the names of runtimes, by what they put in front of the ID of a container.
var runtimes = map[string]string{
	"docker": "docker", "cri-containerd": "containerd", "nerdctl": "containerd",
	"crio": "cri-o", "libpod": "podman", "libpod-payload": "podman",
}

// containerOf returns the container that a part of a path, below parent, stands for.
func containerOf(parent, part string) event.Container {
	name, scope := strings.CutSuffix(part, ".scope")
	if i := strings.LastIndexByte(name, ':'); i > 0 {
		name = strings.TrimPrefix(name[strings.IndexByte(name, ':'):i], ":") + "-" + name[i+1:]
	}
	switch {
	case isID(name):
		return event.Container{ID: name, Runtime: runtimes[parent]}
	case parent == "lxc" || parent == "lxc.payload":
		return named("lxc", name)
	case strings.HasPrefix(name, "lxc.payload."):
		return named("lxc", name[len("lxc.payload."):])
	case scope && strings.HasPrefix(name, "machine-") && parent == "machine.slice":
		return machine(name[len("machine-"):])
	case strings.HasPrefix(name, "systemd-nspawn@"):
		return machine(strings.TrimSuffix(name[len("systemd-nspawn@"):], ".service"))
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 && isID(name[i+1:]) && runtimes[name[:i]] != "" {
		return event.Container{ID: name[i+1:], Runtime: runtimes[name[:i]]}
	}
	return event.Container{}
}

// machine returns a container of systemd-nspawn(1). Other managers have virtual machines there.
func machine(escaped string) event.Container {
	name := unescape(escaped)
	if strings.HasPrefix(name, "qemu-") || strings.HasPrefix(name, "lxc-") || strings.HasPrefix(name, "libvirt-") {
		return event.Container{}
	}
	return named("systemd-nspawn", name)
}

// named returns a container whose ID is its name.
func named(runtime, name string) event.Container {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) && !strings.ContainsRune("-_.", r) }) {
		return event.Container{}
	}
	return event.Container{ID: name, Runtime: runtime, Name: name}
}

// unescape undoes the \xNN of systemd-escape(1).
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if c, err := strconv.ParseUint(after[:min(2, len(after))], 16, 8); err == nil && len(after) >= 2 {
			b.WriteByte(byte(c))
			s = after[2:]
			continue
		}
		b.WriteString(`\x`)
		s = after
	}
}

// isID reports whether s has the form of a container ID: 64 hexadecimal digits, in all runtimes.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

// isHex reports whether s is of hexadecimal digits as container runtimes write IDs: in small letters.
func isHex(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !('0' <= r && r <= '9' || 'a' <= r && r <= 'f') })
}

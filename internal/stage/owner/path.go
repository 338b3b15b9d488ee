package owner

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// A place is what the path of a cgroup says.
type place struct {
	unit      string
	container event.Container
	pod       event.Pod
}

// or gives what only the other place says, too.
func (p place) or(other place) place {
	p.unit = cmp.Or(p.unit, other.unit)
	p.container = cmp.Or(p.container, other.container)
	p.pod = cmp.Or(p.pod, other.pod)
	return p
}

// parsePath finds the unit that systemctl(1) would name (cg_path_get_unit), and the
// innermost container with its pod. A runtime's own processes beside a container,
// as conmon, are not in it.
func parsePath(path string) place {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for len(parts) > 0 && parts[0] == ".." { // outside our cgroup namespace
		parts = parts[1:]
	}
	p := place{unit: unitOf(parts)}
	for i, part := range parts {
		parent := ""
		if i > 0 {
			parent = parts[i-1]
		}
		if uid := podOf(part); uid != "" {
			p.pod, p.container = event.Pod{UID: uid}, event.Container{}
		}
		if c := containerOf(parent, part); c.ID != "" {
			p.container = c
		}
	}
	return p
}

// unitOf gives the first part that is a unit but no slice, if only slices are before.
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

// isUnit says whether a name is one of a unit (unit_name_is_valid), which may be an
// instance, but no template.
func isUnit(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && len(name) < 256 && name[0] != '@' && name[dot-1] != '@' &&
		slices.Contains(unitTypes, name[dot+1:]) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) && !strings.ContainsRune(`:-_.\@`, r) })
}

func isWord(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// podOf reads pod<uid>, and kubepods-burstable-pod<uid>.slice with _ for -.
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

// runtimes are named by what they put before the ID of a container.
var runtimes = map[string]string{
	"docker": "docker", "cri-containerd": "containerd", "nerdctl": "containerd",
	"crio": "cri-o", "libpod": "podman", "libpod-payload": "podman",
}

// containerOf reads what stands for a container, in a cgroup of its parent.
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

// machine is a container of systemd-nspawn(1). Those of other managers are virtual
// machines, or named by numbers.
func machine(escaped string) event.Container {
	name := unescape(escaped)
	if strings.HasPrefix(name, "qemu-") || strings.HasPrefix(name, "lxc-") || strings.HasPrefix(name, "libvirt-") {
		return event.Container{}
	}
	return named("systemd-nspawn", name)
}

// named is a container that has a name instead of a number.
func named(runtime, name string) event.Container {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) && !strings.ContainsRune("-_.", r) }) {
		return event.Container{}
	}
	return event.Container{ID: name, Runtime: runtime, Name: name}
}

// unescape undoes \xNN of systemd-escape(1). What is no such is left.
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

// isID says whether s is the ID of a container, as all runtimes have them that
// give out numbers.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !('0' <= r && r <= '9' || 'a' <= r && r <= 'f') })
}

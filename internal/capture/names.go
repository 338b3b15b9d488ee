package capture

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/point"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/suggest"
)

// hostNames lists the fields of an expression whose values are names that exist on
// this host or do not. A missing name is only a warning: an interface or a process
// may appear during the run.
var hostNames = []struct {
	field, missing string
	names          func(*host.Host) []string // nil: the names cannot be read
}{
	{"iface", "there is no interface %s in this network namespace now", interfaceNames},
	{"netns", "there is no network namespace %s now", namespaceNames},
	{"process", "there is no process %s now", processNames},
	{"unit", "there is no unit %s with a process now", unitNames},
	{"container", "there is no container %s with a process now", containerNames},
}

// CheckNames warns about names in an expression that do not exist on this host now,
// with a suggestion where one is close. The error is a *[SpecError] if the
// expression cannot match any drop on this kernel. A nil f has no names.
func (r *Runner) CheckNames(f *filter.Filter) error {
	if err := r.CheckReasons(f); err != nil {
		return err
	}
	for _, text := range r.missingNames(f) {
		r.Notices.Text(text)
	}
	return nil
}

// missingNames returns the warnings about names that do not exist on this host now.
func (r *Runner) missingNames(f *filter.Filter) (warnings []string) {
	for _, h := range hostNames {
		wanted := f.Names(h.field)
		if len(wanted) == 0 {
			continue
		}
		known := r.Values(h.field)
		for _, name := range wanted {
			if known != nil && !hasName(known, name) && !(h.field == "container" && isContainerID(known, name)) {
				warnings = append(warnings, missingName(h.missing, name, suggest.Question(name, known)))
			}
		}
	}
	return warnings
}

// functionFields are the fields of an expression whose values are functions of the
// kernel. A point may be a hardware trap as well.
var functionFields = []string{"point", "symbol", "stack"}

// CheckFunctions warns about functions in an expression that neither the kernel nor
// its modules have, and that are no name of a point: of those that are built in, or of some others.
// It waits for the kernel's symbols if there are any such names.
func (r *Runner) CheckFunctions(f *filter.Filter, points ...point.Point) {
	var wanted []string
	for _, field := range functionFields {
		wanted = append(wanted, f.Names(field)...)
	}
	if len(wanted) == 0 {
		return
	}
	known := r.Symbols.names()
	for _, name := range wanted {
		if len(known) > 0 && !slices.Contains(known, name) && !isTrap(name) && !isPoint(name, points) {
			r.Notices.Text(missingName("there is no function %s in this kernel", name, r.functionMeant(name, known)))
		}
	}
}

// functionMeant asks for what a name may stand for. If it is that of an interface, it
// suggests that: tcpdump's -i takes an interface, and so do users at first. --include and
// --exclude take layers and modules, too.
func (r *Runner) functionMeant(name string, known []string) string {
	if hasName(interfaceNames(r.Host), name) {
		return "did you mean iface " + event.Escape(name) + "?"
	}
	if slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool { return e.Kind == knowledge.Reason }) {
		return "did you mean reason " + event.Escape(name) + "?"
	}
	return suggest.Question(name, slices.Concat(knowledge.NodeNames(), point.Names(), known))
}

// isTrap reports whether a name is that of a hardware trap.
func isTrap(name string) bool {
	return slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool { return e.Kind == knowledge.Trap })
}

// isPoint reports whether a name is that of one of some points, or of one that is built in.
func isPoint(name string, points []point.Point) bool {
	_, builtin := point.Lookup(name)
	return builtin || slices.ContainsFunc(points, func(p point.Point) bool { return p.Name == name })
}

// missingName is a warning about a name. Format has one %s for it; question may be empty.
func missingName(format, name, question string) string {
	text := fmt.Sprintf(format, event.Escape(name))
	if question != "" {
		text += ": " + question
	}
	return text
}

// hasName ignores case, as the expression does.
func hasName(known []string, name string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
}

// interfaceNames returns those of the network namespace of this process.
func interfaceNames(*host.Host) (names []string) {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

// namespaceNames returns those of network namespaces, of which some are named after the pod or the
// container in them; nil if some processes cannot be seen.
func namespaceNames(h *host.Host) []string {
	if !h.SeesAllProcesses() {
		return nil
	}
	return owner.Namespaces(h)
}

// processNames returns the command names (/proc/PID/comm) of the visible processes.
func processNames(h *host.Host) (names []string) {
	for _, pid := range h.PIDs() {
		if name := h.Comm(pid); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// unitNames returns the systemd units that have a process now: components of the
// paths of their control groups.
func unitNames(h *host.Host) (names []string) {
	for _, pid := range h.PIDs() {
		for _, group := range h.Cgroups(pid) {
			for name := range strings.SplitSeq(group.Path, "/") {
				if isUnit(name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// isUnit reports whether a name has the form of a unit of systemd that processes can be in.
func isUnit(name string) bool {
	return strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") || strings.HasSuffix(name, ".slice")
}

// Values returns the values that a field of an expression can have on this host,
// for shell completion, sorted. It returns nothing for other fields, and if they
// cannot be read.
func (r *Runner) Values(field string) []string {
	if field == "reason" {
		return reasonNames()
	}
	for _, h := range hostNames {
		if h.field == field {
			names := h.names(r.Host)
			slices.Sort(names)
			return slices.Compact(names)
		}
	}
	return nil
}

// shortID is how many hexadecimal digits of a container's ID name it.
const shortID = 12

// containerNames returns the names and the short IDs of the containers that have a
// process; nil if some processes cannot be seen.
func containerNames(h *host.Host) []string {
	if !h.SeesAllProcesses() {
		return nil
	}
	names := []string{}
	for _, c := range owner.Containers(h) {
		names = append(names, c.ID[:min(len(c.ID), shortID)])
		if c.Name != "" {
			names = append(names, c.Name)
		}
	}
	return names
}

// isContainerID reports whether a name is the ID, or the beginning of that, of a
// container whose short ID is known.
func isContainerID(known []string, name string) bool {
	return len(name) > shortID && hasName(known, name[:shortID])
}

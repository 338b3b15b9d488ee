package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// unknownEntry is how package knowledge has a command enter a network namespace of which it
// knows neither a name for ip nor a process.
var unknownEntry = knowledge.Enter(0)

// findNamespaces finds a process in each network namespace without a name, and makes the
// commands of findings and states ready to run where package knowledge could not: those of a
// namespace without a name enter it by that process, those of dropwatch's own enter none.
func (d *Diagnosis) findNamespaces(h *Host) {
	own := h.ownNetns()
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			f := &findings[i]
			f.InNetns = h.enter(f.Netns, own, &f.Meaning)
			for j := range f.Namespaces {
				f.Namespaces[j].InNetns = h.enter(f.Namespaces[j].Netns, own, nil)
			}
		}
	}
	for _, accounts := range [][]Account{d.Accounts, d.Undecided} {
		for i := range accounts {
			accounts[i].InNetns = h.enter(accounts[i].Netns, own, nil)
		}
	}
	for i := range d.States {
		d.States[i].InNetns = h.enter(d.States[i].Netns, own, &d.States[i].Meaning)
	}
}

// enter returns a process in a network namespace that has no name, or whose name does not
// enter it, and completes the commands of an explanation (nil: there are none) that enter it.
// Own is the inode number of dropwatch's own namespace, which needs no entering.
func (h *Host) enter(n event.Netns, own uint32, x *knowledge.Explanation) (in event.Process) {
	var commands []*string
	if x != nil {
		commands = slices.Concat(unentered(x.Check), unentered(x.Apply))
	}
	if n.Inode != 0 && (n.Name == "" || len(commands) > 0) {
		in = h.processIn(n.Inode)
	}
	for _, c := range commands {
		switch rest := strings.TrimPrefix(*c, unknownEntry); {
		case n.Inode == own:
			*c = rest
		case in.PID != 0:
			*c = knowledge.Enter(in.PID) + rest
		}
	}
	return in
}

// unentered returns the commands that lack how to enter their network namespace.
func unentered(commands []string) (all []*string) {
	for i := range commands {
		if strings.HasPrefix(commands[i], unknownEntry) {
			all = append(all, &commands[i])
		}
	}
	return all
}

// describeNetns names a network namespace for a person: by its name, and by a process in it,
// by which commands enter it, or else by its inode number, as lsns has it.
func describeNetns(n event.Netns, in event.Process) string {
	switch process := in.AppendTo(nil); {
	case n.Name != "" && in.PID != 0:
		return fmt.Sprintf("network namespace %s of process %s", event.Quote(n.Name), process)
	case n.Name != "":
		return "network namespace " + event.Quote(n.Name)
	case in.PID != 0:
		return fmt.Sprintf("network namespace of process %s", process)
	case n.Inode != 0:
		return fmt.Sprintf("network namespace %d", n.Inode)
	}
	return ""
}

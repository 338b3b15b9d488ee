package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/event"
)

// findNamespaces finds a process in each network namespace without a name, and makes the
// commands of findings ready to run where package knowledge could not: those of a
// namespace without a name enter it by that process, those of dropwatch's own enter none.
func (d *Diagnosis) findNamespaces(h *Host) {
	own := h.ownNetns()
	find := func(n event.Netns) uint32 {
		if n.Inode == 0 || n.Name != "" {
			return 0
		}
		return h.processIn(n.Inode)
	}
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			f := &findings[i]
			f.NetnsPID = find(f.Netns)
			for j := range f.Namespaces {
				f.Namespaces[j].PID = find(f.Namespaces[j].Netns)
			}
			switch {
			case f.Netns.Inode == own:
				f.enter("")
			case f.NetnsPID != 0:
				f.enter(fmt.Sprintf("nsenter -t %d -n ", f.NetnsPID))
			}
		}
	}
	for i := range d.Accounts {
		d.Accounts[i].NetnsPID = find(d.Accounts[i].Netns)
	}
}

// describeNetns names a network namespace for a person: by its name, or else by a process
// in it, or else by its inode number, as lsns has it.
func describeNetns(n event.Netns, pid uint32) string {
	switch {
	case n.Name != "":
		return "network namespace " + event.Quote(n.Name)
	case pid != 0:
		return fmt.Sprintf("network namespace of process %d", pid)
	case n.Inode != 0:
		return fmt.Sprintf("network namespace %d", n.Inode)
	}
	return ""
}

// enter replaces how the commands enter a namespace of which no process was known.
func (f *Finding) enter(prefix string) {
	for _, commands := range [][]string{f.Meaning.Check, f.Meaning.Apply} {
		for i, command := range commands {
			if rest, ok := strings.CutPrefix(command, "nsenter -t PID -n "); ok {
				commands[i] = prefix + rest
			}
		}
	}
}

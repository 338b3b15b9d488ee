package diagnose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dropwatch/internal/knowledge"
)

// findPrograms has the commands of findings and states say which of their programs this host lacks, and what has them.
func (d *Diagnosis) findPrograms(h *Host) {
	for i := range d.Findings {
		h.complete(&d.Findings[i].Meaning)
	}
	for i := range d.States {
		h.complete(&d.States[i].Meaning)
	}
}

// complete does so for the commands of an explanation.
func (h *Host) complete(x *knowledge.Explanation) {
	for _, commands := range []*[]string{&x.Check, &x.Apply} {
		*commands = slices.Clone(*commands) // which others may have
		for i, c := range *commands {
			if p, ok := knowledge.ProgramOf(c); ok && h.lacks(p.Name) {
				(*commands)[i] = p.Without(c, h.isDebian())
			}
		}
	}
}

// folders are where programs are, beside those of PATH.
var folders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// lacks reports whether a program is for certain in none of the folders for programs.
func (h *Host) lacks(program string) bool {
	return ask(h, "lacks program "+program, func() bool {
		lacks, known := h.programs[program]
		if !known {
			lacks = !h.hasProgram(program) && h.hasProgram("sh")
			h.programs[program] = lacks
		}
		return lacks
	})
}

// hasProgram reports whether a running host has a program.
func (h *Host) hasProgram(name string) bool {
	return slices.ContainsFunc(append(filepath.SplitList(os.Getenv("PATH")), folders...), func(folder string) bool {
		return h.live.Exists(strings.TrimPrefix(folder, "/") + "/" + name)
	})
}

// isDebian reports whether the host names packages as Debian does.
func (h *Host) isDebian() bool {
	return slices.Contains(ask(h, "distributions", func() []string { return h.live.Distributions() }), "debian")
}

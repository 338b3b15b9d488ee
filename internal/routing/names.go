package routing

import (
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/host"
)

// tableFiles are the files that name routing tables, as iproute2 has them; later ones are
// those of the host. In its folders it reads the files that end with .conf.
var (
	tableFiles   = []string{"usr/lib/iproute2/rt_tables", "usr/share/iproute2/rt_tables", "etc/iproute2/rt_tables"}
	tableFolders = []string{"usr/lib/iproute2/rt_tables.d", "usr/share/iproute2/rt_tables.d", "etc/iproute2/rt_tables.d"}
)

// TableNames returns the names that a host has given to routing tables (rt_tables of
// ip-route(8)), by their numbers. Files that are missing name none.
func TableNames(h *host.Host) map[uint32]string {
	names := make(map[uint32]string)
	read := func(name string) {
		if text, err := h.ReadFile(name); err == nil {
			addNames(names, string(text))
		}
	}
	for _, name := range tableFiles {
		read(name)
	}
	for _, folder := range tableFolders {
		entries, _ := h.Names(folder)
		slices.Sort(entries)
		for _, e := range entries {
			if strings.HasSuffix(e, ".conf") {
				read(folder + "/" + e)
			}
		}
	}
	return names
}

// addNames reads lines of a number, decimal or hexadecimal, and a name.
func addNames(names map[uint32]string, text string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) != 2 {
			continue
		}
		if n, err := strconv.ParseUint(words[0], 0, 32); err == nil {
			names[uint32(n)] = words[1]
		}
	}
}

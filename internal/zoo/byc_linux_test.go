package zoo

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// watchByC makes each scenario that this kernel can once more, alone, while the C dropwatch watches:
// that does not say in which network namespace a drop was. What it shows until the namespace of the
// scenario is removed belongs to the scenario.
func watchByC(t *testing.T, ns *drops.Namespace, results map[string]*result) {
	guest.ResetMonitor(t)
	// With -l kas, C reads all symbols again for each drop that it shows.
	c := guest.Start(t, "start\nexit\n", "stdbuf", "-oL", "/usr/bin/dropwatch")
	c.AwaitOutput("Issue Ctrl-C", 1)
	symbols := new(kallsyms.Live)
	before := awaitQuiet(c)
	for _, s := range Scenarios {
		r, made := results[s.Name], false
		t.Run("C: "+s.Name, func(t *testing.T) {
			if lose := r.prepare(ns.Of(t)); lose != nil {
				lose()
				made = true
			}
		})
		if made {
			shown := awaitQuiet(c)
			r.byC = locations(symbols, strings.TrimPrefix(shown, before))
			before = shown
		}
	}
}

// quiet is how long C shows nothing when it has shown all: the kernel sends what it counted after
// a second (dm_delay in net/core/drop_monitor.c), and removes a namespace in less than another.
const quiet = 2 * time.Second

// awaitQuiet waits until C has shown all, and returns it.
func awaitQuiet(c *guest.Process) (shown string) {
	for since := time.Now(); time.Since(since) < quiet; time.Sleep(quiet / 40) {
		if now := c.Stdout(); now != shown {
			shown, since = now, time.Now()
		}
	}
	return shown
}

// cLine is a line of C without symbols.
var cLine = regexp.MustCompile(`(?m)^(\d+) drops at location (0x[0-9a-f]+) \[software\]$`)

// locations returns what C shows, with symbols and the most first, as in "7 at __udp4_lib_rcv+b60", or "nothing".
func locations(symbols *kallsyms.Live, shown string) string {
	counts := make(map[string]int) // C has a line for each CPU
	for _, m := range cLine.FindAllStringSubmatch(shown, -1) {
		n, _ := strconv.Atoi(m[1])              // digits
		pc, _ := strconv.ParseUint(m[2], 0, 64) // of 64 bits
		at := m[2]
		if s, ok := symbols.Lookup(pc); ok {
			at = fmt.Sprintf("%s+%x", s.Name, s.Offset)
		}
		counts[at] += n
	}
	mostFirst := func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) }
	var lines []string
	for _, at := range slices.SortedFunc(maps.Keys(counts), mostFirst) {
		lines = append(lines, fmt.Sprintf("%d at %s", counts[at], at))
	}
	return cmp.Or(strings.Join(lines, ", "), "nothing")
}

func TestLocations(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kallsyms")
	const known = "ffffffff81000000 T icmp_rcv\nffffffff81001000 T tcp_v4_rcv\nffffffff81002000 T end\n"
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	symbols := &kallsyms.Live{Symbols: file, Modules: os.DevNull}
	const shown = `4 drops at location 0xffffffff81001e2f [software]
1 drops at location 0xffffffff81000010 [software]
3 drops at location 0xffffffff81001e2f [software]
2 drops at location 0xffffffffc0000000 [software]
`
	const want = "7 at tcp_v4_rcv+e2f, 2 at 0xffffffffc0000000, 1 at icmp_rcv+10"
	if got := locations(symbols, shown); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := locations(symbols, "dropwatch> "); got != "nothing" {
		t.Errorf("got %q of no drops", got)
	}
}

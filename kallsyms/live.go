package kallsyms

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How old what a Live knows may be when a look-up has reason to doubt it.
const (
	modulesAge = time.Second      // of the list of modules: about 0.1 ms to read
	tableAge   = 30 * time.Second // of the symbols: some 30 ms to read, so 0.1 % of a CPU
)

// A Live is the symbol table of the running kernel. The zero value is ready:
// it reads /proc when first used.
//
// Code of the kernel image stays where it is. Everything else comes and goes,
// so a look-up that finds nothing, or finds code of a module, asks whether the
// table is out of date, at most once a second: it is if the list of modules
// changed. BPF programs and trampolines change without a trace that is cheap to
// see; for an address that is unknown or theirs, the table is also read again
// if it is older than 30 seconds. Answers about them can be wrong for that
// long, and about modules for a second.
//
// A reload that fails leaves the table as it was, and is tried again after 30
// seconds.
//
// Any number of goroutines may use a Live at the same time. One of them reads
// while the others go on with the old table. The fields must not be changed
// after the first use.
type Live struct {
	Symbols string // path of the symbols; "" is /proc/kallsyms
	Modules string // path of the list of modules; "" is /proc/modules

	table atomic.Pointer[Table] // nil until loaded

	mu      sync.Mutex // held while reading; guards the rest
	modules string     // the modules at the time of table
	loaded  time.Time  // the time of table
	next    time.Time  // when to compare modules again
}

// Load reads the table now, whether or not there is one. Call it once at the
// start: it is the only way to learn why there are no symbols. If it fails,
// the table from before stays.
//
// The error is the one of [Parse], or matches os.ErrNotExist (a kernel without
// CONFIG_KALLSYMS, or no /proc) or os.ErrPermission.
func (l *Live) Load() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.load()
}

// Lookup returns the symbol that pc lies in, as [Table.Lookup] does, and loads
// the table first if that was not done. It returns false if that fails.
func (l *Live) Lookup(pc uint64) (Symbol, bool) {
	t := l.table.Load()
	s, ok := t.Lookup(pc)
	if ok && s.Module == "" {
		return s, true
	}
	if fresh := l.refresh(t, !ok || madeAtRunTime(s.Module)); fresh != t {
		return fresh.Lookup(pc)
	}
	return s, ok
}

// Function is [Table.Function] of the table that was loaded last.
func (l *Live) Function(name string) (at []Range, image Range) { return l.table.Load().Function(name) }

// refresh returns the table to use in place of t, which is t if there is no
// newer one. If untraced, the symbol in question can change without the modules.
func (l *Live) refresh(t *Table, untraced bool) *Table {
	if t == nil {
		l.mu.Lock()
	} else if !l.mu.TryLock() {
		return t
	}
	defer l.mu.Unlock()
	if now := time.Now(); !now.Before(l.next) {
		l.next = now.Add(modulesAge)
		stale := untraced && now.Sub(l.loaded) >= tableAge || l.readModules() != l.modules
		if stale && l.load() != nil {
			l.next = now.Add(tableAge) // to fail costs as much; t is better than nothing
		}
	}
	return l.table.Load()
}

// load reads the table. The modules come first: of one loaded in between, the
// next comparison tells.
func (l *Live) load() error {
	modules := l.readModules()
	f, err := os.Open(cmp.Or(l.Symbols, "/proc/kallsyms"))
	if err != nil {
		return fmt.Errorf("load kernel symbols: %w: mount /proc, of a kernel with CONFIG_KALLSYMS", err)
	}
	defer f.Close()
	t, err := Parse(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	l.table.Store(t)
	l.modules, l.loaded = modules, time.Now()
	return nil
}

// readModules returns name, size and address of every module. The other columns
// (kernel/module/procfs.c, m_show) change when modules are used. A list that
// cannot be read, as of a kernel without modules, is an empty one.
func (l *Live) readModules() string {
	const name, size, address, columns = 0, 1, 5, 6
	text, _ := os.ReadFile(cmp.Or(l.Modules, "/proc/modules"))
	var list strings.Builder
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= columns {
			fmt.Fprintln(&list, f[name], f[size], f[address])
		}
	}
	return list.String()
}

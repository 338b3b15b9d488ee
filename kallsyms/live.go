package kallsyms

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrNoAnswer is the error of [Live.Load] if a file is not read within ten seconds, as on
// a file system whose server hangs. Until that read ends no other is begun.
var ErrNoAnswer = errors.New("the file system does not answer")

// maxWait is how long the files are waited for: the kernel prints its symbols in 40 ms,
// and in some seconds where it is emulated.
const maxWait = 10 * time.Second

// Ages at which a Live reads again, when a look-up may have to do with code that changed.
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
// see; for an address that is unknown or one of theirs, the table is also read again
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

	late chan struct{} // closed when a read ends that was not waited for; nil: there is none
}

// Load reads the table now, whether or not there is one. Call it once at the
// start: it is the only way to learn why there are no symbols. If it fails,
// the table from before stays.
//
// The error is the one of [Parse], or matches [ErrNoAnswer], os.ErrNotExist (a kernel without
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

// Everywhere is [Table.Everywhere] of the table that was loaded last.
func (l *Live) Everywhere(name string) []Range { return l.table.Load().Everywhere(name) }

// Names is [Table.Names] of the table that was loaded last.
func (l *Live) Names() iter.Seq[string] { return l.table.Load().Names() }

// refresh returns the table to use in place of t, which is t if there is no
// newer one. If untraced, the symbol in question can change while the list of modules does not.
func (l *Live) refresh(t *Table, untraced bool) *Table {
	if t == nil {
		l.mu.Lock()
	} else if !l.mu.TryLock() {
		return t
	}
	defer l.mu.Unlock()
	if now := time.Now(); !now.Before(l.next) {
		l.next = now.Add(modulesAge)
		modules, err := l.readModules()
		stale := untraced && now.Sub(l.loaded) >= tableAge || err == nil && modules != l.modules
		if stale && l.load() != nil {
			l.next = now.Add(tableAge) // a failure costs as much as a success; the old table stays in use
		}
	}
	return l.table.Load()
}

// load reads the table. The list of modules is read first, so that a module that is
// loaded in between differs from it at the next look-up, which then loads again.
func (l *Live) load() error {
	modules, err := l.readModules()
	if err != nil {
		return err
	}
	t, err := within(l, cmp.Or(l.Symbols, "/proc/kallsyms"), parse)
	if err != nil {
		return err
	}
	l.table.Store(t)
	l.modules, l.loaded = modules, time.Now()
	return nil
}

// within opens a file and reads it, in a limited time. A read that takes longer goes on
// alone.
func within[T any](l *Live, path string, read func(io.Reader) (T, error)) (none T, err error) {
	if l.late != nil {
		select {
		case <-l.late:
			l.late = nil
		default:
			return none, fmt.Errorf("read %s: %w", path, ErrNoAnswer)
		}
	}
	var value T
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		value, failure = readRegular(path, read)
	}()
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case <-done:
		return value, failure
	case <-timeout.C:
		l.late = done
		return none, fmt.Errorf("read %s: %w", path, ErrNoAnswer)
	}
}

// readRegular opens a file without waiting and reads it, if it is a regular one.
func readRegular[T any](path string, read func(io.Reader) (T, error)) (none T, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return none, fmt.Errorf("load kernel symbols: %w: mount /proc, of a kernel with CONFIG_KALLSYMS", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return none, fmt.Errorf("read %s: %w", path, err)
	}
	value, err := read(f)
	if err != nil {
		return none, fmt.Errorf("read %s: %w", path, err)
	}
	return value, nil
}

// readModules returns name, size and address of every module. The other columns
// (kernel/module/procfs.c, m_show) change when modules are used. A kernel without
// modules has no list, which is as good as an empty one. The only error is [ErrNoAnswer].
func (l *Live) readModules() (string, error) {
	const name, size, address, columns = 0, 1, 5, 6
	text, err := within(l, cmp.Or(l.Modules, "/proc/modules"), io.ReadAll)
	if errors.Is(err, ErrNoAnswer) {
		return "", err
	}
	var list strings.Builder
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= columns {
			fmt.Fprintln(&list, f[name], f[size], f[address])
		}
	}
	return list.String(), nil
}

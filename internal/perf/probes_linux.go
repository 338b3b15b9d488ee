package perf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// Files in tracefs for probes.
const (
	probesFile  = "kprobe_events"  // where probes are made and removed
	profileFile = "kprobe_profile" // how often each was hit and missed
	errorFile   = "error_log"      // since Linux 5.2
)

// Probes is a set of probes, which are there until Close. No other process, and no other set of this one, has
// events of the same names. A process that is killed leaves its events behind, which cost nothing: the next
// [OpenProbes] removes them.
type Probes struct {
	dir    int        // tracefs
	host   *host.Host // says which processes that made probes are there still
	self   maker      // this process
	set    uint64     // number of this set in the process
	events []string   // that were made
}

// sets is how many sets of probes this process has opened.
var sets atomic.Uint64

// OpenProbes finds tracefs, or mounts it where nobody else sees it, and removes probes that dead processes of
// dropwatch have left. The caller closes it. The error wraps [ErrNoProbes] or [ErrPermission] where one fits.
func OpenProbes() (*Probes, error) {
	dir, err := openProbesDir()
	if errors.Is(err, ErrNoProbes) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("open tracefs's %s: %w", probesFile, err)
	}
	p, err := newProbes(dir, host.New("/"))
	if err != nil {
		unix.Close(dir)
		return nil, err
	}
	if err := p.removeLeftovers(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// newProbes returns an empty set of probes in a directory as tracefs is.
func newProbes(dir int, h *host.Host) (*Probes, error) {
	self, err := thisProcess(h)
	if err != nil {
		return nil, err
	}
	return &Probes{dir: dir, host: h, self: self, set: sets.Add(1)}, nil
}

// openProbesDir returns the directory of tracefs, where probes can be made.
func openProbesDir() (dir int, err error) {
	for _, name := range mounts {
		dir, err = unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if err = tryProbes(dir); err == nil {
			return dir, nil
		}
		unix.Close(dir)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EROFS) {
			return -1, explainProbes(err, locked())
		}
	}
	if locked() {
		return -1, errLocked(err)
	}
	if dir, err = mountDetached("tracefs", 0); err != nil {
		return -1, explainMount(err)
	}
	if err = tryProbes(dir); err != nil {
		unix.Close(dir)
		return -1, explainProbes(err, false)
	}
	return dir, nil
}

// tryProbes reports why no probes can be made in a directory.
func tryProbes(dir int) error {
	f, err := openAt(dir, probesFile, unix.O_WRONLY|unix.O_APPEND)
	if err == nil {
		f.Close()
	}
	return err
}

// explainProbes says what to do where no probes can be made.
func explainProbes(err error, locked bool) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && !locked:
		return fmt.Errorf("%w (CONFIG_KPROBE_EVENTS is not set)", ErrNoProbes)
	case locked && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return errLocked(err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%w): run as root", ErrPermission, err)
	}
	return err
}

// Add makes an event of a function. It is off until it is opened by [Open]. The error wraps [ErrNoFunction] if
// the kernel has no such function, and says what it dislikes otherwise.
func (p *Probes) Add(probe Probe) (event string, f Format, err error) {
	event = p.self.group(p.set) + "/" + p.self.event(p.set, probe.Name)
	definition := probe.definition(event)
	if err := p.write(definition); err != nil {
		return "", f, fmt.Errorf("probe %s: %w", probe.Function, p.explain(err, definition))
	}
	p.events = append(p.events, event)
	t := Tracefs{fd: p.dir}
	f, err = t.Format(event)
	return event, f, err
}

// What the kernel logs where an errno does not say it: of a function that it does not have, since Linux 6.12,
// and when it does not say what is wrong (BAD_PROBE_ADDR and FAIL_REG_PROBE, kernel/trace/trace_probe.h).
const (
	noFunction = "Invalid probed address or symbol"
	noHint     = "Failed to register probe event"
)

// explain says why the kernel does not accept a definition.
func (p *Probes) explain(err error, definition string) error {
	log, _ := p.read(errorFile)
	hint := logged(log, definition)
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: several functions of the kernel have that name", ErrNoFunction)
	case errors.Is(err, unix.ENOENT), hint == noFunction:
		return ErrNoFunction
	case errors.Is(err, fs.ErrPermission):
		return explainProbes(err, locked())
	case hint != "" && hint != noHint:
		return fmt.Errorf("the kernel refuses %q: %s (%w)", definition, hint, err)
	}
	return fmt.Errorf("the kernel refuses %q: %w: functions that probes themselves use cannot be probed", definition, err)
}

// Missed returns how many hits of an event that Add returned the kernel could not report: in a function that
// a probe itself called or, at its return, as too many calls were under way. Before Linux 5.14 that is not known, and
// Missed returns 0: the kernel counted there also each pointer that a probe could not follow (kprobe_fault_handler).
func (p *Probes) Missed(event string) (uint64, error) {
	if host.ParseVersion(p.host.Release()).Before(5, 14) {
		return 0, nil
	}
	profile, err := p.read(profileFile)
	if err != nil {
		return 0, fmt.Errorf("read tracefs's %s: %w", profileFile, err)
	}
	_, name := splitEvent(event)
	return misses(profile, name), nil
}

// Close removes the events, which no one may have open any more. A nil set is ignored.
func (p *Probes) Close() (err error) {
	if p == nil || p.dir < 0 {
		return nil
	}
	for _, event := range p.events {
		err = errors.Join(err, p.remove(event))
	}
	unix.Close(p.dir)
	p.events, p.dir = nil, -1
	return err
}

// remove removes an event.
func (p *Probes) remove(event string) error {
	err := p.write("-:" + event)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("remove the event %s: %w: another program uses it, remove it after that: echo -:%s >> %s/%s",
			event, err, event, Tracing, probesFile)
	}
	if err != nil {
		return fmt.Errorf("remove the event %s: %w", event, err)
	}
	return nil
}

// write appends a line to the list of probes. Without O_APPEND the kernel would not mind; with O_TRUNC it
// would remove the probes of everybody.
func (p *Probes) write(line string) error {
	f, err := openAt(p.dir, probesFile, unix.O_WRONLY|unix.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = unix.Write(int(f.Fd()), []byte(line+"\n"))
	return err
}

// read returns the text of a file in tracefs.
func (p *Probes) read(name string) (string, error) {
	f, err := openAt(p.dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// openAt opens a file in a directory of tracefs, which has no path for internal/host if it is mounted detached.
func openAt(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

package netdm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// A kernel is a drop monitor that keeps a log of what was asked of it, other
// than questions.
type kernel struct {
	mu     sync.Mutex
	log    []string
	config netlink.Config
	on     netlink.Origins
	stats  netlink.Stats
	probes int
	closed bool
	old    bool             // STOP answers that there was nothing to stop
	fail   map[string]error // the first word of a request in log -> its answer
	onStop func()           // called at a STOP that succeeds
	gone   bool             // the module was unloaded
}

// was is the configuration that a test finds.
var was = netlink.Config{Mode: netlink.ModeSummary, TruncLen: 0, QueueLen: 1000}

func newKernel() *kernel { return &kernel{config: was, fail: make(map[string]error)} }

// request logs a request and gives its answer.
func (k *kernel) request(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	k.log = append(k.log, line)
	if k.closed {
		return os.ErrClosed
	}
	word, _, _ := strings.Cut(line, " ")
	return k.answer(word)
}

func (k *kernel) answer(to string) error {
	if k.gone {
		return fmt.Errorf("%s: %w", to, netlink.ErrNoFamily)
	}
	return k.fail[to]
}

// unload takes the module away, with all that was set.
func (k *kernel) unload() { k.others(func(k *kernel) { k.gone, k.config, k.on = true, was, 0 }) }

func (k *kernel) Refresh() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, "load")
	if err := k.fail["load"]; err != nil {
		return err
	}
	k.gone = false
	return nil
}

func (k *kernel) set(c netlink.Config, format string, args ...any) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.request(format, args...); err != nil {
		return err
	}
	if k.on != 0 {
		return fmt.Errorf("configure monitoring: %w", netlink.ErrMonitoring)
	}
	k.config = c
	return nil
}

func (k *kernel) Config() (netlink.Config, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.config, k.answer("config?")
}

func (k *kernel) get() netlink.Config {
	c, _ := k.Config()
	return c
}

func (k *kernel) SetConfig(c netlink.Config) error {
	return k.set(c, "config %v %d %d", c.Mode, c.TruncLen, c.QueueLen)
}

func (k *kernel) SetAlertMode(m netlink.AlertMode) error {
	c := k.get()
	c.Mode = m
	return k.set(c, "mode %v", m)
}

func (k *kernel) SetTruncLen(n uint32) error {
	c := k.get()
	c.TruncLen = n
	return k.set(c, "trunc %d", n)
}

func (k *kernel) SetQueueLen(n uint32) error {
	c := k.get()
	c.QueueLen = n
	return k.set(c, "queue %d", n)
}

func (k *kernel) Stats() (netlink.Stats, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stats, k.answer("stats?")
}

func (k *kernel) Start(o netlink.Origins) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.request("start %d", o); err != nil {
		return err
	}
	if k.on&o != 0 {
		return fmt.Errorf("start monitoring: %w", netlink.ErrAlreadyOn)
	}
	k.on |= o
	return nil
}

func (k *kernel) Stop(o netlink.Origins) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.request("stop %d", o); err != nil {
		return err
	}
	k.on &^= o
	if k.onStop != nil {
		k.onStop()
	}
	if k.old {
		return fmt.Errorf("stop monitoring: %w", netlink.ErrAlreadyOff)
	}
	return nil
}

func (k *kernel) Running() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.probes++
	err := k.answer("running?")
	return err == nil && k.on != 0, err
}

func (k *kernel) FamilyMessage() ([]byte, error) { return []byte("family"), nil }

// groupID is 4, so its bit in /proc/net/netlink is 8.
const groupID, groupMask = 4, "00000008"

func (k *kernel) Group() uint32 { return groupID }

func (k *kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log, k.closed = append(k.log, "close"), true
	return k.fail["close"]
}

// asked is how often it was asked whether monitoring is on.
func (k *kernel) asked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.probes
}

// others does what other programs do.
func (k *kernel) others(do func(k *kernel)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do(k)
}

// did compares what was asked of the kernel since the last call.
func (k *kernel) did(t *testing.T, want ...string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Equal(k.log, want) {
		t.Errorf("asked the kernel for %q, want %q", k.log, want)
	}
	k.log = nil
}

// A wire is the listener of a test: what send has put there is received, two
// messages at a time.
type wire struct {
	kernel *kernel
	arrive chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	lost    uint64
	overran uint64
	err     error  // of the next reception
	lostErr error  // of the question what was lost
	onBatch func() // called before each reception
}

func newWire(k *kernel) *wire { return &wire{kernel: k, arrive: make(chan struct{}, 1)} }

func (w *wire) send(msgs ...[]byte) {
	w.mu.Lock()
	w.waiting = append(w.waiting, msgs...)
	w.mu.Unlock()
	select {
	case w.arrive <- struct{}{}:
	default:
	}
}

func (w *wire) lose(n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost += n
}

func (w *wire) batch(handle netlink.Handler) (int, error) {
	w.mu.Lock()
	onBatch := w.onBatch
	w.mu.Unlock()
	if onBatch != nil {
		onBatch()
	}
	w.mu.Lock()
	n := min(2, len(w.waiting))
	msgs, err := w.waiting[:n], w.err
	w.waiting = w.waiting[n:]
	w.mu.Unlock()
	if err != nil || n == 0 {
		return 0, err
	}
	return n, handle(msgs, n == 2)
}

func (w *wire) Receive(ctx context.Context, handle netlink.Handler) error {
	for ctx.Err() == nil {
		switch n, err := w.batch(handle); {
		case err != nil:
			return err
		case n > 0:
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.arrive:
		}
	}
	return nil
}

func (w *wire) Drain(handle netlink.Handler) error {
	for {
		if n, err := w.batch(handle); err != nil || n == 0 {
			return err
		}
	}
}

func (w *wire) Lost() (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost, w.lostErr
}

func (w *wire) Overruns() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.overran
}

func (w *wire) Close() error {
	w.kernel.mu.Lock()
	defer w.kernel.mu.Unlock()
	w.kernel.log = append(w.kernel.log, "unlisten")
	return nil
}

// newSession opens a session with the kernel k and one wire for all its runs,
// on a host where peers listen.
func newSession(t *testing.T, k *kernel, peers ...string) (*Session, *wire) {
	w := newWire(k)
	listen := func(netlink.ListenConfig) (Listener, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if err := k.request("listen"); err != nil {
			return nil, err
		}
		return w, nil
	}
	s := New(k, listen)
	s.host = host.New(newHost(t, peers...))
	return s, w
}

// newHost makes the files of a host on which a process of each name listens.
func newHost(t *testing.T, peers ...string) string {
	t.Helper()
	dir := t.TempDir()
	var table strings.Builder
	table.WriteString("sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n")
	for i, comm := range peers {
		pid, inode := 101+i, 501+i
		fmt.Fprintf(&table, "0 16 0 %s 0 0 0 2 0 %d\n", groupMask, inode)
		if comm != "" { // else it may not be read
			addProcess(t, filepath.Join(dir, "proc", strconv.Itoa(pid)), comm, inode)
		}
	}
	write(t, filepath.Join(dir, "proc", "net", "netlink"), table.String())
	return dir
}

func addProcess(t *testing.T, dir, comm string, inode int) {
	t.Helper()
	write(t, filepath.Join(dir, "comm"), comm+"\n")
	fd := filepath.Join(dir, "fd")
	if err := errors.Join(os.Mkdir(fd, 0o755), os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(fd, "3"))); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// An output keeps in words what was emitted.
type output struct {
	mu      sync.Mutex
	emitted []string
	events  []event.Event
	flushed int
	onEmit  func(*event.Event)
}

func (o *output) Emit(e *event.Event) {
	if o.onEmit != nil {
		o.onEmit(e)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, *e)
	o.emitted = append(o.emitted, words(e))
}

func words(e *event.Event) string {
	switch {
	case e.Kind == event.Loss:
		return fmt.Sprintf("lost %d %v", e.Count, e.Place)
	case e.Individual:
		return e.Reason
	case e.Origin == event.Hardware:
		return fmt.Sprintf("%d at %s", e.Count, e.Where.Trap)
	}
	return fmt.Sprintf("%d at %#x", e.Count, e.Where.PC)
}

func (o *output) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushed++
}

func (o *output) got(t *testing.T, want ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Equal(o.emitted, want) {
		t.Errorf("emitted %q, want %q", o.emitted, want)
	}
}

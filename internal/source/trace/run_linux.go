package trace

import (
	"context"
	"errors"
	"math/bits"
	"os"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source: the drops of the whole host from its opening
// to the end of Run.
type Source struct {
	opts    Options
	decoder decoder
	others  []other // that this kernel has
	refused error   // why some of them are not open
	event   event.Event
	reader  *perf.Reader[*cpu]
	until   time.Time // see Began
}

// Open enables the event on all CPUs, so that drops are recorded from now on. The caller calls
// Run or Close. The error wraps one of the sentinels of package perf where one fits.
func Open(opts Options) (*Source, error) { return open(opts, perf.ThisHost) }

// open is Open for the CPUs of any machine.
func open(opts Options, cpus perf.CPUs) (*Source, error) {
	s := &Source{opts: opts}
	s.decoder.stacks = opts.Stack || s.choosesStacks()
	err := s.readFormats()
	if err == nil {
		s.reader, err = perf.NewReader(cpus, s.openCPU)
	}
	var online []int
	if err == nil {
		online, err = cpus.Online()
	}
	if err == nil {
		err = s.openFirst(online)
		s.until = time.Now()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// readFormats reads the formats of the events.
func (s *Source) readFormats() error {
	t, f, err := perf.OpenTracefs(dropEvent)
	if err != nil {
		return err
	}
	defer t.Close()
	if s.decoder.layout, err = newLayout(f); err != nil || !s.opts.Others {
		return err
	}
	s.others, err = readOthers(&t)
	return err
}

// Began returns two times between which the source began to report drops, on one CPU
// after the other.
func (s *Source) Began() (from, until time.Time) { return s.reader.Began(), s.until }

// ringSize returns Options.RingSize, rounded up to a power of 2 pages as perf needs it.
func (s *Source) ringSize() int {
	return max(os.Getpagesize(), 1<<bits.Len(uint(s.opts.RingSize-1)))
}

// openFirst opens the event on all CPUs. Unless the size of the rings was given, it tries large
// ones first and then those that everybody may have.
func (s *Source) openFirst(online []int) error {
	if s.opts.RingSize > 0 {
		return s.reader.OpenCPUs(online)
	}
	s.opts.RingSize = max(sureRing, min(largeRing, allRings/max(len(online), 1)))
	err := s.reader.OpenCPUs(online)
	if errors.Is(err, perf.ErrPermission) {
		s.reader.CloseCPUs()
		s.opts.RingSize = sureRing
		err = s.reader.OpenCPUs(online)
	}
	return err
}

// follow opens and closes events after CPUs came or went. Packets that a CPU drops before its
// events are open, or after the kernel has removed them, cannot be counted: each change is a
// Loss at event.Unopened.
func (s *Source) follow(out pipeline.Output) error {
	changes, err := s.reader.Follow(func(c *cpu) error { return s.finish(c, out, time.Now()) })
	pipeline.Lose(out, event.Unopened, uint64(changes))
	return err
}

// Close disables the event and closes all files. Run does so itself; Close must not be called
// while it runs.
func (s *Source) Close() error {
	s.reader.Close()
	return nil
}

// Run emits drops and losses to out until ctx ends. The error is that of the kernel. It can be
// called once. Everything is emitted and flushed within drainTime after the end of ctx;
// then Run waits until the kernel has removed the events.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	read := func() (int, error) { return s.read(out) }
	err := s.reader.Receive(ctx, read, func() error { return s.follow(out) })
	return errors.Join(err, s.finishAll(out, err == nil))
}

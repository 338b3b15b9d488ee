package repl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// errRefused is what a fakeHost answers when it was told to fail.
var errRefused = errors.New("configure the drop monitor: monitoring is on: end it there")

var errBadFilter = errors.New("column 1: no such field")

// A fakeHost answers as a kernel does, and records what it was asked to change.
type fakeHost struct {
	out      io.Writer // where the sink of a capture writes
	config   Config
	stats    Stats
	fail     error                           // of every request
	captures []capture                       // the runs to come
	confirm  func(context.Context) bool      // asked before a capture, when set
	during   func(context.Context, Settings) // called within a capture, when set
	changes  []string
	settings []Settings // of each capture
}

// A capture is a run: what it shows and how it ends.
type capture struct {
	limited   bool
	shows     string
	ledger    event.Ledger
	traceOnly string
	err       error
}

func newFakeHost() *fakeHost { return &fakeHost{config: Config{Mode: "Summary", Queue: 1000}} }

func (h *fakeHost) change(format string, args ...any) error {
	h.changes = append(h.changes, fmt.Sprintf(format, args...))
	return h.fail
}

func (h *fakeHost) SetPacketMode(_ context.Context, packet bool) error {
	err := h.change("packet mode %v", packet)
	if err == nil {
		h.config.Mode = map[bool]string{false: "Summary", true: "Packet"}[packet]
	}
	return err
}

func (h *fakeHost) SetTrunc(_ context.Context, n uint32) error {
	err := h.change("trunc %d", n)
	if err == nil {
		h.config.Trunc = n
	}
	return err
}

func (h *fakeHost) SetQueue(_ context.Context, n uint32) error {
	err := h.change("queue %d", n)
	if err == nil {
		h.config.Queue = n
	}
	return err
}

func (h *fakeHost) Config() (Config, error) { return h.config, h.fail }
func (h *fakeHost) Stats() (Stats, error)   { return h.stats, h.fail }

func (h *fakeHost) Status() Status {
	return Status{Monitoring: "off", Config: h.config, ConfigErr: h.fail, Stats: h.stats, StatsErr: h.fail}
}

func (h *fakeHost) Stop(context.Context) error { return h.change("stop") }

func (h *fakeHost) CheckFilter(expression string) error {
	if strings.HasPrefix(expression, "bad") {
		return errBadFilter
	}
	return nil
}

// dump is what the host does for the verb of that name.
func (h *fakeHost) dump(_ context.Context, _ Settings, args []string) error {
	return h.change("dump %q", args)
}

// verbs are those of a bench.
var language = &newBench().Language

func (h *fakeHost) Capture(ctx context.Context, s Settings, started func()) (Report, error) {
	if h.confirm != nil && !h.confirm(ctx) {
		return Report{}, errRefused
	}
	if err := h.change("start"); err != nil {
		return Report{}, err
	}
	h.settings = append(h.settings, s)
	started()
	var c capture
	if len(h.captures) > 0 {
		c, h.captures = h.captures[0], h.captures[1:]
	}
	if h.during != nil {
		h.during(ctx, s)
	}
	io.WriteString(h.out, c.shows)
	return Report{c.ledger, c.traceOnly, c.limited}, c.err
}

// fakeLines is a script that is echoed as term does. After its last line comes
// end, or else io.EOF.
type fakeLines struct {
	out     io.Writer
	lines   []string
	end     error
	answer  bool  // to Confirm
	failure error // of Confirm
	asked   []string
}

// interrupt as a line stands for Ctrl-C at the prompt.
const interrupt = "\x03"

func (l *fakeLines) ReadLine(ctx context.Context) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if _, err := io.WriteString(l.out, Prompt); err != nil {
		return "", err
	}
	if len(l.lines) == 0 {
		if l.end != nil {
			return "", l.end
		}
		return "", io.EOF
	}
	line := l.lines[0]
	l.lines = l.lines[1:]
	if line == interrupt {
		return "", ErrInterrupt
	}
	fmt.Fprintln(l.out, line)
	return line, nil
}

func (l *fakeLines) Confirm(_ context.Context, question string) (bool, error) {
	l.asked = append(l.asked, question)
	return l.answer, l.failure
}

// A bench is a REPL with fakes all around it.
type bench struct {
	REPL
	host     *fakeHost
	lines    *fakeLines
	out, err bytes.Buffer
}

func newBench(lines ...string) *bench {
	b := &bench{host: newFakeHost()}
	b.lines = &fakeLines{out: &b.out, lines: lines}
	b.host.out = &b.out
	b.REPL = REPL{Lines: b.lines, Host: b.host, Out: &b.out, Err: &b.err}
	b.Sources = []string{"auto", "bpf", "netdm", "trace"}
	b.Verbs = []Verb{{
		Name: "dump", Args: "[options]", Help: "write dropped packets to a file",
		Run: b.host.dump,
	}}
	return b
}

// answers gives what the commands of the session wrote to Out, without prompts
// and echoes.
func (b *bench) answers() string {
	var s strings.Builder
	for line := range strings.Lines(b.out.String()) {
		if !strings.HasPrefix(line, Prompt) && line != "Shutting down ...\n" {
			s.WriteString(line)
		}
	}
	return s.String()
}

func (b *bench) run(t *testing.T, want error) {
	t.Helper()
	if err := b.Run(t.Context()); !errors.Is(err, want) || (want == nil && err != nil) {
		t.Errorf("Run: %v, want %v", err, want)
	}
}

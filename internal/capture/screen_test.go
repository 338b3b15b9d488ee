package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/peers"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// fillDisk makes every file of this process end after some bytes, until the test ends.
func fillDisk(t *testing.T, room uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: room, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}

// TestSaveToAFullDisk: a file without events is not left behind, and one that was there
// before is said to be incomplete.
func TestSaveToAFullDisk(t *testing.T) {
	r := testRunner(t, nil)
	s := &screen{header: (&run{Runner: r, spec: new(Spec), source: &openedSource{name: "bpf"}}).header}
	e := event.Event{Count: 1, Time: time.Unix(1000, 0), Reason: strings.Repeat("R", 40)}
	events := []*event.Event{&e, {Kind: event.End, Time: e.Time, Ledger: &event.Ledger{Shown: 1}}}
	dir := t.TempDir()
	whole, made, there := filepath.Join(dir, "whole.dw"), filepath.Join(dir, "made.dw"), filepath.Join(dir, "there.dw")
	if err := s.save(whole, slices.Values(events)); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(whole); err != nil {
		t.Error(err)
	} else if _, err := session.Open(f, whole); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const room = 128 << 10 // go test has a log of its own in a file of this process
	for range room / 16 {
		more := e
		more.Reason = strconv.FormatUint(rand.Uint64(), 16)
		events = append(events, &more)
	}
	slices.Reverse(events)
	fillDisk(t, room)
	for path, want := range map[string]string{made: "nothing was saved", there: "the file is incomplete"} {
		err := s.save(path, slices.Values(events))
		if !errors.Is(err, syscall.EFBIG) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: error %v, want one that ends with %q", path, err, want)
		}
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestScreenFilter: an expression that needs no packet holds for whole rows.
func TestScreenFilter(t *testing.T) {
	all := func(*filter.Filter) (string, error) { return "", nil }
	for text, byKind := range map[string]bool{
		"reason NO_SOCKET": true, "iface lo and not process nginx": true, "netns blue": true, "proto ip": true,
		"port 53": false, "length > 100": false, "host 10.0.0.1 or reason XDP": false,
	} {
		f, err := parseScreenFilter(text, all)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if f.ByKind != byKind {
			t.Errorf("%s: of whole rows %v, want %v", text, f.ByKind, byKind)
		}
	}
	f, err := parseScreenFilter("port 53", all)
	if err != nil {
		t.Fatal(err)
	}
	if matches, decided := f.Match(&event.Event{Count: 7}); matches || decided {
		t.Errorf("a count: matches %v, decided %v", matches, decided)
	}
	if _, err := parseScreenFilter("port x", all); err == nil {
		t.Error("no error")
	}
}

// TestScreenReason: the screen refuses a misspelt reason as watch does, but in a recording only if no
// kernel has it.
func TestScreenReason(t *testing.T) {
	const question = "did you mean NO_SOCKET?"
	recorded := func(f *filter.Filter) (string, error) { return "", checkRecorded(f) }
	r := testRunner(t, nil)
	live := func(f *filter.Filter) (string, error) { return "", r.CheckReasons(f) }
	if _, err := parseScreenFilter("reason == NO_SOCKT", recorded); err == nil || err.Error() != "unknown reason NO_SOCKT: "+question {
		t.Errorf("recorded: %v", err)
	}
	if _, err := parseScreenFilter("reason in {NO_SOCKET, OVS_DROP_METER}", recorded); err != nil {
		t.Error(err)
	}
	_, err := parseScreenFilter("reason == NO_SOCKT", live)
	if _, unlisted := trace.ReasonNames(); unlisted == nil && (err == nil || !strings.Contains(err.Error(), question)) {
		t.Errorf("live: %v", err)
	}
}

// TestScreenWarning: the live view warns of a name that this host does not have.
func TestScreenWarning(t *testing.T) {
	names, _ := namesRunner(t)
	typed, err := filter.Parse("netns shop-wbe")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Runner: names, spec: &Spec{Filter: typed}, source: &openedSource{name: "bpf"}}
	o := r.screenOptions(new(screen), Output{}, os.Stdout)
	f, err := o.Parse("netns shop-wbe")
	want := "there is no network namespace shop-wbe now: did you mean shop-web?"
	if err != nil || f.Warning != want || o.Warning != want {
		t.Errorf("warning %q, %v, of the command line %q, want %q", f.Warning, err, o.Warning, want)
	}
}

// TestScreenOfRetransmits: the view of what TCP sends again says what the filter rejected of that, takes
// reasons of RSTs, which no drop has, and is followed by the table of peers.
func TestScreenOfRetransmits(t *testing.T) {
	spec := &Spec{Input: Input{Retransmits: true}}
	r := &run{Runner: testRunner(t, nil), spec: spec, source: &openedSource{name: "bpf"}}
	if o := r.screenOptions(new(screen), Output{}, os.Stdout); !o.Retransmits {
		t.Error("the view is of drops")
	} else if _, err := o.Parse("reason == TCP_ABORT_ON_CLOSE"); err != nil {
		t.Error(err)
	}
	if _, ok := r.tableTo(new(bytes.Buffer), Output{}, os.Stdout, 0).(*peers.Sink); !ok {
		t.Error("no table of peers follows")
	}
	s := screen{ofTCP: true}
	reject := func(*event.Event) bool { return false }
	p := pipeline.Pipeline{
		Source: sendsAgain(5), Stages: []pipeline.Stage{reject}, Sink: peers.New(io.Discard, peers.Options{}), Progress: &s.progress,
	}
	if _, err := p.Run(t.Context()); err != nil || s.status().Rejected != 5 {
		t.Errorf("%d segments rejected, want 5: %v", s.status().Rejected, err)
	}
}

// sendsAgain is a source of one retransmission of so many segments.
type sendsAgain uint64

func (n sendsAgain) Run(_ context.Context, out pipeline.Output) error {
	out.Emit(&event.Event{Kind: event.Retransmit, Count: 1, Segments: uint64(n), Segment: new(event.Segment)})
	return nil
}

// TestScreenFinding: the live view asks this host about the drops of a row, and nothing for a
// recording. A setting that does not limit is not to be changed.
func TestScreenFinding(t *testing.T) {
	r := &run{Runner: testRunner(t, nil), spec: new(Spec), source: &openedSource{name: "bpf"}}
	o := r.screenOptions(new(screen), Output{}, os.Stdout)
	full := &event.Event{Kind: event.Drop, Count: 1, Reason: "SOCKET_RCVBUFF", Args: []event.Arg{{Name: "rcvbuf", Number: 2304}}}
	f := o.Diagnose([]*event.Event{full, full})
	if f == nil || f.Count != 2 || len(f.Settings) != 2 || !strings.HasPrefix(f.Settings[0].NotTheLimit, "not the limit: the buffer") ||
		len(f.Meaning.Apply) > 0 {
		t.Errorf("the finding is %+v", f)
	}
	if f := o.Diagnose([]*event.Event{full, {Kind: event.Drop, Count: 1, Reason: "NO_SOCKET"}}); f != nil {
		t.Errorf("of several causes: %+v", f)
	}
	file, err := os.Open("../../testdata/session-files/v2.session")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if r.source.recording, err = session.Open(file, "v2"); err != nil {
		t.Fatal(err)
	}
	if o := r.screenOptions(new(screen), Output{}, os.Stdout); o.Diagnose != nil {
		t.Error("a finding of this host for a recording of another")
	}
}

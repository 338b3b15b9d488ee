package alert_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/sink/alert"
)

// said are the lines that a Sink has printed.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

// take returns the lines since the last call.
func (s *said) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

// newSink returns a Sink of a host that answers nothing.
func newSink(t *testing.T, rules ...alert.Rule) (*alert.Sink, *said) {
	t.Helper()
	out := new(said)
	s := alert.NewSink(alert.Options{
		Host: "h", Ask: func() *diagnose.Host { return diagnose.RecordedHost(nil) }, Notify: out.add,
		GoesOn: func(ctx context.Context) bool { return context.Cause(ctx) == errGoesOn },
	})
	t.Cleanup(s.Close)
	s.Use(rules)
	return s, out
}

// rule is one of ten drops of a reason within ten seconds.
func rule(reason string) alert.Rule {
	return alert.Rule{
		Name: reason, Match: func(e *event.Event) bool { return e.Reason == reason },
		Kinds: []event.Kind{event.Drop}, Count: 10, Window: 10 * time.Second, Every: time.Minute, Timeout: time.Minute,
	}
}

// TestKinds: what counts is of the kinds of the rule, and is called what it is.
func TestKinds(t *testing.T) {
	drop := event.Event{Kind: event.Drop, Count: 10, Individual: true}
	resent := event.Event{Kind: event.Retransmit, Count: 1, Segments: 12}
	reset := event.Event{Kind: event.Reset, Count: 11}
	for _, tt := range []struct {
		kinds      []event.Kind
		text, json string
	}{
		{[]event.Kind{event.Drop}, "10 drops", `"drops":10`},
		{[]event.Kind{event.Retransmit}, "12 retransmitted segments", `"retransmits":12`},
		{[]event.Kind{event.Reset}, "11 resets", `"resets":11`},
		{[]event.Kind{event.Retransmit, event.Reset}, "12 events", `"events":12`},
	} {
		r, got := rule(""), filepath.Join(t.TempDir(), "got")
		r.Name, r.Kinds, r.Command = "a", tt.kinds, []string{"/bin/sh", "-c", `cat >"$0.new"; mv "$0.new" "$0"`, got}
		s, out := newSink(t, r)
		for _, e := range []*event.Event{&drop, &resent, &reset} {
			if err := s.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "the program has run", func() bool { _, err := os.Stat(got); return err == nil })
		said, input := strings.Join(out.take(), "\n"), ""
		if b, err := os.ReadFile(got); err == nil {
			input = string(b)
		}
		if !strings.HasPrefix(said, "alert a: "+tt.text+" within 10s") || !strings.Contains(input, `,`+tt.json+`,"window_s":10,`) {
			t.Errorf("%v: %s, %s, want %s and %s", tt.kinds, said, input, tt.text, tt.json)
		}
		s.Close()
	}
}

// drop writes n drops of a reason.
func drop(t *testing.T, s *alert.Sink, n uint64, reason string) {
	t.Helper()
	e := event.Event{Kind: event.Drop, Count: n, Individual: true, Reason: reason, Time: time.Now()}
	if err := s.Write(&e); err != nil {
		t.Fatal(err)
	}
}

// TestIncidents: too many drops within the window begin an incident, which ends when they are not
// any more. Other drops, and those that lost nothing, do not count.
func TestIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out := newSink(t, rule("NO_SOCKET"))
		defer s.Close()
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			got := out.take()
			for i, line := range got {
				got[i], _, _ = strings.Cut(line, ": No ")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		drop(t, s, 9, "NO_SOCKET")
		drop(t, s, 100, "TCP_CLOSE")
		harmless := event.Event{Kind: event.Drop, Count: 100, Reason: "NO_SOCKET", Harmless: "closed"}
		fragment := event.Event{Kind: event.Drop, Count: 100, Reason: "NO_SOCKET", Fragment: true}
		for _, e := range []event.Event{harmless, fragment, {Kind: event.Loss, Count: 100}} {
			if err := s.Write(&e); err != nil {
				t.Fatal(err)
			}
		}
		expect("9 drops")
		time.Sleep(11 * time.Second)
		drop(t, s, 9, "NO_SOCKET")
		expect("9 more after the window")
		time.Sleep(5 * time.Second)
		drop(t, s, 1, "NO_SOCKET")
		expect("the tenth", "alert NO_SOCKET: 10 drops within 10s: NO_SOCKET")
		drop(t, s, 90, "NO_SOCKET")
		time.Sleep(9 * time.Second)
		expect("it lasts")
		time.Sleep(3 * time.Second)
		expect("it is over", "alert NO_SOCKET: over after 10s, 100 drops: NO_SOCKET")

		drop(t, s, 10, "NO_SOCKET")
		time.Sleep(20 * time.Second)
		expect("another within a minute")
		time.Sleep(time.Minute)
		drop(t, s, 10, "NO_SOCKET")
		expect("one after a minute", "alert NO_SOCKET: 10 drops within 10s, after 1 incident without a report: NO_SOCKET")
	})
}

// TestUse: a rule that stays keeps its incident, and others are not watched by any more.
func TestUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out := newSink(t, rule("A"), rule("B"))
		defer s.Close()
		drop(t, s, 10, "A")
		drop(t, s, 10, "B")
		synctest.Wait()
		if got := len(out.take()); got != 2 {
			t.Errorf("%d lines, want 2", got)
		}
		changed := rule("B")
		changed.Count = 11
		s.Use([]alert.Rule{rule("A"), changed})
		drop(t, s, 10, "A")
		drop(t, s, 10, "B")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := out.take(); len(got) != 1 || !strings.HasPrefix(got[0], "alert A: over after 10s, 20 drops") {
			t.Errorf("%q, want the end of A", got)
		}
	})
}

// script writes a program, and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// await waits for a condition.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("in vain: %s", what)
}

// TestCommand: a program gets its arguments as they are, and the incident and the finding as JSON.
func TestCommand(t *testing.T) {
	r := rule("SOCKET_RCVBUFF")
	out := filepath.Join(t.TempDir(), "out")
	r.Expression = "reason == SOCKET_RCVBUFF"
	r.Command = []string{script(t, `printf '%s\n' "$1" >"$2.new"; cat >>"$2.new"; mv "$2.new" "$2"`), "$HOME; `id` *", out}
	s, said := newSink(t, r)
	drop(t, s, 12, "SOCKET_RCVBUFF")
	var text []byte
	await(t, "the program has run", func() (ok bool) { var err error; text, err = os.ReadFile(out); return err == nil })
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 4 || lines[0] != "$HOME; `id` *" {
		t.Fatalf("the program got %q", lines)
	}
	var kinds []string
	for _, line := range lines[1:] {
		var got struct {
			Kind, State, Host, Name, Expression, ID string
			Drops, Count                            uint64
			Window                                  float64 `json:"window_s"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds = append(kinds, fmt.Sprintf("%s %s %s %s %s %s %d %d %v", got.Kind, got.State, got.Host, got.Name, got.Expression, got.ID,
			got.Drops, got.Count, got.Window))
	}
	want := []string{
		"alert begin h SOCKET_RCVBUFF reason == SOCKET_RCVBUFF  12 10 10", "finding     SOCKET_RCVBUFF 0 12 0", "end      12 0 0",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q", kinds, want)
	}
	s.Close()
	if lines := said.take(); len(lines) != 1 {
		t.Errorf("lines %q", lines)
	}
}

// TestCommandFails: why a program failed is printed, and one that takes too long is ended with all
// that it has started.
func TestCommandFails(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	for command, want := range map[string]string{
		"exit 3":                     "exit status 3",
		"echo 'no route\x1b'; false": `exit status 1: it printed: no route\x1b`,
		"sleep 1000 & echo $! >" + pid + ".new; mv " + pid + ".new " + pid + "; wait": "it was ended after 2s: raise timeout",
		"missing": "no such file or directory",
	} {
		r := rule("A")
		r.Timeout = 2 * time.Second
		r.Command = []string{script(t, command)}
		if command == "missing" {
			r.Command[0] += command
		}
		s, said := newSink(t, r)
		drop(t, s, 10, "A")
		var lines []string
		await(t, "it says why", func() bool { lines = append(lines, said.take()...); return len(lines) == 2 })
		if !strings.HasPrefix(lines[1], "alert A: run /") || !strings.Contains(lines[1], want) {
			t.Errorf("%s: %q, want %q", command, lines[1], want)
		}
	}
	number, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "what it started has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(number)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// TestClose: the end of the service does not wait for a program, and none is left.
func TestClose(t *testing.T) {
	r := rule("A")
	begun := filepath.Join(t.TempDir(), "begun")
	r.Command = []string{script(t, "echo >"+begun+"; sleep 1000")}
	s, _ := newSink(t, r)
	drop(t, s, 10, "A")
	await(t, "the program runs", func() bool { _, err := os.Stat(begun); return err == nil })
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for the program")
	}
}

var errGoesOn = errors.New("another run follows")

// reported is an output of a run that a test ends.
type reported struct {
	mu  sync.Mutex
	all []event.Event
}

func (r *reported) Emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e.Clone())
}

func (r *reported) Flush() {}

// take returns the texts of what was reported since the last call.
func (r *reported) take() (texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.all {
		e := &r.all[i]
		text := fmt.Sprintf("%v %d %s", e.Kind, e.Count, e.Reason)
		if e.Kind == event.Finding {
			text += " " + string(e.Incident.AppendTo(nil))
		}
		texts = append(texts, text)
	}
	r.all = nil
	return texts
}

// TestFindings: what a Sink finds is reported by a run, or else by the next one; it counts for no alert.
func TestFindings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rule("NO_SUCH")
		r.Kinds = []event.Kind{event.Drop, event.Retransmit, event.Reset, event.Point}
		r.Count = 1
		s, _ := newSink(t, rule("NO_SOCKET"), r)
		defer s.Close()
		out := new(reported)
		run := func(between func()) {
			ctx, end := context.WithCancelCause(t.Context())
			ended := make(chan error)
			go func() { ended <- s.Run(ctx, out) }()
			between()
			synctest.Wait()
			end(errGoesOn)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		const begun = "finding 1 NO_SOCKET alert NO_SOCKET: 10 drops within 10s: NO_SOCKET: "
		run(func() { drop(t, s, 10, "NO_SOCKET") })
		got := out.take()
		if len(got) != 1 || !strings.HasPrefix(got[0], begun) {
			t.Fatalf("%q", got)
		}
		run(func() {
			for range 100 {
				if err := s.Write(&event.Event{Kind: event.Finding, Count: 1, Reason: "NO_SUCH", Incident: &event.Incident{}}); err != nil {
					t.Fatal(err)
				}
			}
		})
		if got := out.take(); len(got) != 0 {
			t.Errorf("findings count: %q", got)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		run(func() {})
		if got := out.take(); len(got) != 1 || !strings.Contains(got[0], "alert NO_SOCKET: over after 10s, 10 drops: NO_SOCKET: ") {
			t.Errorf("%q, want the end that came between two runs", got)
		}
	})
}

// TestFix: a finding has what to do with the commands that do it, as a text and one by one, and how to check.
func TestFix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSink(t, rule("CPU_BACKLOG"))
		defer s.Close()
		drop(t, s, 10, "CPU_BACKLOG")
		synctest.Wait()
		ctx, end := context.WithCancelCause(t.Context())
		end(errGoesOn)
		out := new(reported)
		if err := s.Run(ctx, out); err != nil || len(out.all) != 1 {
			t.Fatalf("%d findings, error %v", len(out.all), err)
		}
		i := out.all[0].Incident
		const command = "sysctl -w net.core.netdev_max_backlog=N"
		const fix = "Spread the load over CPUs (RSS, RPS), or raise net.core.netdev_max_backlog. " +
			"netdev_budget does not help here. " + command
		if i.Fix != fix {
			t.Errorf("%q, want %q", i.Fix, fix)
		}
		d := i.Detail
		if d == nil || !slices.Equal(d.Apply, []string{command}) || !slices.Contains(d.Check, "sysctl net.core.netdev_max_backlog") {
			t.Fatalf("%+v", d)
		}
		if d.Rank != 0 || d.Class != "no_buffer" || d.Layer != "hardware" || i.Severity != "harm" {
			t.Errorf("%+v, %+v", i, d)
		}
	})
}

// TestLastFindings: the end of the last run waits for what is being found, and counts what takes too long.
func TestLastFindings(t *testing.T) {
	for takes, want := range map[time.Duration]string{
		100 * time.Millisecond: "finding 1 A alert A: 10 drops within 10s: A: Nothing is known of this reason. " +
			"dropwatch watch --stack shows its callers.",
		time.Minute: "loss 1 ",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := alert.NewSink(alert.Options{
				Host: "h", Ask: func() *diagnose.Host { time.Sleep(takes); return diagnose.RecordedHost(nil) }, Notify: func(string) {},
				GoesOn: func(context.Context) bool { return false },
			})
			defer s.Close()
			s.Use([]alert.Rule{rule("A")})
			drop(t, s, 10, "A")
			ctx, end := context.WithCancel(t.Context())
			end()
			out := new(reported)
			if err := s.Run(ctx, out); err != nil {
				t.Fatal(err)
			}
			if got := out.take(); len(got) != 1 || got[0] != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

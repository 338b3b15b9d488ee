package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// tell reports an incident with its first cause, prints a line about it, and runs the command. It asks the host for
// what the findings need to know, which may take a while.
func (s *Sink) tell(r *Rule, in *incident) {
	found := diagnose.New(in.seen, new(counters.Report), nil)
	found.Ask(s.o.Ask())
	e := r.event(in)
	addCause(e, found)
	s.found.add(e)
	s.o.Notify(string(e.Incident.AppendTo(nil)))
	if r.Command == nil {
		return
	}
	input, err := s.input(r, in, found)
	if err == nil {
		err = run(s.ctx, r.Command, r.Timeout, input)
	}
	if err != nil && s.ctx.Err() == nil {
		s.o.Notify(fmt.Sprintf("alert %s: %v", r.Name, err))
	}
}

// event returns the finding of an incident, without a cause.
func (r *Rule) event(in *incident) *event.Event {
	i := &event.Incident{
		Alert: r.Name, Expression: r.Expression, Begun: in.begun, Events: in.events, Noun: r.counted().noun,
		Threshold: r.Count, Window: r.Window, Unreported: in.unsaid,
	}
	e := &event.Event{Kind: event.Finding, Time: in.begun, Count: 1, Incident: i}
	if !in.ended.IsZero() {
		e.Time, i.Over, i.Lasted = in.ended, true, in.ended.Sub(in.begun)
	}
	return e
}

// addCause enters the first cause that was found, if any.
func addCause(e *event.Event, d *diagnose.Diagnosis) {
	all := slices.Concat(d.Findings, d.Noise)
	if len(all) == 0 {
		return
	}
	all[0].Describe(e)
	e.Incident.Detail.Rank = 0 // of the others, nothing is reported
}

// A counted is what the events of a rule are.
type counted struct {
	noun string                   // for [event.Plural]
	of   func(n *numbers) *uint64 // where their number is
}

// counted returns what the events of the rule are.
func (r *Rule) counted() counted {
	if len(r.Kinds) > 1 {
		return counted{"event", func(n *numbers) *uint64 { return &n.Events }}
	}
	switch r.Kinds[0] {
	case event.Retransmit:
		return counted{"retransmitted segment", func(n *numbers) *uint64 { return &n.Retransmits }}
	case event.Reset:
		return counted{"reset", func(n *numbers) *uint64 { return &n.Resets }}
	case event.Point:
		return counted{"point event", func(n *numbers) *uint64 { return &n.Points }}
	case event.Drop, event.TCPEvent, event.Finding, event.Rejected, event.Loss, event.End:
	}
	return counted{"drop", func(n *numbers) *uint64 { return &n.Drops }}
}

// head is the first line that a command gets.
type head struct {
	Kind       string    `json:"kind"` // alert
	Time       time.Time `json:"time"` // of the report
	Host       string    `json:"host"`
	Name       string    `json:"name"`
	State      string    `json:"state"` // begin or end
	Expression string    `json:"expression,omitempty"`
	Begun      time.Time `json:"begun"` // when events became too many
	numbers
	Window     float64 `json:"window_s"` // in seconds
	Count      uint64  `json:"count"`    // of that within the window that are too many
	Unreported uint64  `json:"unreported,omitempty"`
}

// numbers has what a rule counts, within the window and until the end: one of them.
type numbers struct {
	Drops       uint64 `json:"drops,omitempty"`
	Retransmits uint64 `json:"retransmits,omitempty"` // segments
	Resets      uint64 `json:"resets,omitempty"`
	Points      uint64 `json:"points,omitempty"` // events at points
	Events      uint64 `json:"events,omitempty"` // of several kinds
}

// input returns what a command gets: the incident, and then the lines of diagnose --json about it.
func (s *Sink) input(r *Rule, in *incident, found *diagnose.Diagnosis) ([]byte, error) {
	h := head{
		Kind: "alert", Time: in.begun, Host: s.o.Host, Name: r.Name, State: "begin", Expression: r.Expression,
		Begun: in.begun, Window: r.Window.Seconds(), Count: r.Count, Unreported: in.unsaid,
	}
	*r.counted().of(&h.numbers) = in.events
	if !in.ended.IsZero() {
		h.State, h.Time = "end", in.ended
	}
	var b bytes.Buffer
	err := errors.Join(json.NewEncoder(&b).Encode(h), found.WriteJSON(&b))
	return b.Bytes(), err
}

// maxSaid is how much of what a command prints is in the error of one that fails, in bytes.
const maxSaid = 200

// run runs a command, without a shell. When its time is over it is killed with all that it has
// started and that has not left its process group.
func run(ctx context.Context, command []string, timeout time.Duration, input []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	said := beginning{max: maxSaid}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: it was ended after %s: raise timeout", event.Escape(command[0]), event.Duration(timeout))
	}
	text := ""
	if said.Len() > 0 {
		text = ": it printed: " + event.Escape(strings.TrimSpace(said.String()))
	}
	return fmt.Errorf("run %s: %w%s", event.Escape(command[0]), event.WithoutPath(err), text)
}

// beginning keeps the first bytes that are written.
type beginning struct {
	bytes.Buffer
	max int
}

// Write keeps what there is room for.
func (b *beginning) Write(text []byte) (int, error) {
	_, _ = b.Buffer.Write(text[:min(len(text), b.max-b.Len())])
	return len(text), nil
}

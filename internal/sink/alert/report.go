package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// tell prints a line about an incident and runs the command. It asks the host for what the findings
// need to know, which may take a while.
func (s *Sink) tell(r *Rule, in *incident) {
	found := diagnose.New(in.seen, new(counters.Report), nil)
	found.Ask(s.o.Ask())
	s.o.Notify(r.line(in) + cause(found))
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

// line says what began or ended: "alert dns: 120 drops within 10s".
func (r *Rule) line(in *incident) string {
	events, _ := r.counted(in.events)
	if !in.ended.IsZero() {
		return fmt.Sprintf("alert %s: over after %s, %s", r.Name, event.Duration(in.ended.Sub(in.begun).Round(time.Second)), events)
	}
	text := fmt.Sprintf("alert %s: %s within %s", r.Name, events, event.Duration(r.Window))
	if in.unsaid > 0 {
		text += fmt.Sprintf(", after %s without a report", event.Plural(in.unsaid, "incident"))
	}
	return text
}

// counted says what the number of events of the rule is.
func (r *Rule) counted(n uint64) (text string, json numbers) {
	if len(r.Kinds) > 1 {
		return event.Plural(n, "event"), numbers{Events: n}
	}
	switch r.Kinds[0] {
	case event.Retransmit:
		return event.Plural(n, "retransmitted segment"), numbers{Retransmits: n}
	case event.Reset:
		return event.Plural(n, "reset"), numbers{Resets: n}
	case event.Drop, event.TCPEvent, event.Point, event.Rejected, event.Loss, event.End:
	}
	return event.Plural(n, "drop"), numbers{Drops: n}
}

// cause names the first finding; empty if there is none.
func cause(d *diagnose.Diagnosis) string {
	for _, all := range [][]diagnose.Finding{d.Findings, d.Noise} {
		if len(all) > 0 {
			return strings.TrimSuffix(": "+all[0].ID+": "+all[0].Meaning.Cause, ": ")
		}
	}
	return ""
}

// head is the first line that a command gets.
type head struct {
	Kind       string    `json:"kind"` // alert
	Time       time.Time `json:"time"`
	Host       string    `json:"host"`
	Name       string    `json:"name"`
	State      string    `json:"state"` // begin or end
	Expression string    `json:"expression,omitempty"`
	Begun      time.Time `json:"begun"`
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
	Events      uint64 `json:"events,omitempty"` // of several kinds
}

// input returns what a command gets: the incident, and then the lines of diagnose --json about it.
func (s *Sink) input(r *Rule, in *incident, found *diagnose.Diagnosis) ([]byte, error) {
	_, n := r.counted(in.events)
	h := head{
		Kind: "alert", Time: in.begun, Host: s.o.Host, Name: r.Name, State: "begin", Expression: r.Expression,
		Begun: in.begun, numbers: n, Window: r.Window.Seconds(), Count: r.Count, Unreported: in.unsaid,
	}
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

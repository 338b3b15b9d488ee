package capture

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/tcplog"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/source/pcap"
	"dropwatch/internal/suggest"
)

// notInSummaries has the facts that a summary alert lacks: it has only an address
// and a count.
const notInSummaries = event.FactPacket | event.FactProtocol | event.FactLength | event.FactReason | event.FactInterface |
	event.FactTask | event.FactCookie | event.FactOwner | event.FactNamespace

// Check returns a *[SpecError] for settings that cannot be combined on any host. Run checks, too.
func (s *Spec) Check() error {
	for _, of := range []struct {
		setting string
		check   func() error
	}{
		{"source", s.checkSource}, {"", s.checkFlows}, {"", s.checkMode}, {"retrans", s.checkTCP}, {"expression", s.checkStacks},
		{"expression", s.checkPoints},
		{"output", s.checkOutputs},
	} {
		if err := of.check(); err != nil {
			return &SpecError{err, of.setting}
		}
	}
	return nil
}

// checkSource checks where drops come from.
func (s *Spec) checkSource() error {
	switch {
	case s.Input.Recording == "-" && s.InSession:
		return errors.New("standard input has the commands of the session: name a file")
	case s.Input.recorded():
		return nil
	case len(s.Captures) > 0:
		return s.checkCaptures()
	case s.Input.NoDrops && len(s.Filter.Needs(event.FactFate)) > 0:
		return fmt.Errorf("the expression needs %s, known only from drops: leave out --no-drops",
			strings.Join(s.Filter.Needs(event.FactFate), ", "))
	}
	if names := sourceNames(s.sources()); !slices.Contains(names, s.Input.Source) {
		return unknownSource(s.Input.Source, names)
	}
	if s.has(Alerts) && s.Input.Source != "auto" && s.Input.Source != "netdm" {
		return fmt.Errorf("a file of alerts needs source netdm, and not %s: use record or watch -w", s.Input.Source)
	}
	return nil
}

// ParseSource returns the name of a source of drops, or an error that suggests one.
func ParseSource(name string) (string, error) {
	if names := SourceNames(); !slices.Contains(names, name) {
		return "", unknownSource(name, names)
	}
	return name, nil
}

// unknownSource is the error of a name that no source has, with what may be meant.
func unknownSource(name string, names []string) error {
	return fmt.Errorf("unknown source %q: %s", name, suggest.Choice(name, names))
}

// checkCaptures checks what capture files can give.
func (s *Spec) checkCaptures() error {
	switch {
	case s.Follow && s.Captures[len(s.Captures)-1] == "-":
		return errors.New("--follow is for a file: standard input ends when its writer does")
	case s.Follow && s.State != "":
		return errors.New("--follow and --state cannot be combined: a state is left when the files are read, which grow")
	case s.has(PacketFile):
		return errors.New("packets of capture files are not written again: they are in the files")
	case s.InSession && slices.Contains(s.Captures, "-"):
		return errors.New("standard input has the commands of the session: name a file")
	case !s.Filter.CanMatch(pcap.Lacks):
		return fmt.Errorf("a capture file does not have %s, which the expression needs", strings.Join(s.Filter.Needs(pcap.Lacks), ", "))
	}
	return nil
}

// checkMode returns an error if summaries cannot give what is asked for.
func (s *Spec) checkMode() error {
	switch {
	case s.Input.Mode != Summaries:
		return nil
	case s.Input.Stack:
		return errors.New("a summary has no stack traces: leave out --stack or --mode summary")
	case s.wantsPackets():
		return errors.New("a summary has no packets: leave out -w and --hex, or --mode summary")
	case !s.Filter.CanMatch(notInSummaries):
		return fmt.Errorf("a summary does not have %s, which the expression needs: leave out --mode summary",
			strings.Join(s.Filter.Needs(notInSummaries), ", "))
	}
	return nil
}

// checkStacks returns an error if the expression needs stack traces that are not
// recorded: it would never match.
func (s *Spec) checkStacks() error {
	if !s.Input.recorded() && len(s.Captures) == 0 && !s.Input.Stack && !s.Filter.CanMatch(event.FactStack) {
		return ErrNoStacks
	}
	return nil
}

// ErrNoStacks is the error of a Spec whose expression can only match with [Input].Stack.
var ErrNoStacks = errors.New("the expression needs stack traces: add --stack")

// checkTCP returns an error if the source of drops does not report what TCP did as well.
func (s *Spec) checkTCP() error {
	if s.Input.withTCP() && s.Input.Source != "auto" && s.Input.Source != "bpf" {
		return fmt.Errorf("source %s does not report what TCP sends again: name bpf or auto", s.Input.Source)
	}
	return nil
}

// checkOutputs returns an error if what two outputs write would be mixed, or if a session has
// binary data on its standard output.
func (s *Spec) checkOutputs() error {
	for i := range s.Outputs {
		o := &s.Outputs[i]
		if o.Format.binary() && o.OnStdout() && s.InSession {
			return errors.New("standard output belongs to the session: name a file")
		}
		if o.TCPLog != tcplog.None && !s.hasTCP() {
			return errors.New("format is for TCP retransmissions, which are not drops: use dropwatch retrans --output or pcap --output")
		}
		for _, other := range s.Outputs[:i] {
			if err := o.checkBeside(&other); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasTCP reports whether what TCP did may be among the events.
func (s *Spec) hasTCP() bool {
	return s.Input.Retransmits || s.Input.withTCP() || s.Input.recorded() || len(s.Captures) > 0
}

// checkBeside returns an error if two outputs cannot share a file. A table may follow text.
func (o *Output) checkBeside(other *Output) error {
	switch {
	case !o.sameFile(*other):
		return nil
	case o.OnStdout() && o.Format.binary() != other.Format.binary():
		return errors.New("standard output cannot hold packets and text: name a file")
	case o.Format.followsText() || other.Format.followsText():
		return nil
	case o.OnStdout():
		return errors.New("standard output cannot be that of two outputs: name a file for one of them")
	}
	return fmt.Errorf("%s cannot be the file of two outputs: name another one", event.Escape(o.File))
}

// checkFlows checks what the kernel has to test of every packet.
func (s *Spec) checkFlows() error {
	if !s.Input.Flows {
		return nil
	}
	if s.Input.Source != "auto" && s.Input.Source != "bpf" {
		return fmt.Errorf("packets are followed by source bpf, and not %s: leave out --source", s.Input.Source)
	}
	if s.Filter == nil {
		return errors.New("an expression must say which packets are followed, as in udp port 53")
	}
	if names := s.Filter.Beyond(follow.Fields); len(names) > 0 {
		return fmt.Errorf("packets cannot be followed by %s, which the kernel does not know of a packet at every interface: "+
			"use addresses, ports, protocols and netns.inode", strings.Join(names, ", "))
	}
	return nil
}

// ErrNoPoints is the error of a Spec whose expression can only match events of points, without any.
var ErrNoPoints = errors.New("the expression is of points, and none is reported: name some with --point")

// checkPoints returns an error if only events of points are wanted, and there are none.
func (s *Spec) checkPoints() error {
	if len(s.Input.Points) > 0 || s.Input.recorded() || len(s.Captures) > 0 || s.Filter.CanMatchKind(event.Drop) {
		return nil
	}
	if !s.hasTCP() && s.Filter.CanMatchKind(event.Point) {
		return ErrNoPoints
	}
	return nil
}

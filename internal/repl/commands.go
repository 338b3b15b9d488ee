package repl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// commands is the one table of all that can be typed, in the order of help.
func (v Verbs) commands() []*entry {
	own := []*entry{
		{name: "exit", help: "Quit dropwatch", run: exit},
		{name: "help", help: "Display this message", run: help},
		{name: "set", below: settings()},
		{name: "start", help: "start capture", run: start},
		{name: "stop", help: "stop capture", run: stop},
		{name: "show", help: "show existing configuration", run: show},
		{name: "stats", help: "show statistics", run: stats},
		{name: "status", help: "show whether monitoring is on, by whom, and what was lost", run: status},
		{name: "filter", arg: "[expression]", help: "show only drops that match, from now on; none shows all again", many: true, run: setFilter},
	}
	for _, verb := range v {
		own = append(own, verb.entry())
	}
	return append(own, &entry{name: "quit", help: "Quit dropwatch", run: exit})
}

func settings() []*entry {
	booleans := []string{"true", "false"}
	const packetOnly = `. Only applicable when "alertmode" is set to "packet"`
	return []*entry{
		{name: "alertlimit", arg: "<number>", help: "capture only this many alert packets", run: setAlertLimit},
		{name: "alertmode", arg: "<mode>", help: `set mode to "summary" or "packet"`, values: []string{"summary", "packet"}, run: setAlertMode},
		{name: "trunc", arg: "<len>", help: "truncate packets to this length" + packetOnly, run: setTrunc},
		{name: "queue", arg: "<len>", help: "queue up to this many packets in the kernel" + packetOnly, run: setQueue},
		{name: "sw", arg: "<true | false>", help: "monitor software drops", values: booleans, run: setSoftware},
		{name: "hw", arg: "<true | false>", help: "monitor hardware drops", values: booleans, run: setHardware},
		{name: "rcvbuf", arg: "<bytes>", help: "size of our socket's receive buffer, from the next start on", run: setReadBuffer},
		{name: "source", arg: "<name>", help: `where drops come from: "bpf", "netdm", "trace", or "auto", the first that works`, values: sources, run: setSource},
		{name: "takeover", arg: "<true | false>", help: "stop monitoring that others have left on without asking", values: booleans, run: setTakeover},
	}
}

func exit(_ context.Context, r *REPL, _ []string) error {
	r.exiting = true
	return nil
}

func help(_ context.Context, r *REPL, _ []string) error {
	r.print("Command Syntax:\n")
	r.print("%s", r.Verbs.Help())
	return nil
}

func setAlertLimit(_ context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 64)
	if err != nil {
		return fmt.Errorf("set alertlimit: %w", err)
	}
	r.Settings.AlertLimit = n
	r.print("setting alert capture limit to %d\n", n)
	return nil
}

func setAlertMode(ctx context.Context, r *REPL, words []string) error {
	mode := words[0]
	if mode != "summary" && mode != "packet" {
		return fmt.Errorf("set alertmode: invalid mode %q: give summary or packet", mode)
	}
	r.print("Setting alert mode\n")
	if err := r.Host.SetPacketMode(ctx, mode == "packet"); err != nil {
		return err
	}
	r.print("Alert mode successfully set\n")
	return nil
}

func setTrunc(ctx context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 32)
	if err != nil {
		return fmt.Errorf("set trunc: %w", err)
	}
	r.print("Setting truncation length to %d\n", n)
	if err := r.Host.SetTrunc(ctx, uint32(n)); err != nil {
		return err
	}
	r.print("Truncation length successfully set\n")
	return nil
}

func setQueue(ctx context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 32)
	if err != nil {
		return fmt.Errorf("set queue: %w", err)
	}
	r.print("Setting queue length to %d\n", n)
	if err := r.Host.SetQueue(ctx, uint32(n)); err != nil {
		return err
	}
	r.print("Queue length successfully set\n")
	if n == 0 {
		r.note("a queue of 0 loses every packet: the kernel takes no number as no limit")
	}
	return nil
}

func setSoftware(_ context.Context, r *REPL, words []string) error {
	on, err := parseBool(words[0])
	if err != nil {
		return fmt.Errorf("set sw: %w", err)
	}
	r.Settings.Software = on
	r.print("setting software drops monitoring to %d\n", digit(on))
	if !on && !r.Settings.Hardware {
		r.note("with neither sw nor hw the kernel monitors software drops: set hw true for hardware drops alone")
	}
	return nil
}

func setHardware(_ context.Context, r *REPL, words []string) error {
	on, err := parseBool(words[0])
	if err != nil {
		return fmt.Errorf("set hw: %w", err)
	}
	r.Settings.Hardware = on
	r.print("setting hardware drops monitoring to %d\n", digit(on))
	return nil
}

func setReadBuffer(_ context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 30)
	if err != nil {
		return fmt.Errorf("set rcvbuf: %w", err)
	}
	r.Settings.ReadBuffer = int(n)
	r.print("setting receive buffer to %d\n", n)
	return nil
}

func setTakeover(_ context.Context, r *REPL, words []string) error {
	on, err := parseBool(words[0])
	if err != nil {
		return fmt.Errorf("set takeover: %w", err)
	}
	r.Settings.Takeover = on
	r.print("setting takeover to %d\n", digit(on))
	return nil
}

// sources are what "set source" takes.
var sources = []string{"auto", "bpf", "netdm", "trace"}

func setSource(_ context.Context, r *REPL, words []string) error {
	name := words[0]
	if !slices.Contains(sources, name) {
		return fmt.Errorf("set source: unknown source %q: give auto, bpf, netdm or trace", name)
	}
	r.Settings.Source = name
	r.print("setting source to %s\n", name)
	return nil
}

// start runs until Ctrl-C, the alert limit, or a failure.
func start(ctx context.Context, r *REPL, _ []string) error {
	r.print("Enabling monitoring...\n")
	started := false
	report, err := r.Host.Capture(ctx, r.Settings, func() {
		r.print("Kernel monitoring activated.\nIssue Ctrl-C to stop monitoring\n")
		started = true
	})
	if !started {
		return err
	}
	if errors.Is(err, ErrLimit) {
		r.print("Alert limit reached, deactivating!\nDeactivation requested, turning off monitoring\n")
		err = nil
	}
	if err == nil {
		r.print("Got a stop message\n")
	}
	r.print("%s%s", report.Report(), report.Unseen)
	r.last, r.ran = report, true
	return err
}

// setFilter sets, shows or clears the expression.
func setFilter(_ context.Context, r *REPL, words []string) error {
	text := strings.Join(words, " ")
	switch text {
	case "":
		text = r.Settings.Filter
	case "none":
		text, r.Settings.Filter = "", ""
	default:
		if err := r.Host.CheckFilter(text); err != nil {
			return err
		}
		r.Settings.Filter = text
	}
	r.print("filter: %s\n", cmp.Or(text, "none"))
	return nil
}

func stop(ctx context.Context, r *REPL, _ []string) error {
	r.print("Deactivation requested, turning off monitoring\n")
	if err := r.Host.Stop(ctx); err != nil {
		return err
	}
	r.print("Got a stop message\n")
	return nil
}

func show(_ context.Context, r *REPL, _ []string) error {
	r.print("Getting existing configuration\n")
	c, err := r.Host.Config()
	if err != nil {
		return err
	}
	r.printConfig(c)
	return nil
}

func stats(_ context.Context, r *REPL, _ []string) error {
	r.print("Getting statistics\n")
	s, err := r.Host.Stats()
	if err != nil {
		return err
	}
	r.printStats(s)
	return nil
}

func status(_ context.Context, r *REPL, _ []string) error {
	s := r.Host.Status()
	r.print("Monitoring: %s\n", s.Monitoring)
	if s.ConfigErr == nil {
		r.printConfig(s.Config)
	}
	if s.StatsErr == nil {
		r.printStats(s.Stats)
	}
	if r.ran {
		r.print("Last run: %d drops shown, %d lost\n%s%s", r.last.Shown, r.last.TotalLost(), r.last.Report(), r.last.Unseen)
	}
	return cmp.Or(s.ConfigErr, s.StatsErr)
}

func (r *REPL) printConfig(c Config) {
	r.print("Alert mode: %s\nTruncation length: %d\nQueue length: %d\n", c.Mode, c.Trunc, c.Queue)
}

func (r *REPL) printStats(s Stats) {
	r.print("Software statistics:\nTail dropped: %d\nHardware statistics:\nTail dropped: %d\n", s.Software, s.Hardware)
}

// print answers. A session whose answers nobody can read ends.
func (r *REPL) print(format string, args ...any) {
	if _, err := fmt.Fprintf(r.Out, format, args...); err != nil {
		r.end(fmt.Errorf("write the answer: %w", err))
	}
}

// note says something to the person that no script reads.
func (r *REPL) note(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(r.Err, "dropwatch: %s\n", line)
	}
}

func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}

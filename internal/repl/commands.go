package repl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/suggest"
)

// commands is the one table of everything that can be typed, in the order of help.
// The texts of the C program's commands are its own.
func (l *Language) commands() []*entry {
	own := []*entry{
		{name: "exit", help: "Quit dropwatch", run: exit},
		{name: "help", help: "Display this message", many: true, run: help},
		{name: "set", below: settings(l.Sources)},
		{name: "start", help: "start capture", run: start},
		{name: "stop", help: "stop capture", run: stop},
		{name: "show", help: "show existing configuration", run: show},
		{name: "stats", help: "show statistics", run: stats},
		{name: "status", help: "show whether monitoring is on, by whom, and what was lost", run: status},
		{
			name: "filter", arg: "[expression]", help: "show only drops that match, from now on; none shows all again", many: true,
			run: setFilter, more: l.FilterHelp,
		},
	}
	for _, verb := range l.Verbs {
		own = append(own, verb.entry())
	}
	return append(own, &entry{name: "quit", help: "Quit dropwatch", run: exit})
}

// names are those of all commands.
func (l *Language) names() (all []string) {
	for _, e := range l.commands() {
		all = append(all, e.name)
	}
	return all
}

// unknownCommand is the error for a name that is none of a command.
func (l *Language) unknownCommand(name string) error {
	return fmt.Errorf("unknown command %q: %s", name, cmp.Or(suggest.Question(name, l.names()), "type help for the list"))
}

// settings are the entries below set. Sources are the values of set source.
func settings(sources []string) []*entry {
	booleans := []string{"true", "false"}
	const packetOnly = `. Only applicable when "alertmode" is set to "packet"`
	return []*entry{
		{name: "alertlimit", arg: "<number>", help: "capture only this many alert packets", run: setAlertLimit},
		{
			name: "alertmode", arg: "<mode>", help: `set mode to "summary" or "packet"`, values: []string{"summary", "packet"},
			run: setAlertMode,
		},
		{name: "trunc", arg: "<len>", help: "truncate packets to this length" + packetOnly, cText: true, run: setTrunc},
		{name: "queue", arg: "<len>", help: "queue up to this many packets in the kernel" + packetOnly, cText: true, run: setQueue},
		{name: "sw", arg: "<true | false>", help: "monitor software drops", values: booleans, run: setSoftware},
		{name: "hw", arg: "<true | false>", help: "monitor hardware drops", values: booleans, run: setHardware},
		{name: "rcvbuf", arg: "<bytes>", help: "size of dropwatch's receive buffer, from the next start on", run: setReadBuffer},
		{name: "source", arg: "<name>", help: "where drops come from: " + sourceList(sources), values: sources, run: setSource},
		{
			name: "takeover", arg: "<true | false>", help: "stop monitoring that others have left on without asking", values: booleans,
			run: setTakeover,
		},
	}
}

// exit ends the session after this command.
func exit(_ context.Context, r *REPL, _ []string) error {
	r.exiting = true
	return nil
}

// help prints all commands, or the help of one. That of a verb is its own.
func help(ctx context.Context, r *REPL, words []string) error {
	switch len(words) {
	case 0:
		r.print("Command Syntax:\n")
		r.print("%s", r.Help())
		return nil
	case 1:
	default:
		return fmt.Errorf("help: unexpected argument %q: give one command", words[1])
	}
	c := find(r.commands(), words[0])
	switch {
	case c == nil:
		return r.unknownCommand(words[0])
	case slices.ContainsFunc(r.Verbs, func(v Verb) bool { return v.Name == c.name }):
		return c.call(ctx, r, c.name, []string{"--help"})
	}
	var text strings.Builder
	writeHelp(&text, []*entry{c}, "")
	if c.more != "" {
		text.WriteString("\n" + c.more)
	}
	r.print("%s", &text)
	return nil
}

// setAlertLimit counts drops, also in summary mode, where the C program counts
// lines.
func setAlertLimit(_ context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 64)
	if err != nil {
		return fmt.Errorf("set alertlimit: %w", err)
	}
	r.Settings.AlertLimit = n
	r.print("setting alert capture limit to %d\n", n)
	return nil
}

// setAlertMode takes only the whole names: the C program would take "packetx" for
// packet.
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

// setTrunc is `set trunc`: how many bytes the kernel reports of each packet; 0 is all. The texts are those of the C
// program, as of the other settings that it has.
func setTrunc(ctx context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 32)
	if err != nil {
		return fmt.Errorf("set trunc: %w", err)
	}
	r.print("Setting truncation length to %d\n", n)
	if err := r.Host.SetTrunc(ctx, uint32(n)); err != nil {
		return err
	}
	r.Settings.Trunc = uint32(n)
	r.print("Truncation length successfully set\n")
	return nil
}

// setQueue is `set queue`: how many packets wait on each CPU until they are read. Only the drop monitor has such a
// queue; another source makes it no error, so that scripts go on.
func setQueue(ctx context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 32)
	if err != nil {
		return fmt.Errorf("set queue: %w", err)
	}
	r.print("Setting queue length to %d\n", n)
	switch err := r.Host.SetQueue(ctx, uint32(n)); {
	case errors.Is(err, ErrNoMonitor):
		r.print("No other source has a queue: %v\n", err)
		return nil
	case err != nil:
		return err
	}
	r.print("Queue length successfully set\n")
	if n == 0 {
		r.note("a queue of 0 loses every packet: the kernel takes no number as no limit")
	}
	return nil
}

// setSoftware and setHardware select what the next start monitors.
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

// setHardware is `set hw`: whether the next start also watches drops by hardware.
func setHardware(_ context.Context, r *REPL, words []string) error {
	on, err := parseBool(words[0])
	if err != nil {
		return fmt.Errorf("set hw: %w", err)
	}
	r.Settings.Hardware = on
	r.print("setting hardware drops monitoring to %d\n", digit(on))
	return nil
}

// setReadBuffer sets bytes of the socket, which is opened by start. The kernel
// doubles the number, and keeps it in an int: hence 30 bits.
func setReadBuffer(_ context.Context, r *REPL, words []string) error {
	n, err := parseNumber(words[0], 30)
	if err != nil {
		return fmt.Errorf("set rcvbuf: %w", err)
	}
	r.Settings.ReadBuffer = int(n)
	r.print("setting receive buffer to %d\n", n)
	return nil
}

// setTakeover is `set takeover`: whether the next start stops another program's monitoring without asking.
func setTakeover(_ context.Context, r *REPL, words []string) error {
	on, err := parseBool(words[0])
	if err != nil {
		return fmt.Errorf("set takeover: %w", err)
	}
	r.Settings.Takeover = on
	r.print("setting takeover to %d\n", digit(on))
	return nil
}

// sourceList names the sources for help. The first of them is auto.
func sourceList(sources []string) string {
	var b strings.Builder
	for _, name := range sources[1:] {
		fmt.Fprintf(&b, "%q, ", name)
	}
	return fmt.Sprintf("%sor %q, the first that works and the next if that is stopped", &b, sources[0])
}

// setSource is `set source`: which source the next start uses.
func setSource(_ context.Context, r *REPL, words []string) error {
	name := words[0]
	if !slices.Contains(r.Sources, name) {
		return fmt.Errorf("set source: unknown source %q: %s", name, suggest.Choice(name, r.Sources))
	}
	r.Settings.Source = name
	r.print("setting source to %s\n", name)
	return nil
}

// start runs until Ctrl-C, the alert limit, or a failure. The words around the
// capture are those of the C program.
func start(ctx context.Context, r *REPL, _ []string) error {
	r.print("Enabling monitoring...\n")
	started := false
	report, err := r.Host.Capture(ctx, r.Settings, func() {
		r.print("Kernel monitoring activated.\nIssue Ctrl-C to stop monitoring\n")
		started = true
	})
	if !started { // nothing ran, so there is no report
		return err
	}
	if err == nil && report.Limited {
		r.print("Alert limit reached, deactivating!\nDeactivation requested, turning off monitoring\n")
	}
	if err == nil {
		r.print("Got a stop message\n")
	}
	r.print("%s%s", report.Report(), report.TraceOnly)
	r.last, r.ran = report, true
	return err
}

// setFilter sets, shows or clears the expression that following commands filter by.
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

// stop stops the monitoring of other programs: between two runs this session has
// none on. Without a drop monitor there is nothing to stop.
func stop(ctx context.Context, r *REPL, _ []string) error {
	r.print("Deactivation requested, turning off monitoring\n")
	switch err := r.Host.Stop(ctx); {
	case errors.Is(err, ErrNoMonitor):
		r.print("Nothing to stop: %v\n", ErrNoMonitor)
		return nil
	case err != nil:
		return err
	}
	r.print("Got a stop message\n")
	return nil
}

// show prints the configuration. Without a drop monitor there is no queue.
func show(_ context.Context, r *REPL, _ []string) error {
	r.print("Getting existing configuration\n")
	c, err := r.Host.Config()
	if errors.Is(err, ErrNoMonitor) {
		r.printWithoutMonitor(c, err)
		return nil
	}
	if err != nil {
		return err
	}
	r.printConfig(c)
	return nil
}

// stats prints the kernel's statistics, or else those of the last run.
func stats(_ context.Context, r *REPL, _ []string) error {
	r.print("Getting statistics\n")
	s, err := r.Host.Stats()
	if errors.Is(err, ErrNoMonitor) {
		r.print("%s", r.otherSource(err))
		r.printLastRun()
		return nil
	}
	if err != nil {
		return err
	}
	r.printStats(s)
	return nil
}

// status prints all that show and stats do, and who uses the monitor. It fails only
// after it has printed what it knows.
func status(_ context.Context, r *REPL, _ []string) error {
	s := r.Host.Status()
	r.print("Monitoring: %s\n", s.Monitoring)
	none := errors.Is(s.ConfigErr, ErrNoMonitor)
	switch {
	case none:
		r.printWithoutMonitor(s.Config, s.ConfigErr)
	case s.ConfigErr == nil:
		r.printConfig(s.Config)
	}
	if s.StatsErr == nil {
		r.printStats(s.Stats)
	}
	r.printLastRun()
	if none {
		return nil
	}
	return cmp.Or(s.ConfigErr, s.StatsErr)
}

// auto is the value of set source for the first source that works.
const auto = "auto"

// otherSource describes where drops come from without a drop monitor, and why there
// is none.
func (r *REPL) otherSource(err error) string {
	source := cmp.Or(r.Settings.Source, auto)
	if source == auto {
		others := slices.DeleteFunc(slices.Clone(r.Sources), func(s string) bool { return s == auto || s == "netdm" })
		source = fmt.Sprintf("%s, the first that works of %s", auto, strings.Join(others, " and "))
	}
	return fmt.Sprintf("Source: %s\n%v\n", source, err)
}

// printLastRun prints the ledger of the last run, if there was one.
func (r *REPL) printLastRun() {
	if r.ran {
		r.print("Last run: %s shown, %d lost\n%s%s", drops(r.last.Shown), r.last.TotalLost(), r.last.Report(), r.last.TraceOnly)
	}
}

// printWithoutMonitor prints what is configured for another source.
func (r *REPL) printWithoutMonitor(c Config, err error) {
	r.print("Alert mode: %s\nTruncation length: %d\n%s", c.Mode, r.Settings.Trunc, r.otherSource(err))
}

// printConfig prints the configuration in the words of the C program.
func (r *REPL) printConfig(c Config) {
	r.print("Alert mode: %s\nTruncation length: %d\nQueue length: %d\n", c.Mode, c.Trunc, c.Queue)
}

// printStats prints how many packets the queues had no room for, in the words of the C program.
func (r *REPL) printStats(s Stats) {
	r.print("Software statistics:\nTail dropped: %d\nHardware statistics:\nTail dropped: %d\n", s.Software, s.Hardware)
}

// drops is a number of drops, in words.
func drops(n uint64) string {
	if n == 1 {
		return "1 drop"
	}
	return fmt.Sprintf("%d drops", n)
}

// digit is a boolean as the C program prints it.
func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}

package app

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/top"
)

// A topCommand is the verb top with the values of its flags.
type topCommand struct {
	*App
	session  *defaults
	spec     capture.Spec
	flags    *pflag.FlagSet
	selected *filterFlags
	points   *pointFlag
}

// newTop adds the flags of top.
func newTop(a *App, d *defaults) *topCommand {
	c := &topCommand{App: a, session: d, flags: cli.NewFlags()}
	f, spec := c.flags, &c.spec
	spec.Input.ByOwner, spec.Input.SampledStack = true, true
	spec.Outputs = []capture.Output{{Format: capture.Screen}}
	addCaptureFlags(f, spec, d)
	c.selected = addFilterFlags(f, spec)
	addHarmlessFlag(f, &spec.Outputs[0].Harmless)
	f.BoolVar(&spec.Input.Retransmits, "retrans", false, "show what TCP sends again, and resets, instead of drops")
	c.points = addPointFlag(f, &defaults{}) // not those of the session: they would replace the drops
	return c
}

// top is the verb that shows the live view.
func (a *App) top(d *defaults) *cli.Verb {
	c := newTop(a, d)
	return &cli.Verb{
		Name: "top", Args: "[options] [file] [expression]", Short: "live view of the busiest drop locations, with drill-down",
		Long: `Show live how many packets are dropped a second, by location, reason, interface
and owner. Details of a row are its flows, stack traces and last packets. With
--retrans it shows what TCP sends again, and resets, by peer, type, whether
this host dropped the segment before, and owner. With --point it shows events
at points, by point and what is named there, such as a port.`,
		Usage: []string{"dropwatch top [options] [expression]", "dropwatch top [options] FILE [expression]"},
		Notes: `FILE is a file that record has written, also if its name is a valid expression.
A word that ends in .dw, or begins with /, ./ or ../, is always FILE.
With --point all, FILE is shown with all points that it has.

` + top.Help,
		Examples: []string{
			"dropwatch top",
			"dropwatch top not iface lo",
			"dropwatch top process nginx or container web",
			"dropwatch top night.dw",
			"dropwatch top --point tcp,udp_queue",
			"dropwatch top --point all night.dw",
			"dropwatch top --retrans not tcp.lost not_here",
		},
		Manual: manVerbs["top"], Flags: c.flags, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), OrFile: a.recordings, InSession: true,
		Run: c.run,
	}
}

// run shows the screen, of live drops or of a recording, which needs no privileges.
func (c *topCommand) run(ctx context.Context, args cli.Args) (err error) {
	fill(&c.spec, c.session, "top", args)
	expression, err := c.recording(args.Words)
	if err != nil {
		return err
	}
	if c.spec.Input.Retransmits {
		if err := ofRetransmits(&c.spec.Input, c.flags); err != nil {
			return err
		}
	}
	if c.spec.Filter, err = c.selected.parse(c.session.filter, expression); err != nil {
		return err
	}
	if err := c.points.replaceDrops(c.App, &c.spec); err != nil {
		return err
	}
	return c.App.run(ctx, c.spec)
}

// recording enters the recording that is named first, if it is one. It returns the words of the expression.
func (c *topCommand) recording(words []string) ([]string, error) {
	switch {
	case len(words) == 0 || !c.isRecordingName(words[0]):
		return words, nil
	case words[0] == "-":
		return nil, usageError("top: cannot read a recording from standard input, which has the keys: name a file")
	}
	c.spec.Input.Recording = words[0]
	return words[1:], checkRecordingFlags("top", c.flags, liveFlags)
}

// ofRetransmits completes the input of the view of what TCP sends again. It returns an error for an
// option that is only for drops.
func ofRetransmits(in *capture.Input, f *pflag.FlagSet) error {
	in.Resets = true
	if !f.Changed("source") {
		in.Source = "auto"
	}
	return checkFlags("top", f, dropFlags, "--retrans", "drops")
}

// dropFlags are the options that make no sense with what TCP sends again.
var dropFlags = []string{"mode", "origin", "stack", "trunc", "sample", "by-owner", "takeover", "harmless", "include", "exclude", "point"}

// isRecordingName reports whether the first argument is a file name and not the
// beginning of an expression.
func (a *App) isRecordingName(word string) bool {
	return word == "-" || strings.HasSuffix(word, ".dw") || strings.HasPrefix(word, "/") ||
		strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") || a.isRecording(word)
}

// isRecording reports whether a path is that of a regular file that begins as recordings
// do. It waits for no FIFO, and not long for a file system that does not answer.
func (a *App) isRecording(path string) bool {
	from, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	begin, err := a.runner.Host.Beginning(strings.TrimPrefix(from, "/"), int64(len(session.Magic)))
	return err == nil && string(begin) == session.Magic
}

// recordings returns the recordings whose paths begin so.
func (a *App) recordings(prefix string) []string {
	return slices.DeleteFunc(fileNames(a.runner.Host, prefix), func(name string) bool { return !a.isRecording(name) })
}

// liveFlags are the options that make no sense with a recording.
var liveFlags = []string{"source", "mode", "origin", "trunc", "sample", "by-owner", "raw-addresses", "takeover"}

// checkRecordingFlags returns an error for the first of those options that was given.
func checkRecordingFlags(verb string, f *pflag.FlagSet, live []string) error {
	return checkFlags(verb, f, live, "a recording", "live drops")
}

// checkFlags returns an error for the first of some options that was given beside what they cannot be combined with,
// because they are for something else. Names are those of flags without dashes; one that the verb does not have is never
// given. The error is one of usage.
func checkFlags(verb string, f *pflag.FlagSet, names []string, beside, purpose string) error {
	for _, name := range names {
		if f.Changed(name) {
			return usagef("%s: --%s and %s cannot be combined: it is for %s", verb, name, beside, purpose)
		}
	}
	return nil
}

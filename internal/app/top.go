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
	"dropwatch/internal/stage/filter"
)

// top is the verb that shows the live view.
func (a *App) top(d *defaults) *cli.Verb {
	var spec capture.Spec
	spec.Input.ByOwner, spec.Input.SampledStack = true, true
	spec.Outputs = []capture.Output{{Format: capture.Screen}}
	f := cli.NewFlags()
	addCaptureFlags(f, &spec, d)
	selected := addFilterFlags(f, &spec)
	addHarmlessFlag(f, &spec.Outputs[0].Harmless)
	f.BoolVar(&spec.Input.Retransmits, "retrans", false, "show what TCP sends again, and resets, instead of drops")
	points := addPointFlag(f, &defaults{}) // not those of the session: they would replace the drops
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

` + top.Help,
		Examples: []string{
			"dropwatch top",
			"dropwatch top not iface lo",
			"dropwatch top process nginx or container web",
			"dropwatch top night.dw",
			"dropwatch top --point tcp,udp_queue",
			"dropwatch top --retrans not tcp.lost not_here",
		},
		Manual: manVerbs["top"], Flags: f, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), OrFile: a.recordings, InSession: true,
		Run: func(ctx context.Context, args cli.Args) (err error) {
			fill(&spec, d, "top", args)
			expression := args.Words
			if len(expression) > 0 && a.isRecordingName(expression[0]) {
				if expression[0] == "-" {
					return usageError("top: cannot read a recording from standard input, which has the keys: name a file")
				}
				if err := checkRecordingFlags("top", f, liveFlags); err != nil {
					return err
				}
				spec.Input.Recording, expression = expression[0], expression[1:]
			}
			if spec.Input.Retransmits {
				if err := ofRetransmits(&spec.Input, f); err != nil {
					return err
				}
			}
			if spec.Filter, err = selected.parse(d.filter, expression); err != nil {
				return err
			}
			if err := points.enter(a, &spec); err != nil {
				return err
			}
			if len(spec.Input.Points) > 0 {
				spec.Filter = filter.And(spec.Filter, pointsOnly)
			}
			return a.run(ctx, spec)
		},
	}
}

// pointsOnly matches events of points.
var pointsOnly = func() *filter.Filter {
	f, err := filter.Parse("kind == point")
	if err != nil {
		panic(err) // it is a constant
	}
	return f
}()

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
var liveFlags = []string{"source", "mode", "origin", "trunc", "sample", "by-owner", "raw-addresses", "takeover", "point"}

// checkRecordingFlags returns an error for the first of those options that was given.
func checkRecordingFlags(verb string, f *pflag.FlagSet, live []string) error {
	return checkFlags(verb, f, live, "a recording", "live drops")
}

// checkFlags returns an error for the first of some options that was given beside what they cannot be
// combined with, because they are for something else.
func checkFlags(verb string, f *pflag.FlagSet, names []string, beside, purpose string) error {
	for _, name := range names {
		if f.Changed(name) {
			return usagef("%s: --%s and %s cannot be combined: it is for %s", verb, name, beside, purpose)
		}
	}
	return nil
}

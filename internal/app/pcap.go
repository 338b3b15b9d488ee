package app

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/event"
)

// defaultMaxFlows is how many connections of capture files are known at a time: about 150 MB.
const defaultMaxFlows = 100_000

// A pcapCommand is the verb pcap with the values of its flags.
type pcapCommand struct {
	*App
	session         *defaults
	spec            capture.Spec
	flags           *pflag.FlagSet
	asJSON, summary bool
	others          outputList
}

// newPcap adds the flags of pcap.
func newPcap(a *App, d *defaults) *pcapCommand {
	c := &pcapCommand{App: a, session: d, flags: cli.NewFlags()}
	f, spec := c.flags, &c.spec
	spec.MaxFlows = defaultMaxFlows
	f.BoolVarP(&c.asJSON, "json", "j", false, "one JSON object per line, described by: dropwatch help json")
	f.BoolVarP(&c.summary, "summary", "S", false, "only the table, or with --json its rows")
	f.VarP(numberFrom(&spec.Limit, 1, math.MaxUint64), "count", "c", "stop after this `number` of events")
	f.Var(&c.others, "output", "write to this `output` instead, as in text:/var/log/pcap.log,format=pcapgazer; it can be given several "+
		"times, and options follow after commas: dropwatch help outputs")
	f.Var(numberFrom(&spec.MaxFlows, 1, math.MaxInt32), "max-flows",
		"know at most this `number` of connections at a time; the one without a segment for the longest time is forgotten first")
	f.StringVar(&spec.State, "state", "", "go on with the connections that the last run with this `file` knew at its end, "+
		"and leave them there: for files that tcpdump rotates")
	f.BoolVar(&spec.Follow, "follow", false, "at the end of the last file, wait for what is appended to it, until Ctrl-C")
	return c
}

// pcap is the verb that shows what TCP did in capture files.
func (a *App) pcap(d *defaults) *cli.Verb {
	c := newPcap(a, d)
	return &cli.Verb{
		Name: "pcap", Args: "[options] file... [expression]", Short: "show TCP retransmissions and resets in capture files",
		Long: `Show what TCP did in capture files: a line for each segment that was sent again,
came out of order, or showed that a receiver had no room, and for each reset;
then a table of who sent how much to whom, and how much of it again.`,
		Usage: []string{"dropwatch pcap [options] FILE... [expression]"},
		Notes: "Files are pcap or pcapng, also compressed by gzip or zstd; - is standard input.",
		Examples: []string{
			"dropwatch pcap trace.pcap",
			"dropwatch pcap --summary trace.pcap.gz",
			"dropwatch pcap trace.pcapng host 192.0.2.7 and dst port 443",
			"dropwatch pcap trace.pcap kind retransmit and tcp.type != keep_alive",
			"tcpdump -U -w - tcp | dropwatch pcap --json -",
		},
		Manual: manVerbs["pcap"], Flags: c.flags, Values: map[string]func() []string{"output": outputNames}, Words: a.expressionAfterFile,
		Fields: fieldNames(), File: true, InSession: true,
		Run: c.run,
	}
}

// run reads the files, in the order in which they were named, as if they were one. If the first word does not look like
// a file, the error says that one goes first.
func (c *pcapCommand) run(ctx context.Context, args cli.Args) (err error) {
	fill(&c.spec, c.session, "pcap", args)
	files, words := splitFiles(args.Words)
	if len(files) == 0 || slices.Contains(files, "") {
		return usageError("pcap: no file: name one that tcpdump or Wireshark has written")
	}
	if len(words) > 0 && !isCaptureName(files[0]) {
		return usagef("pcap: there is no file %s: name one before the expression", event.Escape(files[0]))
	}
	c.spec.Captures = files
	if c.spec.Filter, err = new(filterFlags).parse(c.session.filter, words); err != nil {
		return err
	}
	c.spec.Outputs = pcapOutputs(c.asJSON, c.summary, c.others)
	_, err = c.runner.Run(ctx, c.spec, nil)
	return err
}

// pcapOutputs returns the others and, unless they have standard output, the events, for which they may stand, and the table.
func pcapOutputs(asJSON, summary bool, others []capture.Output) []capture.Output {
	shown := []capture.Output{{Format: capture.Lines}, {Format: capture.Traffic}}
	if asJSON { // the last line is that of the end
		shown = []capture.Output{{Format: capture.JSONTraffic}, {Format: capture.JSON}}
	}
	onStdout := slices.ContainsFunc(others, func(o capture.Output) bool { return o.OnStdout() })
	return append(slices.Clone(others), slices.DeleteFunc(shown, func(o capture.Output) bool {
		events := o.Format == capture.Lines || o.Format == capture.JSON
		return events && (summary || len(others) > 0 && !asJSON) || !events && onStdout
	})...)
}

// captureNames are the ends of the names of capture files.
var captureNames = []string{".pcap", ".pcapng", ".cap", ".gz", ".zst"}

// splitFiles divides arguments into capture files and the words of an expression. The first is always a
// file; further ones are if they exist or are named like one.
func splitFiles(words []string) (files, expression []string) {
	for i, word := range words {
		if i > 0 && !isCaptureName(word) {
			return words[:i], words[i:]
		}
	}
	return words, nil
}

// isCaptureName reports whether a word is meant as a file rather than as the begin of an expression: by its ending, as it is a
// path from the root, or as there is such a file.
func isCaptureName(word string) bool {
	if word == "-" || slices.Contains(captureNames, filepath.Ext(word)) || strings.HasPrefix(word, "/") {
		return true
	}
	info, err := os.Stat(word)
	return err == nil && !info.IsDir()
}

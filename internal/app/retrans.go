package app

import (
	"context"
	"math"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/sink/peers"
)

// A retransCommand is the verb retrans with the values of its flags.
type retransCommand struct {
	*App
	session   *defaults
	spec      capture.Spec
	flags     *pflag.FlagSet
	by        peers.By
	shown     outputFlags
	recording string
}

// newRetrans adds the flags of retrans.
func newRetrans(a *App, d *defaults) *retransCommand {
	c := &retransCommand{App: a, session: d, flags: cli.NewFlags()}
	f, in := c.flags, &c.spec.Input
	in.Source, in.Retransmits = "auto", true
	f.StringVarP(&in.Source, "source", "s", in.Source, "the source of retransmissions, by `name`: "+
		sourceList(capture.RetransCandidates())+", or auto, the first that works")
	f.VarP(numberFrom(&c.spec.Limit, 1, math.MaxUint64), "count", "c", "stop after this `number` of retransmissions and resets")
	f.VarP((*duration)(&c.spec.Duration), "duration", "d", "stop after this `time`: seconds, or as in 90s, 5m, 1h30m")
	f.BoolVar(&in.Resets, "resets", false, "also show the RSTs that TCP sends and receives; since Linux 6.10, why they are sent")
	f.BoolVar(&in.NoDrops, "no-drops", false, "do not watch drops, which say whether a segment was lost on this host")
	f.Var(&c.by, "by", "what the rows of tables are: `peer`, net/24 (or another number of bits), port (the lower of both), process "+
		"or iface")
	f.BoolVarP(&c.shown.json, "json", "j", false, "one JSON object per line, described by: dropwatch help json")
	f.BoolVarP(&c.shown.summary, "summary", "S", false, "a table every second, instead of one line per retransmission")
	f.Var(&c.shown.others, "output", "write to this `output` instead, as in json:/var/log/retrans.json; it can be given several times, "+
		"and options follow after commas: dropwatch help outputs")
	f.StringVarP(&c.recording, "write", "w", "", "also write a recording to this `file`, which must not exist or be empty; "+
		"dropwatch retrans FILE shows it")
	f.BoolVar(&in.RawAddresses, "raw-addresses", false, "identify a socket that has no cookie by its kernel address, "+
		"instead of by a number that is different in each run")
	return c
}

// retrans is the verb that shows what TCP sends again.
func (a *App) retrans(d *defaults) *cli.Verb {
	c := newRetrans(a, d)
	return &cli.Verb{
		Name: "retrans", Args: "[options] [file] [expression]", Short: "show what TCP sends again, and resets",
		Long: `Show each segment that TCP sends again as a line, until Ctrl-C: time, why it is
sent again, flow, sequence number, length, state, whether this host dropped it
before, owner; then a table by peer.

  fast         after duplicate acknowledgments or SACK
  rto          the retransmission timer expired
  tlp          the timer of a tail loss probe expired
  syn, synack  of a handshake`,
		Usage: []string{"dropwatch retrans [options] [expression]", "dropwatch retrans [options] FILE [expression]"},
		Notes: `FILE is a recording. An expression selects what is shown: see dropwatch help
filter. In the table, "sent" has the connections that there are at the end, and
of those that ended the ones that sent again. A recording does not have it.`,
		Examples: []string{
			"dropwatch retrans",
			"dropwatch retrans --summary --by net/24",
			"dropwatch retrans --resets port 443",
			"dropwatch retrans --json --duration 1m process nginx",
			"dropwatch retrans tcp.type rto and not tcp.lost here",
		},
		Manual: manVerbs["retrans"], Flags: c.flags,
		Values: map[string]func() []string{"source": capture.RetransSourceNames, "by": peers.Names, "output": outputNames},
		Words:  a.expressionWords, Fields: fieldNames(), OrFile: a.recordings, InSession: true,
		Run: c.run,
	}
}

// run shows what TCP sends again, live or of a recording. Options of a live run beside a recording are an error of
// usage.
func (c *retransCommand) run(ctx context.Context, args cli.Args) (err error) {
	fill(&c.spec, c.session, "retrans", args)
	expression := args.Words
	if len(expression) > 0 && c.isRecordingName(expression[0]) {
		live := []string{"source", "resets", "no-drops", "raw-addresses", "write"}
		if err := checkRecordingFlags("retrans", c.flags, live); err != nil {
			return err
		}
		c.spec.Input.Recording, expression = expression[0], expression[1:]
	}
	if c.spec.Filter, err = new(filterFlags).parse(c.session.filter, expression); err != nil {
		return err
	}
	if err := c.enterOutputs(); err != nil {
		return err
	}
	return c.App.run(ctx, c.spec)
}

// enterOutputs enters the outputs in the Spec.
func (c *retransCommand) enterOutputs() error {
	switch {
	case c.shown.json && c.shown.summary:
		return usageError("retrans: --json and --summary cannot be combined: a table is text")
	case c.flags.Changed("write") && c.recording == "":
		return usageError("retrans: -w has an empty file name: name a file, or leave -w out")
	}
	c.spec.Outputs = c.shown.list()
	if c.recording != "" {
		c.spec.Outputs = append(c.spec.Outputs, capture.Output{Format: capture.Recording, File: c.recording})
	}
	for i := range c.spec.Outputs {
		c.spec.Outputs[i].By = c.by
	}
	return nil
}

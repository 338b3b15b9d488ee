package app

import (
	"context"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// A watchCommand is the verb watch with the values of its flags.
type watchCommand struct {
	*App
	session   *defaults
	spec      capture.Spec
	flags     *pflag.FlagSet
	selected  *filterFlags
	shown     *outputFlags
	failIfAny *bool
	followed  *followFlag
	points    *pointFlag
}

// newWatch adds the flags of watch.
func newWatch(a *App, d *defaults) *watchCommand {
	c := &watchCommand{App: a, session: d, flags: cli.NewFlags()}
	f := c.flags
	addCaptureFlags(f, &c.spec, d)
	c.selected, c.shown = addFilterFlags(f, &c.spec), addOutputFlags(f)
	c.failIfAny, c.followed, c.points = addFailFlag(f), addFollowFlag(f), addPointFlag(f, d)
	return c
}

// watch is the verb that shows each drop.
func (a *App) watch(d *defaults) *cli.Verb {
	c := newWatch(a, d)
	return &cli.Verb{
		Name: "watch", Args: "[options] [expression] [-- command]", Short: "show each drop as a line, as JSON, or in a table",
		Long: `Show each dropped packet as a line, until Ctrl-C: time, location, reason,
interface, flow, length, owner; then a table by location and reason, and what
was lost. A line with "more" is a count of drops of the same kind; with "?" an
owner is likely and not certain. "cpu 0 ip/24904" at the end is no owner: it is
the process that CPU 0 was running, ip with PID 24904, shown where the bytes of
the packet are not known.`,
		Usage: []string{"dropwatch watch [options] [expression] [-- COMMAND]"},
		Notes: "An expression says which drops are wanted: see dropwatch help filter.\n" + commandNote,
		Examples: []string{
			"dropwatch watch",
			"dropwatch watch 'reason == NO_SOCKET and dst port 53 and not iface lo'",
			"dropwatch watch process nginx or container web",
			"dropwatch watch --summary -e 'unix_*' not proto arp",
			"dropwatch watch --json --duration 10s | jq .reason",
			"dropwatch watch --explain not iface lo",
			"dropwatch watch --fail-if-any iface lo -- make test",
			"dropwatch watch -w drops.pcapng net 10.0.0.0/8",
			"dropwatch watch --output text --output json:/var/log/drops.json",
			"dropwatch watch --point tcp_accept_queue,udp_queue",
			"dropwatch watch --follow 'udp port 53 and host 192.0.2.7'",
		},
		Manual: manVerbs["watch"], Flags: c.flags, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), InSession: true, Command: true,
		Run: c.run,
	}
}

// run watches. With --follow the expression of that selects the drops, too.
func (c *watchCommand) run(ctx context.Context, args cli.Args) (err error) {
	fill(&c.spec, c.session, "watch", args)
	if err := fillChild(&c.spec, args); err != nil {
		return err
	}
	if err := c.points.enter(c.App, &c.spec); err != nil {
		return err
	}
	words, err := c.followed.enter(&c.spec, args.Words)
	if err != nil {
		return err
	}
	if c.spec.Filter, err = c.selected.parse(c.session.filter, words); err != nil {
		return err
	}
	if err := c.shown.enter(&c.spec); err != nil {
		return err
	}
	c.followed.enterOutput(&c.spec)
	c.spec.Input.SampledStack = c.spec.ShowsCauses()
	return c.runChecked(ctx, c.spec, *c.failIfAny)
}

package app

import (
	"context"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// watch is the verb that shows each drop.
func (a *App) watch(d *defaults) *cli.Verb {
	var spec capture.Spec
	f := cli.NewFlags()
	addCaptureFlags(f, &spec, d)
	selected, shown := addFilterFlags(f, &spec), addOutputFlags(f)
	failIfAny, followed, points := addFailFlag(f), addFollowFlag(f), addPointFlag(f, d)
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
		Manual: manVerbs["watch"], Flags: f, Values: captureFlagValues(), Words: a.expressionWords,
		Fields: fieldNames(), InSession: true, Command: true,
		Run: func(ctx context.Context, args cli.Args) (err error) {
			fill(&spec, d, "watch", args)
			if err := fillChild(&spec, args); err != nil {
				return err
			}
			if err := points.enter(a, &spec); err != nil {
				return err
			}
			words, err := followed.enter(&spec, args.Words)
			if err != nil {
				return err
			}
			if spec.Filter, err = selected.parse(d.filter, words); err != nil {
				return err
			}
			if err := shown.enter(&spec); err != nil {
				return err
			}
			followed.enterOutput(&spec)
			spec.Input.SampledStack = spec.ShowsCauses()
			return a.runChecked(ctx, spec, *failIfAny)
		},
	}
}

package app

import (
	"context"

	"dropwatch/internal/cli"
)

// program builds the command line, with d as the defaults of its verbs.
func (a *App) program(d defaults) *cli.Program {
	o := &globalFlags{defaults: d}
	p := &cli.Program{
		Name: "dropwatch", Alias: "dwdump", AliasOf: "dump",
		Short: "Show where and why this host drops packets.",
		Usage: []string{
			"dropwatch [options] COMMAND ...  a command, see below and COMMAND --help",
			"dropwatch [options]              a session: type help there. From a pipe or a",
			"                                 file, standard input is a script of commands",
		},
		Footer: "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drops matched\n" +
			"(--fail-if-any) or matter (diagnose), 128+N ended by signal N.\n" +
			"To begin: dropwatch doctor, then dropwatch diagnose, watch or top.\n",
		Global: o.flags(), Values: map[string]func() []string{"lmethod": methodNames},
		Out: a.runner.Out,
	}
	p.Before = func() (done bool, err error) { return a.prepare(o) }
	p.Default = func(ctx context.Context) error { return a.session(ctx, o, "", a.program) }
	p.Verbs = a.verbs(o, p)
	return p
}

// verbs is the one table of verbs, in the order of help.
func (a *App) verbs(o *globalFlags, p *cli.Program) []*cli.Verb {
	d := &o.defaults
	return []*cli.Verb{
		a.watch(d), a.top(d), a.retrans(d), a.record(d), a.replay(d), a.pcap(d), a.start(o, a.program), a.dump(d),
		a.explain(), a.points(d), a.diagnose(d), a.counters(d), a.doctor(),
		a.service(d), a.last(d), a.config(),
		a.completion(p), a.help(p, a.program), a.version(),
	}
}

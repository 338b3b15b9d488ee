package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/doctor"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/term"
)

// errCannotWatch makes doctor exit with 1. It is printed after the findings.
var errCannotWatch = errors.New("this host cannot be monitored")

// doctor is the verb that checks whether this host can be monitored.
func (a *App) doctor() *cli.Verb {
	var json, settings, all bool
	f := cli.NewFlags()
	f.BoolVarP(&json, "json", "j", false, "one JSON object; with --settings one a line for each setting")
	f.BoolVar(&settings, "settings", false, "show the settings of this host that decide which packets are dropped, instead of the checks")
	f.BoolVar(&all, "all", false, "with --settings: also those that need no attention")
	return &cli.Verb{
		Name: "doctor", Args: "[options]", Short: "check whether this host can be monitored, and what to fix",
		Long: `Check whether this host can be monitored by this user, and how to fix what
prevents it. It changes nothing. The exit code is 1 if no source of drops works.`,
		Notes: `Checks, by their names in the first column and in --json
  kernel, config, lockdown     what this kernel can report, was built for and
                               refuses
  btf, bpf                     what the source bpf needs, and whether it opens
  module, netns, family        the kernel module drop_monitor, the network
                               namespace that has it, and its interface
  start, join                  may this user start it, and receive its alerts
  monitor                      is it on, and who uses it
  tracefs, perf, rings, trace  what the source trace needs (rings: the memory
                               that it may lock), and whether it opens
  retrans                      which source can report TCP retransmissions
  symbols                      are function names known
  owners                       can the sockets of all processes be read`,
		Manual: manVerbs["doctor"], Flags: f, InSession: true,
		Run: func(ctx context.Context, _ cli.Args) error {
			switch {
			case settings:
				return a.showSettings(ctx, all, json)
			case all:
				return usageError("doctor: --all needs --settings")
			}
			return a.checkHost(json)
		},
	}
}

// checkHost prints whether this host can be monitored; if not, the error is errCannotWatch.
func (a *App) checkHost(json bool) error {
	report := a.examine()
	if err := a.printReport(report, json); err != nil {
		return err
	}
	if !report.Works() {
		return errCannotWatch
	}
	return nil
}

// examine tries each source: it opens and closes it. Nothing is monitored meanwhile.
func (a *App) examine() doctor.Report {
	return doctor.Examine(doctor.Subject{
		Host: a.runner.Host, Monitor: doctor.Dial, Netdm: netdm.Needs,
		BPF:   doctor.Source{Needs: bpf.Needs, Try: func() error { return tryOpen(a.runner.OpenBPF, bpf.Options{}) }},
		Trace: doctor.Source{Needs: trace.Needs, Try: func() error { return tryOpen(a.runner.OpenTrace, trace.Options{}) }},

		Retrans: a.tryRetrans,
	})
}

// tryRetrans tries the sources of what TCP sends again, as doctor.Subject has it.
func (a *App) tryRetrans() (source string, err error) {
	err = tryOpen(a.runner.OpenRetrans, retrans.Options{Resets: true})
	if err == nil {
		return "bpf", nil
	}
	traceErr := tryOpen(a.runner.OpenRetransTrace, retrans.Options{Resets: true})
	if traceErr == nil {
		return "trace", err
	}
	return "", fmt.Errorf("%w; %w", err, traceErr)
}

// tryOpen returns why a source cannot be opened; nil if it can.
func tryOpen[O any](open func(O) (capture.Tracer, error), o O) error {
	s, err := open(o)
	if err != nil {
		return err
	}
	return s.Close()
}

// printReport prints the findings, as text of the width and the colors of the terminal, or as one JSON object.
func (a *App) printReport(report doctor.Report, json bool) error {
	if json {
		text, err := report.JSON()
		if err != nil {
			return err
		}
		return a.write(string(text))
	}
	return a.print(func(w io.Writer) error {
		return report.WriteText(w, capture.Colored(a.runner.Out), term.Width(a.runner.Out))
	})
}

package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"dropwatch/internal/doctor"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/trace"
)

// errCannotWatch: it was said why.
var errCannotWatch = errors.New("drops cannot be watched here")

// doctorOptions are those of doctor.
type doctorOptions struct{ json bool }

func (o *doctorOptions) flags() *pflag.FlagSet {
	f := newFlags("doctor")
	f.BoolVarP(&o.json, "json", "j", false, "one JSON object")
	return f
}

func doctorHelp(f *pflag.FlagSet) string {
	return `Tell whether this user can watch drops on this host, and what mends what is
wrong. It changes nothing. The exit code is 1 if no source of drops works.

Usage:
  dropwatch doctor [options]

Options:
` + f.FlagUsagesWrapped(80)
}

func (a *App) doctorCommand(_ context.Context, args []string) error {
	var o doctorOptions
	f := o.flags()
	if err := a.parseOnlyFlags(f, args, doctorHelp(f)); err != nil {
		return err
	}
	report := doctor.Examine(doctor.Host{Root: os.DirFS("/"), Monitor: doctor.Dial, BPF: a.tryBPF, Trace: a.tryTrace})
	if err := a.printReport(report, o.json); err != nil {
		return err
	}
	if !report.Works() {
		return errCannotWatch
	}
	return nil
}

func (a *App) printReport(report doctor.Report, json bool) error {
	if json {
		text, err := report.JSON()
		if err != nil {
			return err
		}
		return a.write(string(text) + "\n")
	}
	if err := report.WriteText(a.out, colored(a.out)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// tryBPF and tryTrace open the source of that name and let it go.

func (a *App) tryBPF() error {
	s, err := a.bpf(bpf.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

func (a *App) tryTrace() error {
	s, err := a.trace(trace.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/table"
)

// recordOptions are those of record.
type recordOptions struct {
	selection
	take
}

func (o *recordOptions) flags() *pflag.FlagSet {
	f := newFlags("record")
	o.take.add(f)
	o.selection.add(f)
	return f
}

func recordHelp(f *pflag.FlagSet) string {
	return `Write drops to a session file, until Ctrl-C: packets, places, reasons, losses,
and what host they are from. It needs no symbol table to be replayed, and a
file that a crash has cut short can be read as far as it goes.

Usage:
  dropwatch record [options] FILE [expression]

Options:
` + f.FlagUsagesWrapped(80) + `
Examples:
  dropwatch record drops.dw
  dropwatch record --duration 1m night.dw not iface lo
  dropwatch replay night.dw
`
}

func (a *App) recordCommand(ctx context.Context, args []string) error {
	var o recordOptions
	o.takeover = a.takeover
	f := o.flags()
	if err := a.parseFlags(f, args, recordHelp(f)); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return &usageError{errors.New("record: no file: name one to write to")}
	}
	if f.Arg(0) == "-" {
		if err := a.mayTakePackets(); err != nil {
			return err
		}
	}
	if err := o.selection.parse(f.Args()[1:]); err != nil {
		return err
	}
	d, err := o.take.demand(o.filter, true)
	if err != nil {
		return err
	}
	c := capture{demand: d, duration: o.duration, count: o.count, file: f.Arg(0), sink: func(file outFile) (pipeline.Sink, error) {
		h := session.ThisHost()
		h.Program, h.Command = "dropwatch "+Version, strings.Join(append([]string{"record"}, args...), " ")
		w, err := session.NewWriter(file, file.name, h)
		if err != nil {
			return nil, err
		}
		return pipeline.Tee{w, table.New(a.err, a.tableOptions(a.err, 0))}, nil
	}}
	return c.run(ctx, a)
}

// replayOptions are those of replay.
type replayOptions struct {
	selection
	show
	stack bool
}

func (o *replayOptions) flags() *pflag.FlagSet {
	f := newFlags("replay")
	o.selection.add(f)
	o.show.add(f)
	f.BoolVar(&o.stack, "stack", false, "show the calls that led to each drop, if they were recorded")
	return f
}

func replayHelp(f *pflag.FlagSet) string {
	return `Show the drops of a session file as watch shows them live.

Usage:
  dropwatch replay [options] FILE [expression]

Options:
` + f.FlagUsagesWrapped(80) + `
Examples:
  dropwatch replay night.dw 'reason == NETFILTER_DROP'
  dropwatch replay -w night.pcapng night.dw
`
}

func (a *App) replayCommand(ctx context.Context, args []string) (err error) {
	var o replayOptions
	f := o.flags()
	if err := a.parseFlags(f, args, replayHelp(f)); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return &usageError{errors.New("replay: no file: name one that record has written")}
	}
	if err := o.selection.parse(f.Args()[1:]); err != nil {
		return err
	}
	if err := o.show.check(a); err != nil {
		return err
	}
	from, err := a.openSession(f.Arg(0))
	if err != nil {
		return err
	}
	defer from.Close()
	return a.replay(ctx, from, &o)
}

func (a *App) replay(ctx context.Context, from sessionFile, o *replayOptions) (err error) {
	ctx, stop := a.signals.interruptible(ctx)
	defer stop()
	file, err := a.reserve(o.file)
	if err != nil {
		return err
	}
	defer func() { err = pipeline.Also(err, file.Close()) }()
	c := capture{sink: func(file outFile) (pipeline.Sink, error) { return a.sink(&o.show, o.stack, file) }}
	into, err := c.begin(file)
	if err != nil {
		return advise(err)
	}
	return flow(ctx, &pipeline.Pipeline{Source: from, Stages: reading(o.filter), Sink: into, Limit: o.count})
}

// A sessionFile is a session that is being replayed.
type sessionFile struct {
	*session.Reader
	*os.File
}

// openSession opens a session file and says whose it is; - is standard input.
func (a *App) openSession(path string) (sessionFile, error) {
	file := a.in
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return sessionFile{}, err
		}
	}
	r, err := session.Open(file, event.Escape(path))
	if err != nil {
		file.Close()
		return sessionFile{}, err
	}
	h := r.Header()
	a.warn(fmt.Errorf("recorded on %s, Linux %s, from %s by `%s`", event.Escape(h.Host), event.Escape(h.Kernel),
		h.Started.Local().Format("Jan _2 2006 15:04:05"), event.Escape(h.Command)))
	return sessionFile{r, file}, nil
}

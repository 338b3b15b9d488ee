package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/term"
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
	o.takeover, o.source = a.takeover, a.source
	f := o.flags()
	if err := a.parseFlags(f, args, recordHelp(f)); err != nil {
		return err
	}
	if f.Arg(0) == "" {
		return &usageError{errors.New("record: no file: name one to write to")}
	}
	if f.Arg(0) == "-" {
		if err := a.mayTakePackets("record"); err != nil {
			return err
		}
	}
	if err := o.selection.parse(a.filter, f.Args()[1:]); err != nil {
		return err
	}
	d, err := o.take.demand(o.filter, true)
	if err != nil {
		return err
	}
	c := capture{demand: d, duration: o.duration, count: o.count, file: f.Arg(0)}
	c.sink = func(from string, file outFile) (pipeline.Sink, error) {
		h := session.ThisHost()
		h.Program, h.Command = "dropwatch "+Version, "dropwatch record "+strings.Join(args, " ")
		h.Source, h.Started, h.Settings = from, time.Now(), o.settings()
		return a.recorder(file, h)
	}
	return c.run(ctx, a)
}

// settings are what a reader of the file wants to know of how it was made: what
// is set in a session is not in the command.
func (o *recordOptions) settings() map[string]string {
	return map[string]string{
		"mode": o.mode, "origin": o.origins.String(), "stack": strconv.FormatBool(o.stack),
		"trunc": strconv.FormatUint(uint64(o.trunc), 10), "sample": o.sample.String(), "filter": o.filter.String(),
	}
}

// recorder writes the file, and tells in the end what is in it.
func (a *App) recorder(file outFile, h session.Header) (pipeline.Sink, error) {
	w, err := session.NewWriter(file, file.name, h)
	if err != nil {
		return nil, err
	}
	return pipeline.Tee{w, table.New(a.err, new(show).table(a.err, 0))}, nil
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

func (a *App) replayCommand(ctx context.Context, args []string) error {
	var o replayOptions
	f := o.flags()
	if err := a.parseFlags(f, args, replayHelp(f)); err != nil {
		return err
	}
	switch f.Arg(0) {
	case "":
		return &usageError{errors.New("replay: no file: name one that record has written")}
	case "-":
		if err := a.mayReadSession(); err != nil {
			return err
		}
	}
	if err := o.selection.parse(a.filter, f.Args()[1:]); err != nil {
		return err
	}
	if err := o.show.check(a, f); err != nil {
		return err
	}
	return a.replay(ctx, f.Arg(0), &o)
}

// mayReadSession tells that standard input cannot be a recorded session.
func (a *App) mayReadSession() error {
	switch {
	case a.talking:
		return &usageError{errors.New("replay: standard input has the commands of the session: name a file")}
	case term.IsTerminal(a.in):
		return &usageError{errors.New("replay: a recorded session cannot be typed: name a file, or pipe one here")}
	}
	return nil
}

func (a *App) replay(ctx context.Context, path string, o *replayOptions) (err error) {
	ctx, stop := a.signals.interruptible(ctx)
	defer stop()
	in := a.in
	if path != "-" {
		if in, err = await(ctx, func() (*os.File, error) { return os.Open(path) }); err != nil {
			return err
		}
		defer in.Close()
	}
	from, err := session.Open(waiting{ctx, in}, event.Escape(path))
	if err != nil {
		return err
	}
	file, err := a.reserve(ctx, o.file)
	if err != nil {
		return err
	}
	defer func() { err = pipeline.Also(err, file.Close()) }()
	if file.is(in) {
		return &usageError{fmt.Errorf("replay: -w would overwrite %s while it is read: name another file", file.name)}
	}
	o.begun = from.Header().Started
	into, err := a.replayInto(o, file)
	if err != nil {
		return advise(err)
	}
	a.introduce(from.Header())
	return flow(ctx, &pipeline.Pipeline{Source: from, Stages: []pipeline.Stage{decode.Packets(), o.filter.Stage()}, Sink: into, Limit: o.count, Now: from.Now})
}

func (a *App) replayInto(o *replayOptions, file outFile) (pipeline.Sink, error) {
	if err := file.begin(); err != nil {
		return nil, err
	}
	return a.sink(&o.show, o.stack, file)
}

// introduce says whose drops those of a session are.
func (a *App) introduce(h session.Header) {
	a.warn(fmt.Errorf("recorded on %s, Linux %s, from %s, by `%s` from %s", event.Escape(h.Host), event.Escape(h.Kernel),
		h.Started.Local().Format("Jan _2 2006 15:04:05"), event.Escape(h.Command), event.Escape(h.Source)))
	if f := h.Settings["filter"]; f != "" {
		a.warn(fmt.Errorf("only what matches was recorded: %s", event.Escape(f)))
	}
}

package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/line"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/sink/top"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/term"
)

// topOptions are those of top.
type topOptions struct {
	selection
	take
}

func (o *topOptions) flags() *pflag.FlagSet {
	f := newFlags("top")
	o.byOwner = true
	o.take.add(f)
	o.selection.add(f)
	return f
}

func topHelp(f *pflag.FlagSet) string {
	return `Show live how many packets are dropped a second, by place, reason, interface
and owner, with a look into each: its flows, calls and last packets.

Usage:
  dropwatch top [options] [expression]

` + top.Help + `

Options:
` + f.FlagUsagesWrapped(80) + `
Examples:
  dropwatch top
  dropwatch top not iface lo
  dropwatch top process nginx or container web
`
}

func (a *App) topCommand(ctx context.Context, args []string) error {
	var o topOptions
	o.takeover, o.source = a.takeover, a.source
	f := o.flags()
	if err := a.parseFlags(f, args, topHelp(f)); err != nil {
		return err
	}
	if err := o.selection.parse(a.filter, f.Args()); err != nil {
		return err
	}
	if !term.IsTerminal(a.in) || !term.IsTerminal(a.out) || os.Getenv("TERM") == "dumb" {
		return &usageError{top.ErrNoTerminal}
	}
	d, err := o.take.demand(o.filter, false)
	if err != nil {
		return err
	}
	d.sampledStack = true
	v := &view{app: a, expression: o.filter.String(), command: strings.Join(append([]string{"dropwatch top"}, args...), " ")}
	c := capture{demand: d, duration: o.duration, count: o.count, sink: v.open, show: v.run}
	return pipeline.Also(c.run(ctx, a), v.end())
}

// A view is the screen that top shows, and what is said after it.
type view struct {
	app                 *App
	expression, command string
	header              session.Header // of what is saved
	screen              *top.Sink
	table               bytes.Buffer // of the run
}

// open makes the sink, whose screen run shows.
func (v *view) open(from string, _ outFile) (pipeline.Sink, error) {
	v.header = session.ThisHost()
	v.header.Program, v.header.Command = "dropwatch "+Version, v.command
	v.header.Source, v.header.Started = from, time.Now()
	v.screen = top.New(top.Options{
		Source: from, Host: v.header.Host, Expression: v.expression,
		Color: colored(v.app.out), ASCII: !utf8Locale(),
		Format: lineOf, Parse: matcher, Save: v.save, Explain: explain,
	})
	return pipeline.Tee{v.screen, table.New(&v.table, new(show).table(v.app.out, 0))}, nil
}

// run shows the screen while feed runs. What is to be said waits.
func (v *view) run(ctx context.Context, feed func(context.Context) error) error {
	defer v.app.holdWarnings()()
	return v.screen.Run(ctx, v.app.in, v.app.out, feed)
}

// end prints the table, where the terminal keeps it.
func (v *view) end() error { return v.app.write(v.table.String()) }

// save writes a session file, which begins with the first event. What is no regular
// file, as a fifo that nobody reads, could hold up the screen.
func (v *view) save(file string, events iter.Seq[*event.Event]) (err error) {
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("save to %s: it is no regular file: name another", event.Escape(file))
	}
	f, err := v.app.reserve(context.Background(), file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.begin(); err != nil {
		return err
	}
	header := v.header
	for e := range events {
		header.Started = e.Time
		break
	}
	w, err := session.NewWriter(f, f.name, header)
	if err != nil {
		return err
	}
	for e := range events {
		if err := w.Write(e); err != nil {
			return err
		}
	}
	return w.Flush()
}

// matcher reads an expression.
func matcher(text string) (func(*event.Event) bool, error) {
	f, err := filter.Parse(text)
	if err != nil {
		return nil, err
	}
	return f.Match, nil
}

// lineOf is what watch prints of a drop.
func lineOf(e *event.Event) string {
	var b bytes.Buffer
	l := line.New(&b, line.Options{})
	_ = pipeline.Also(l.Write(e), l.Flush()) // a Buffer takes all
	return strings.TrimSuffix(b.String(), "\n")
}

// explain says why a drop happened, and what to do; empty if that is not known.
func explain(e *event.Event) string {
	entry, _ := knowledge.Of(e)
	return entry.String()
}

// utf8Locale tells whether the terminal is said to show more than ASCII.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// holdWarnings keeps warnings until release is called.
func (a *App) holdWarnings() (release func()) {
	var held bytes.Buffer
	a.warnings = &held
	return func() {
		a.warnings = nil
		_, _ = io.Copy(a.err, &held)
	}
}

// warn tells what does not stop us.
func (a *App) warn(err error) {
	var to io.Writer = a.err
	if a.warnings != nil {
		to = a.warnings
	}
	fmt.Fprintf(to, "dropwatch: %v\n", err)
}

package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"dropwatch/internal/diagnose"
)

// framesPerSecond is how often bubbletea checks whether there is something to draw,
// and so the longest delay of a key. Each check costs some CPU.
const framesPerSecond = 10

// Run shows on the terminal in and out what feed writes to the sink, until the user
// quits, ctx ends, or feed returns; after feed has read a recording it goes on
// until the user quits. It then ends the context of feed, waits for it and returns
// its error. The terminal is restored, also if feed panics.
func (s *Sink) Run(ctx context.Context, in, out *os.File, feed func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var p *tea.Program
	p = tea.NewProgram(
		program{newScreen(s)},
		tea.WithInput(&terminal{in, func() { p.Quit() }}), tea.WithOutput(out),
		tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond),
	)
	stop := context.AfterFunc(ctx, p.Quit)
	defer stop()
	fed := make(chan error, 1)
	go func() {
		err := guard(ctx, feed)
		fed <- err
		if crashed := (*crash)(nil); !s.recorded() || errors.As(err, &crashed) {
			p.Quit()
		}
	}()
	_, err := p.Run()
	cancel()
	feedErr := <-fed
	if crashed := (*crash)(nil); errors.As(feedErr, &crashed) {
		panic(crashed.Error())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("show the live view: %w", err), feedErr)
	}
	return feedErr
}

// A crash is a panic in the goroutine of feed. Run panics with it when the terminal
// has been restored.
type crash struct {
	value any
	stack []byte
}

// Error has the stack of the goroutine that panicked, which that of Run would hide.
func (c *crash) Error() string { return fmt.Sprintf("%v\n\n%s", c.value, c.stack) }

// guard calls feed, and returns a panic as a *crash.
func guard(ctx context.Context, feed func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &crash{value, debug.Stack()}
		}
	}()
	return feed(ctx)
}

// A terminal is the input. It calls gone when reading fails, as when the terminal
// was closed: bubbletea would then wait for ever.
type terminal struct {
	*os.File
	gone func()
}

// Read calls gone in a goroutine of its own: bubbletea may wait for this Read
// meanwhile.
func (t *terminal) Read(b []byte) (int, error) {
	n, err := t.File.Read(b)
	if err != nil {
		go t.gone()
	}
	return n, err
}

// A program is a screen as a tea.Model.
type program struct{ *screen }

// A tick is sent when a second is over, by which the numbers change.
type tick struct{}

// Init implements tea.Model.
func (p program) Init() tea.Cmd { return p.wait() }

// wait sends a tick at the end of the current second of the counter.
func (p program) wait() tea.Cmd {
	p.sink.mu.Lock()
	defer p.sink.mu.Unlock()
	left := time.Second
	if !p.sink.recorded() {
		left = p.sink.run.shown().Next(time.Now())
	}
	return tea.Tick(left, func(time.Time) tea.Msg { return tick{} })
}

// Update implements tea.Model.
func (p program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var next tea.Cmd
	switch msg := msg.(type) {
	case tick:
		p.refresh()
		next = p.wait()
	case answer:
		p.answered(msg)
	case tea.WindowSizeMsg:
		p.resize(msg.Width, msg.Height)
	case tea.PasteMsg:
		p.paste(msg.Content)
	case tea.KeyPressMsg:
		next = p.act(msg.String())
	}
	return p, tea.Batch(next, p.ask())
}

// An answer has the finding that the details asked for; nil: it is being made, or there is none.
type answer struct {
	question
	finding *diagnose.Finding
}

// ask makes the finding that the details want, in a goroutine of its own: the screen does not
// wait for it. It returns nil if they want none.
func (p program) ask() tea.Cmd {
	q, drops, find := p.more.wanted, p.more.drops, p.sink.opts.Diagnose
	if q == (question{}) || find == nil || p.pane != detail {
		return nil
	}
	p.answered(answer{question: q}) // so that it is not asked for again
	return func() tea.Msg { return answer{q, find(drops)} }
}

// answered shows a finding in the details, if they are still those that want it.
func (v *screen) answered(a answer) {
	if v.pane != detail {
		return
	}
	if v.more.found == nil {
		v.more.found = make(map[question]*diagnose.Finding)
	}
	v.more.found[a.question] = a.finding
	v.refresh()
}

// act handles a key.
func (p program) act(key string) tea.Cmd {
	switch p.press(key) {
	case quit:
		return tea.Quit
	case suspend:
		return tea.Suspend
	case redraw:
		return tea.ClearScreen
	}
	return nil
}

// View implements tea.Model.
func (p program) View() tea.View {
	v := tea.NewView(strings.Join(p.lines(), "\n"))
	v.AltScreen = true
	if x, y, ok := p.cursor(); ok {
		v.Cursor = tea.NewCursor(x, y)
	}
	return v
}

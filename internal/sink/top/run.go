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
)

// framesPerSecond is how often the library looks whether there is anything to
// draw, and so how long a key may wait. Each look costs some CPU.
const framesPerSecond = 10

// Run shows what feed writes to the sink, on the terminal in and out, until the
// person quits, ctx ends or feed returns. It ends the context of feed, waits for it
// and gives its error. The terminal is then as it was, also if feed panics.
func (s *Sink) Run(ctx context.Context, in, out *os.File, feed func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var p *tea.Program
	p = tea.NewProgram(
		program{newScreen(s, time.Now)},
		tea.WithInput(&terminal{in, func() { p.Quit() }}), tea.WithOutput(out),
		tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond),
	)
	stop := context.AfterFunc(ctx, p.Quit)
	defer stop()
	fed := make(chan error, 1)
	go func() {
		fed <- guard(ctx, feed)
		p.Quit()
	}()
	_, err := p.Run()
	cancel()
	feedErr := <-fed
	if crash := (*crash)(nil); errors.As(feedErr, &crash) {
		panic(crash.Error())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("show drops live: %w", err), feedErr)
	}
	return feedErr
}

// A crash is a panic of another goroutine.
type crash struct {
	value any
	stack []byte
}

func (c *crash) Error() string { return fmt.Sprintf("%v\n\n%s", c.value, c.stack) }

// guard makes an error of a panic.
func guard(ctx context.Context, feed func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &crash{value, debug.Stack()}
		}
	}()
	return feed(ctx)
}

// A terminal is input that tells when it is gone, which the library does not.
type terminal struct {
	*os.File
	gone func()
}

func (t *terminal) Read(b []byte) (int, error) {
	n, err := t.File.Read(b)
	if err != nil {
		go t.gone()
	}
	return n, err
}

// A program is a screen as the library wants it.
type program struct{ *screen }

// A tick says that a second is over.
type tick struct{}

// Init implements tea.Model.
func (p program) Init() tea.Cmd { return p.wait() }

// wait waits for the end of the second.
func (p program) wait() tea.Cmd {
	p.sink.mu.Lock()
	defer p.sink.mu.Unlock()
	return tea.Tick(p.sink.run.shown().Next(time.Now()), func(time.Time) tea.Msg { return tick{} })
}

// Update implements tea.Model.
func (p program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		p.refresh()
		return p, p.wait()
	case tea.WindowSizeMsg:
		p.resize(msg.Width, msg.Height)
	case tea.PasteMsg:
		p.paste(msg.Content)
	case tea.KeyPressMsg:
		return p, p.obey(msg.String())
	}
	return p, nil
}

func (p program) obey(key string) tea.Cmd {
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

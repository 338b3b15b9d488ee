package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/chzyer/readline"
	xterm "golang.org/x/term"
)

// fallbackColumns is used as the width of a terminal whose width is not known.
const fallbackColumns = 80

// terminal is the Reader for a person, who edits lines.
type terminal struct {
	in       *keyboard
	out      *gate
	stdin    int    // file descriptor whose mode is switched
	stdout   int    // file descriptor of which the width is read
	commands string // the prompt for commands
	rl       *readline.Instance
	resize   func() // makes the library read the width again
	tab      *completer
	past     *history // lines of this and earlier sessions

	asking sync.Mutex // held while the terminal is raw
	prompt string     // on the screen now
}

// openTerminal returns the Reader for a terminal.
func openTerminal(cfg Config) (*terminal, error) {
	t := &terminal{
		in:       newKeyboard(cfg.Stdin),
		out:      &gate{w: cfg.Stdout},
		stdin:    int(cfg.Stdin.Fd()),
		stdout:   int(cfg.Stdout.Fd()),
		commands: cfg.Prompt,
	}
	t.tab = &completer{complete: cfg.Complete, list: t.list}
	rl, err := readline.NewEx(t.config())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open terminal: %w", err), t.in.Close())
	}
	t.rl = rl
	t.past = openHistory(cfg.HistoryFile, cfg.Warn)
	t.recall()
	return t, nil
}

// config returns a configuration in which the library uses neither the standard files of the
// process nor its signals, and does not change the mode of the terminal.
func (t *terminal) config() *readline.Config {
	return &readline.Config{
		Stdin:  t.in,
		Stdout: t.out,
		Stderr: t.out,

		HistoryLimit:           historyLines,
		DisableAutoSaveHistory: true,
		AutoComplete:           t.tab,
		EOFPrompt:              "\n", // print nothing but the end of the line

		FuncIsTerminal:     func() bool { return true },
		FuncMakeRaw:        func() error { return nil },
		FuncExitRaw:        func() error { return nil },
		FuncGetWidth:       t.columns,
		FuncOnWidthChanged: func(f func()) { t.resize = f },
		FuncFilterInputRune: func(r rune) (rune, bool) {
			t.resize()
			return r, true // refusing a rune makes Close hang
		},
	}
}

// recall fills the library's history. It begins with an empty line, because the library panics when
// it searches an empty history.
func (t *terminal) recall() {
	for _, line := range append([]string{""}, t.past.lines...) {
		t.remember(line)
	}
}

// remember adds a line to the library's history; an empty line only resets the text that is being
// edited. It cannot fail, as the library has no file.
func (t *terminal) remember(line string) {
	_ = t.rl.SaveHistory(line)
}

// ReadLine implements Reader.
func (t *terminal) ReadLine(ctx context.Context) (string, error) {
	t.asking.Lock()
	defer t.asking.Unlock()
	line, err := t.ask(ctx, t.commands)
	if err != nil {
		return "", err
	}
	t.remember(line)
	t.past.add(line)
	return line, nil
}

// Confirm implements Reader.
func (t *terminal) Confirm(ctx context.Context, question string) (bool, error) {
	t.asking.Lock()
	defer t.asking.Unlock()
	t.tab.off = true
	defer func() { t.tab.off = false }()
	answer, err := t.ask(ctx, question+" [y/N] ")
	t.remember("")
	if errors.Is(err, io.EOF) || errors.Is(err, ErrInterrupt) {
		return false, nil
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", err
}

// ask prints a prompt and reads a line in raw mode. When ctx ends it ends the input, which is all that
// makes the library return.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if t.in.ended() {
		return "", io.EOF // the library would wait for ever
	}
	cooked, err := readline.MakeRaw(t.stdin)
	if err != nil {
		return "", fmt.Errorf("make terminal raw: %w", err)
	}
	defer readline.Restore(t.stdin, cooked)
	stop := context.AfterFunc(ctx, t.in.end)
	defer stop()
	line, err := t.readline(prompt)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return line, err
}

// readline reads a line by the library, which may write only during the call.
func (t *terminal) readline(prompt string) (string, error) {
	t.prompt = prompt
	t.rl.SetPrompt(prompt)
	t.out.set(true)
	defer t.out.set(false)
	line, err := t.rl.Readline()
	switch {
	case t.in.ended():
		return "", io.EOF // what was typed is not a whole line
	case errors.Is(err, readline.ErrInterrupt):
		return "", ErrInterrupt
	}
	return line, err
}

// columns returns the width of the terminal. If it is not known, or not larger than the prompt, for
// which the library may loop for ever, it returns a usual one.
func (t *terminal) columns() int {
	width, _, err := xterm.GetSize(t.stdout)
	if err != nil || width <= len(t.prompt) {
		return max(fallbackColumns, len(t.prompt)+1)
	}
	return width
}

// list prints candidates below the line that is being edited, and prompt and line again. The library
// calls it from its goroutine.
func (t *terminal) list(line string, candidates []string) {
	fmt.Fprintf(t.rl.Stdout(), "%s%s\n%s", t.prompt, line, table(candidates, t.columns()))
}

// Close implements Reader. It closes only the library's Terminal, because closing its Instance leaves
// a goroutine behind.
func (t *terminal) Close() error {
	t.in.end()
	t.asking.Lock()
	defer t.asking.Unlock()
	return errors.Join(t.rl.Terminal.Close(), t.past.close())
}

// gate passes on what is written while it is open, and discards the rest: redraws of a line that was
// returned already.
type gate struct {
	mu   sync.Mutex
	open bool // a line may be written now
	w    io.Writer
}

// set opens or closes the gate.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

// Write reports success also for what it discards.
func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return len(b), nil
	}
	return g.w.Write(b)
}

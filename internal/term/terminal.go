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

// fallbackColumns is the width of a terminal that does not know its own.
const fallbackColumns = 80

// terminal is the Reader of a person.
type terminal struct {
	in       *keyboard
	out      *gate
	stdin    int // descriptor whose mode is switched
	stdout   int // descriptor whose width is asked for
	commands string
	rl       *readline.Instance
	resize   func() // makes the library ask for the width again
	tab      *completer
	past     *history

	asking sync.Mutex // held while the terminal is raw
	prompt string     // the one on screen; set before a key can come
}

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

// config leaves the library no way to the process's own standard files, to
// its signals or to the mode of the terminal.
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

// recall fills the library's history. The empty line in front is needed: it
// takes the history for non-empty.
func (t *terminal) recall() {
	for _, line := range append([]string{""}, t.past.lines...) {
		t.remember(line)
	}
}

// remember adds line to the library's history, or only forgets the text being
// edited if line is empty. It cannot fail, as no file is behind it.
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

// ask shows prompt and reads a line in raw mode. The input is ended when ctx
// ends: nothing else makes the library return.
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

// readline runs the library, which may write only during the call.
func (t *terminal) readline(prompt string) (string, error) {
	t.prompt = prompt
	t.rl.SetPrompt(prompt)
	t.out.set(true)
	defer t.out.set(false)
	line, err := t.rl.Readline()
	switch {
	case t.in.ended():
		return "", io.EOF // what was typed so far is no command
	case errors.Is(err, readline.ErrInterrupt):
		return "", ErrInterrupt
	}
	return line, err
}

// columns is the width of the terminal, or a usual one if it is unknown or
// not larger than the prompt, where the library may count for ever.
func (t *terminal) columns() int {
	width, _, err := xterm.GetSize(t.stdout)
	if err != nil || width <= len(t.prompt) {
		return max(fallbackColumns, len(t.prompt)+1)
	}
	return width
}

// list shows the candidates below the line being edited and the prompt again
// below them. It runs on the library's goroutine, during a key.
func (t *terminal) list(line string, candidates []string) {
	fmt.Fprintf(t.rl.Stdout(), "%s%s\n%s", t.prompt, line, table(candidates, t.columns()))
}

// Close implements Reader. It takes down only the library's Terminal: closing
// all of the Instance leaves a goroutine behind.
func (t *terminal) Close() error {
	t.in.end()
	t.asking.Lock()
	defer t.asking.Unlock()
	return errors.Join(t.rl.Terminal.Close(), t.past.close())
}

// gate passes on what is written while it is open and drops the rest: redraws
// of a line that was already handed out.
type gate struct {
	mu   sync.Mutex
	open bool
	w    io.Writer
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return len(b), nil
	}
	return g.w.Write(b)
}

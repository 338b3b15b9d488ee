package term

import (
	"context"
	"errors"
	"os"

	xterm "golang.org/x/term"
)

// ErrInterrupt says that Ctrl-C was pressed at the prompt. The line typed so
// far is dropped and the next one can be read.
var ErrInterrupt = errors.New("interrupt")

// Reader hands out the lines of a session, one at a time. Only Close may be
// called while another call is under way.
type Reader interface {
	// ReadLine shows the prompt and returns the line entered, without its
	// end. The error is io.EOF at the end of the input, after Ctrl-D on an
	// empty line (reading may go on after that one) and after Close,
	// ErrInterrupt after Ctrl-C, and ctx's cause as soon as ctx ends, which
	// also ends the input of a terminal.
	ReadLine(ctx context.Context) (string, error)

	// Confirm asks a yes-or-no question and reports whether the answer was
	// yes. The answer does not enter the history; an empty one, the end of
	// the input and Ctrl-C all mean no. A script is never asked: its answer
	// is no, and it loses no line.
	Confirm(ctx context.Context, question string) (bool, error)

	// Close ends the input and frees what Open took. A ReadLine that still
	// waits in another goroutine returns io.EOF, and Close returns when the
	// terminal is back in its own mode. It can be called again and from a
	// deferred function; Stdin and Stdout stay open.
	Close() error
}

// Config says where lines come from. Stdin and Stdout are required.
type Config struct {
	// Stdin and Stdout decide between the two readers: if both are
	// terminals lines are edited, otherwise Stdin is a script.
	Stdin, Stdout *os.File

	// Prompt is shown before each line, in a script as well.
	Prompt string

	// HistoryFile keeps the lines entered on a terminal from one session to
	// the next. It and its directory are created as needed, for the owner
	// only. Empty means that lines are remembered in this session only.
	HistoryFile string

	// Complete returns what the last word of line may become: whole words,
	// of which those that do not begin with that word are ignored. The line
	// is what is left of the cursor. Nil means no completion.
	Complete func(line string) []string

	// Warn is told, at most once, that HistoryFile cannot be read or
	// written; the session goes on without it. It must not use the Reader.
	// It may be nil.
	Warn func(error)
}

// Open returns the reader that suits cfg.Stdin and cfg.Stdout. The caller
// closes it.
func Open(cfg Config) (Reader, error) {
	if IsTerminal(cfg.Stdin) && IsTerminal(cfg.Stdout) {
		return openTerminal(cfg)
	}
	return newScript(cfg.Stdin, cfg.Stdout, cfg.Prompt), nil
}

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool {
	return f != nil && xterm.IsTerminal(int(f.Fd()))
}

// Width is the number of columns of a terminal; 0 if f is none or does not tell.
func Width(f *os.File) int {
	width, _, err := xterm.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(width, 0)
}

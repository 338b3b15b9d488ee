package term

import (
	"context"
	"errors"
	"os"

	xterm "golang.org/x/term"
)

// ErrInterrupt is returned when Ctrl-C was pressed at the prompt. What was typed is discarded, and the next
// line can be read.
var ErrInterrupt = errors.New("interrupt")

// Reader reads the lines of a session. Only Close may be called during another call.
type Reader interface {
	// ReadLine prints the prompt and returns the line that is entered, without its newline.
	// The error is io.EOF at the end of the input, after Close, and after Ctrl-D on an empty
	// line, after which reading may go on; ErrInterrupt after Ctrl-C; and the cause of ctx
	// when ctx ends, which also ends the input of a terminal.
	ReadLine(ctx context.Context) (string, error)

	// Confirm asks a yes-or-no question and reports whether the answer was yes. An empty
	// answer, the end of the input and Ctrl-C mean no. The answer is not in the history. A
	// script is not asked, and no line of it is read: its answer is no.
	Confirm(ctx context.Context, question string) (bool, error)

	// Close ends the input and releases what Open has opened. A ReadLine that waits in
	// another goroutine returns io.EOF; when Close returns the terminal is in its original
	// mode. Close can be called again. Stdin and Stdout stay open.
	Close() error
}

// Config configures a Reader. Stdin and Stdout are required.
type Config struct {
	// Stdin and Stdout decide between the two readers: if both are terminals, lines are edited;
	// otherwise Stdin is a script.
	Stdin, Stdout *os.File

	// Prompt is shown before each line, in a script as well.
	Prompt string

	// HistoryFile is the path of the file that keeps the lines entered on a terminal. It and
	// its directory are created as needed, for the owner only. If it is empty, lines are
	// remembered until the end of the session.
	HistoryFile string

	// Complete returns completions of the last word of line, which ends at the cursor: whole
	// words. Those that do not begin with that word are ignored. Nil means no completion.
	Complete func(line string) []string

	// Warn is called, at most once, if HistoryFile cannot be read or written; the session goes
	// on without it. It must not use the Reader. It may be nil.
	Warn func(error)
}

// Open returns the reader for cfg.Stdin and cfg.Stdout. The caller closes it.
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

// HasControlling reports whether the process has a controlling terminal (tty(4)), whose end is a
// SIGHUP. A service has none.
func HasControlling() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// Width returns the number of columns of a terminal; 0 if f is not a terminal or its width is not
// known.
func Width(f *os.File) int {
	width, _, err := xterm.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(width, 0)
}

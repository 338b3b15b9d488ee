package term

import (
	"io"
	"strings"
	"sync/atomic"

	"github.com/chzyer/readline"
)

// harmful are the keys that the library does not survive: NUL, from Ctrl-Space or a Ctrl-D typed
// during a run, ends the input for good; Ctrl-T moves the cursor outside of a line of one letter;
// Ctrl-Z stops the parent process.
const harmful = "\x00\x14\x1a"

// noKey replaces them: BEL, which does nothing.
const noKey = 0x07

// keyboard is the input of the line editor: one byte at a time, without harmful keys. Its end method
// ends it while a Read waits.
type keyboard struct {
	in     *readline.CancelableStdin
	closed atomic.Bool
}

// newKeyboard returns a keyboard that reads from r.
func newKeyboard(r io.Reader) *keyboard {
	return &keyboard{in: readline.NewCancelableStdin(r)}
}

// Read reads one byte.
func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.in.Read(b[:min(1, len(b))])
	if err != nil {
		k.closed.Store(true)
	}
	for i, c := range b[:n] {
		if strings.IndexByte(harmful, c) >= 0 {
			b[i] = noKey
		}
	}
	return n, err
}

// end makes a waiting Read and every later one return io.EOF.
func (k *keyboard) end() {
	k.closed.Store(true)
	_ = k.in.Close() // never fails
}

// ended reports whether the input has ended.
func (k *keyboard) ended() bool {
	return k.closed.Load()
}

// Close implements io.Closer.
func (k *keyboard) Close() error {
	k.end()
	return nil
}

package term

import (
	"io"
	"strings"
	"sync/atomic"

	"github.com/chzyer/readline"
)

// harmful are the keys the library cannot bear: NUL, which is Ctrl-Space and a
// Ctrl-D typed during a run, ends the input for good; Ctrl-T, transpose, leaves
// the cursor outside a line of one letter; Ctrl-Z stops the parent process.
const harmful = "\x00\x14\x1a"

// bell is the key in their place. It does nothing.
const bell = 0x07

// keyboard is the input of the line editor: one byte at a time, without
// harmful keys, and with an end that can be called.
type keyboard struct {
	in     *readline.CancelableStdin
	closed atomic.Bool
}

func newKeyboard(r io.Reader) *keyboard {
	return &keyboard{in: readline.NewCancelableStdin(r)}
}

// Read returns the next byte.
func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.in.Read(b[:min(1, len(b))])
	if err != nil {
		k.closed.Store(true)
	}
	for i, c := range b[:n] {
		if strings.IndexByte(harmful, c) >= 0 {
			b[i] = bell
		}
	}
	return n, err
}

// end makes a waiting Read and every later one return io.EOF.
func (k *keyboard) end() {
	k.closed.Store(true)
	_ = k.in.Close() // never fails
}

// ended reports whether there is nothing more to read.
func (k *keyboard) ended() bool {
	return k.closed.Load()
}

// Close implements io.Closer.
func (k *keyboard) Close() error {
	k.end()
	return nil
}

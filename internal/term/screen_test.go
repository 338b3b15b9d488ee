package term

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// maxWait is how long a test waits for something expected. It only bounds the time of a test
// that fails.
const maxWait = time.Minute

// screen is the person's side of a pty: it types, and sees what a terminal
// would show.
type screen struct {
	t      *testing.T
	master *os.File

	mu      sync.Mutex
	written []byte
	changed chan struct{} // holds a token after each change
}

// newPTY returns a screen of 80x24 and the terminal device behind it.
func newPTY(t *testing.T) (*screen, *os.File) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatalf("open pty: %v", err)
	}
	s := &screen{t: t, master: closable(t, master), changed: make(chan struct{}, 1)}
	t.Cleanup(func() { s.master.Close(); tty.Close() })
	s.resize(80, 24)
	go s.watch()
	return s, tty
}

// closable replaces f by a copy whose Close ends a waiting Read.
func closable(t *testing.T, f *os.File) *os.File {
	t.Helper()
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatalf("copy pty: %v", err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

func (s *screen) watch() {
	b := make([]byte, 4096)
	for {
		n, err := s.master.Read(b)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.written = append(s.written, b[:n]...)
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *screen) resize(columns, rows uint16) {
	s.t.Helper()
	if err := pty.Setsize(s.master, &pty.Winsize{Cols: columns, Rows: rows}); err != nil {
		s.t.Fatalf("resize pty: %v", err)
	}
}

// send types keys.
func (s *screen) send(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatalf("type %q: %v", keys, err)
	}
}

// raw is every byte the program wrote.
func (s *screen) raw() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.written)
}

func (s *screen) text() string { return render(s.raw()) }

// until waits for the screen to end with want.
func (s *screen) until(want string) {
	s.t.Helper()
	limit := time.After(maxWait)
	for !s.ends(want) {
		select {
		case <-s.changed:
		case <-limit:
			s.t.Fatalf("screen does not come to end with %q:\n%q\nraw: %q", want, s.text(), s.raw())
		}
	}
}

// ends reports whether the screen ends with want. A row just cleared, to be
// drawn again, is not taken for a new one.
func (s *screen) ends(want string) bool {
	raw := s.raw()
	cleared := strings.HasSuffix(want, "\n") && !strings.HasSuffix(raw, "\n")
	return strings.HasSuffix(render(raw), want) && !cleared
}

// render is what a wide terminal shows after raw was written to it.
func render(raw string) string {
	rows := [][]rune{nil}
	row, col := 0, 0
	in := []rune(raw)
	for i := 0; i < len(in); i++ {
		switch r := in[i]; {
		case r == '\r':
			col = 0
		case r == '\n':
			row++
			if row == len(rows) {
				rows = append(rows, nil)
			}
		case r == '\b':
			col = max(0, col-1)
		case r == '\x1b' && i+1 < len(in) && in[i+1] == '[':
			i += 2
			n := 0
			for ; i < len(in) && in[i] >= '0' && in[i] <= '9'; i++ {
				n = n*10 + int(in[i]-'0')
			}
			if i == len(in) {
				break // the rest of the sequence is still to come
			}
			switch in[i] {
			case 'A':
				row = max(0, row-max(1, n))
			case 'C':
				col += max(1, n)
			case 'J':
				rows = rows[:row+1]
				rows[row] = rows[row][:min(col, len(rows[row]))]
			case 'K':
				rows[row] = nil
			}
		case r >= ' ':
			for len(rows[row]) <= col {
				rows[row] = append(rows[row], ' ')
			}
			rows[row][col] = r
			col++
		}
	}
	if c := min(col, len(rows[row])); strings.TrimRight(string(rows[row][c:]), " ") == "" {
		rows[row] = rows[row][:c] // blanks right of the cursor are not seen
	}
	var b strings.Builder
	for i, r := range rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(r))
	}
	return b.String()
}

func TestRender(t *testing.T) {
	tests := []struct{ raw, want string }{
		{"", ""},
		{"a\r\nb", "a\nb"},
		{"abc\rX", "Xbc"},
		{"abc\b\bX", "aXc"},
		{"abc\r\x1b[2K> ", "> "},
		{"a\r\nb\r\n\x1b[2A\x1b[J\rX", "X"},
		{"a\x1b[3Cb\a", "a   b"},
		{"a\x1b[3", "a"},
		{"> x \b", "> x"},
	}
	for _, tt := range tests {
		if got := render(tt.raw); got != tt.want {
			t.Errorf("render(%q) = %q, want %q", tt.raw, got, tt.want)
		}
	}
}

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

const screenRows, screenCols = 40, 120

// A screen is a terminal with dropwatch in it.
type screen struct {
	t    *testing.T
	keys *os.File
	cmd  *exec.Cmd

	mu    sync.Mutex
	text  strings.Builder // that was written, with what moves the cursor
	seen  int             // bytes of it that shows has passed
	drawn time.Time       // when it was last told to draw all of it
	wide  bool            // see redraw
}

func openScreen(t *testing.T, args ...string) *screen {
	t.Helper()
	s := &screen{t: t, drawn: time.Now(), cmd: exec.Command("dropwatch", args...)}
	s.cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8")
	var err error
	if s.keys, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: screenRows, Cols: screenCols}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.keys.Close()
		if s.mu.Lock(); t.Failed() {
			t.Logf("the terminal got %q", s.text.String())
		}
		s.mu.Unlock()
	})
	go io.Copy(s, s.keys) // ends with the terminal
	return s
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// has reports whether words were written, in this order, after what it has passed. It passes them then.
func (s *screen) has(words ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.seen
	for _, word := range words {
		i := strings.Index(s.text.String()[at:], word)
		if i < 0 {
			return false
		}
		at += i + len(word)
	}
	s.seen = at
	return true
}

// shows calls act until words are written.
func (s *screen) shows(ns *drops.Namespace, act func(), words ...string) {
	s.t.Helper()
	ns.Await("the screen shows "+strings.Join(words, " "), func() bool {
		if act(); s.has(words...) {
			return true
		}
		s.redraw()
		return false
	})
}

// redraw has the program draw all of the screen, once a second, by another width of it: otherwise it writes only what
// has changed, which may be a part of a word, or what is above words that were written before.
func (s *screen) redraw() {
	if time.Since(s.drawn) < time.Second {
		return
	}
	s.drawn, s.wide = time.Now(), !s.wide
	size := pty.Winsize{Rows: screenRows, Cols: screenCols}
	if s.wide {
		size.Cols++
	}
	if err := pty.Setsize(s.keys, &size); err != nil {
		s.t.Error(err)
	}
}

// press types keys, and waits until words are written.
func (s *screen) press(ns *drops.Namespace, keys string, words ...string) {
	s.t.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.t.Fatal(err)
	}
	s.shows(ns, func() {}, words...)
}

// TestTopRetrans: SYNs that a firewall of another network namespace drops are a row; its details have the cause, the
// rule, found in that namespace, and how to check it there.
func TestTopRetrans(t *testing.T) {
	near := drops.NewNamespace(t)
	if !near.Has("test -e /sys/kernel/btf/vmlinux") {
		vmtest.SkipOrFail(t, errors.New("this kernel has no BTF"))
	}
	far := near.Another()
	near.Name("dropwatch-top-near")
	far.Name("dropwatch-top-far")
	near.Batch("link add near0 type veth peer name far0 netns dropwatch-top-far\n" +
		"addr add 192.0.2.1/24 dev near0\nlink set near0 up\n")
	far.Batch("addr add 192.0.2.2/24 dev far0\nlink set far0 up\n")
	far.Run("nft", "table inet fw { chain in { type filter hook input priority 0; tcp dport 9 drop; }; }")
	s := openScreen(t, "top", "--retrans", "host", "192.0.2.2")
	s.shows(near, func() {}, "dropwatch top --retrans")
	s.shows(near, func() {
		near.Do(func() error {
			d := net.Dialer{Timeout: 1500 * time.Millisecond}
			if c, err := d.Dial("tcp4", "192.0.2.2:9"); err == nil {
				c.Close()
			}
			return nil
		})
	}, "192.0.2.2", "syn", "here")
	s.press(near, "\r", "peer", "192.0.2.2", "cause (network, netfilter", "rule",
		"exactly nftables inet fw in handle", "ip netns exec dropwatch-top-far nft")
	s.press(near, "qq") // out of the details, and of the program
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestTopRecordedPoints: a recording is shown with its points, all or those of a name; the view of drops says how.
func TestTopRecordedPoints(t *testing.T) {
	ns := drops.NewNamespace(t)
	const file = "../../testdata/session-files/points.session"
	for _, test := range []struct {
		args  []string
		words []string
	}{
		{[]string{file}, []string{"The recording has no drops, but point events:", "dropwatch top --point all " + file}},
		{[]string{"--point", "all", file}, []string{"2 point events", "tcp_accept_queue", "nginx/812", "udp_queue"}},
		{[]string{"--point", "tcp", file}, []string{"1 point events/s, 1 in all", "tcp_accept_queue"}},
		{[]string{file, "kind", "point"}, []string{"2 point events", "tcp_accept_queue", "udp_queue"}},
	} {
		s := openScreen(t, append([]string{"top"}, test.args...)...)
		s.shows(ns, func() {}, test.words...)
		if _, err := io.WriteString(s.keys, "q"); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}

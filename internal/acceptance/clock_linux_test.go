package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/vmtest/guest"
)

// shiftClock sets the wall clock of the guest forwards, or back.
func shiftClock(t *testing.T, d time.Duration) {
	t.Helper()
	now := syscall.NsecToTimeval(time.Now().Add(d).UnixNano())
	if err := syscall.Settimeofday(&now); err != nil {
		t.Fatal(err)
	}
}

// A documentServer accepts the documents of drops, and counts them, unless it is down.
type documentServer struct {
	up   atomic.Bool
	docs atomic.Int64
}

func (s *documentServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.up.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.docs.Add(int64(bytes.Count(body, []byte(`"action":"drop"`))))
	_, _ = io.WriteString(w, `{"errors":false}`)
}

// lastDrops returns how many drops `dropwatch last` has of the last ten minutes.
func lastDrops(t *testing.T, ring string) int {
	t.Helper()
	r := guest.Run(t, "", dropwatchPath, "last", "--json", "--dir", ring, "10m")
	return strings.Count(r.Stdout, `"kind":"drop"`)
}

// TestGuestClockIsSet sets the clock of a service forwards and back by an hour: every drop is in the file, in the
// recorder and at the server, none is lost; the file has not become old, and the alert has neither ended nor begun again.
func TestGuestClockIsSet(t *testing.T) {
	const n = 5
	dir, server := t.TempDir(), new(documentServer)
	listener := httptest.NewServer(server)
	defer listener.Close()
	lines, ring, spool := dir+"/lines.json", dir+"/ring", dir+"/spool"
	const format = "source = 'bpf'\nexpression = 'udp dst port %d'\n" +
		"output = ['json:%s,age=30m', 'recorder:%s,size=4M', 'elastic:%s,spool=%s,count=1']\n" +
		"[[alert]]\nname = 'any'\nexpression = 'udp'\ncount = 1\nwindow = '20m'\n"
	text := fmt.Sprintf(format, guest.ClosedPort, lines, ring, listener.URL, spool)
	if err := os.WriteFile(dir+"/dropwatch.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := guest.Start(t, "", dropwatchPath, "run", "--config", dir+"/dropwatch.toml")
	written := func() int { b, _ := os.ReadFile(lines); return strings.Count(string(b), `"kind":"drop"`) }
	guest.Eventually(t, "drops are written", func() bool { guest.Flood(t, 1); return written() > 0 })
	awaitQuiet(lines)
	sent := written()
	drop := func() {
		guest.Flood(t, n)
		sent += n
		guest.Eventually(t, "they are in the file and in the recorder", func() bool {
			return written() >= sent && lastDrops(t, ring) >= sent
		})
	}
	drop()
	shiftClock(t, time.Hour)
	drop()
	shiftClock(t, -2*time.Hour)
	drop()
	server.up.Store(true)
	guest.Eventually(t, "all are at the server", func() bool { return server.docs.Load() == int64(sent) })
	shiftClock(t, time.Hour)
	drop()
	p.Signal(syscall.SIGTERM)
	r := p.Wait()
	said := r.Stdout + r.Stderr
	if r.Code != 0 || !strings.Contains(said, fmt.Sprintf(": %d shown, 0 lost", sent)) {
		t.Errorf("%d drops: %+v", sent, r)
	}
	if begun, over := strings.Count(said, "alert any: "), strings.Count(said, "alert any: over"); begun != 1 || over != 0 {
		t.Errorf("%d incidents, %d of them over: %s", begun, over, said)
	}
	if names, _ := filepath.Glob(lines + ".*"); len(names) > 0 {
		t.Errorf("the file was rotated: %q", names)
	}
	if got := server.docs.Load(); got != int64(sent) {
		t.Errorf("the server has %d drops, want %d", got, sent)
	}
}

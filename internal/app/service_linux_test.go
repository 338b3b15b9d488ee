package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest"
)

// fillDisk leaves no room on a disk. Free makes it again.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	return func() {
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	}
}

// resident returns how much memory a process has, in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A searchEngine takes documents unless it is down.
type searchEngine struct {
	down  atomic.Bool
	mu    sync.Mutex
	drops map[string]bool // by their IDs
}

// ServeHTTP answers as Elasticsearch does. A document that is sent again has the same ID.
func (s *searchEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	body, _ := io.ReadAll(r.Body)
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; r.URL.Path == "/_bulk" && i+1 < len(lines); i += 2 {
		var action struct {
			Create struct {
				ID string `json:"_id"`
			} `json:"create"`
		}
		if json.Unmarshal(lines[i], &action) == nil && bytes.Contains(lines[i+1], []byte(`"action":"drop"`)) {
			s.drops[action.Create.ID] = true
		}
	}
	_, _ = io.WriteString(w, `{"errors":false}`)
}

func (s *searchEngine) has() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drops)
}

// An hourRun is what a long run of a service has: a small disk, a server, and a spool.
type hourRun struct {
	t             *testing.T
	disk, spool   string
	config, lines string
	server        *searchEngine
	url           string
}

func newHourRun(t *testing.T) *hourRun {
	h := &hourRun{t: t, disk: t.TempDir(), spool: t.TempDir(), server: &searchEngine{drops: make(map[string]bool)}}
	if err := syscall.Mount("small", h.disk, "tmpfs", 0, "size=16m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(h.disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(h.server)
	t.Cleanup(server.Close)
	h.url, h.config, h.lines = server.URL, t.TempDir()+"/service.toml", h.disk+"/lines.json"
	return h
}

// start starts the service with an expression.
func (h *hourRun) start(expression string) *serviceRun {
	h.t.Helper()
	const format = "source = 'netdm'\nexpression = '%s'\n" +
		"output = ['json:%s,rotate=64K,keep=1000,compress', 'recorder:%s/ring,size=4M', 'elastic:%s,spool=%s,count=200']\n"
	text := fmt.Sprintf(format, expression, h.lines, h.disk, h.url, h.spool)
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return &serviceRun{config: h.config, lines: h.lines, verbRun: startVerb(h.t, "packets", "-l", "none", "run", "--config", h.config)}
}

// spooled returns how many batches wait.
func (h *hourRun) spooled() int { names, _ := filepath.Glob(h.spool + "/*.batch"); return len(names) }

// written returns how many drops are in the file and in those that were rotated.
func (h *hourRun) written() (drops int) {
	h.t.Helper()
	names, err := filepath.Glob(h.lines + "*")
	if err != nil || len(names) < 3 {
		h.t.Errorf("the file was not rotated: %q, %v", names, err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			h.t.Fatal(err)
		}
		var from io.Reader = f
		if filepath.Ext(name) == ".gz" {
			if from, err = gzip.NewReader(f); err != nil {
				h.t.Fatal(err)
			}
		}
		text, err := io.ReadAll(from)
		if err != nil {
			h.t.Errorf("%s: %v", name, err)
		}
		drops += bytes.Count(text, []byte(`"kind":"drop"`))
		f.Close()
	}
	return drops
}

// trouble is what happens to a service again and again: an outage of the server during reloads, and a full disk.
func (h *hourRun) trouble(s *serviceRun) {
	h.t.Helper()
	h.server.down.Store(true)
	s.reload(h.t)
	await(h.t, "documents are spooled", func() bool { return h.spooled() > 0 })
	s.reload(h.t)
	failed := func() int { return strings.Count(s.stderr.String(), "write to "+h.lines+": no space left on device") }
	earlier, free := failed(), fillDisk(h.t, h.disk)
	await(h.t, "lines cannot be written", func() bool { return failed() > earlier })
	s.reload(h.t)
	free()
	before, rotated := h.server.has(), func() int { names, _ := filepath.Glob(h.lines + ".*"); return len(names) }
	n := rotated()
	await(h.t, "lines are written again", func() bool { return rotated() > n })
	h.server.down.Store(false)
	await(h.t, "the spool is drained", func() bool { return h.server.has() > before && h.spooled() <= 1 })
	s.reload(h.t)
}

// drain ends with an empty spool: a service that catches no drop delivers what those before it have left.
func (h *hourRun) drain() {
	h.t.Helper()
	s := h.start("len > 65000")
	await(h.t, "the spool is empty", func() bool { return h.spooled() == 0 })
	if code := s.end(h.t, syscall.SIGTERM); code != 0 {
		h.t.Errorf("exit code %d: %s", code, &s.stderr)
	}
}

// TestServiceForAnHour is an hour of a service with all that may happen in it, without the waits: reloads, outages of a
// server, full disks, rotations, and kill -9. Every drop is in the file or counted as lost, and at the server once;
// memory and open files stay as they are.
func TestServiceForAnHour(t *testing.T) {
	vmtest.RequireRoot(t)
	h := newHourRun(t)
	s := h.start("")
	files := func() int { names, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)); return len(names) }
	h.trouble(s)
	h.trouble(s)
	memory, open := resident(t, s.cmd.Process.Pid), files()+3 // a rotation and connections to the server come and go
	h.trouble(s)                                              // with four reloads
	await(t, fmt.Sprintf("no more than %d files are open", open), func() bool { return files() <= open })
	await(t, fmt.Sprintf("it has no more than %d KiB", memory*3/2), func() bool { return resident(t, s.cmd.Process.Pid) <= memory*3/2 })
	if code := s.end(t, syscall.SIGTERM); code != 1 || !strings.Contains(s.stderr.String(), "outputs did not get everything before") {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	h.drain()
	h.check(s)

	h.server.down.Store(true)
	killed := h.start("")
	await(t, "documents are spooled", func() bool { return h.spooled() > 0 })
	killed.signal(t, syscall.SIGKILL)
	killed.end(t, 0)
	before := h.server.has()
	h.server.down.Store(false)
	h.drain()
	if h.server.has() == before {
		t.Error("what was spooled before kill -9 did not arrive")
	}
	if text := last(t, "--dir", h.disk+"/ring", "-S"); !strings.Contains(text, "\ntotal ") {
		t.Errorf("the recorder cannot be read: %s", text)
	}
}

// check compares the ledgers of the runs of a service with what has arrived. Each but the first says how long no source
// was running.
func (h *hourRun) check(s *serviceRun) {
	h.t.Helper()
	said, shown, lost := s.stderr.String(), 0, 0
	runs := regexp.MustCompile(`(?m)^total \d+: (\d+) shown, (\d+) lost$`).FindAllStringSubmatch(said, -1)
	for _, run := range runs {
		n, _ := strconv.Atoi(run[1])
		m, _ := strconv.Atoi(run[2])
		shown, lost = shown+n, lost+m
	}
	if gaps := strings.Count(said, "no source was running for "); gaps != len(runs)-1 || len(runs) != s.starts() {
		h.t.Errorf("%d runs of %d, and %d gaps between them: %s", len(runs), s.starts(), gaps, said)
	}
	missed := 0
	for _, note := range regexp.MustCompile(`elastic:\S+ did not get (\d+) drops?\b`).FindAllStringSubmatch(said, -1) {
		n, _ := strconv.Atoi(note[1])
		missed += n
	}
	if written := h.written(); written != shown || lost == 0 {
		h.t.Errorf("%d drops written, %d shown, %d lost: %s", written, shown, lost, said)
	}
	if got := h.server.has(); got+missed != shown+lost {
		h.t.Errorf("%d drops arrived, %d are known not to, of %d shown and %d lost: %s", got, missed, shown, lost, said)
	}
}

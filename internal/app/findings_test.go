package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// An elasticServer takes all documents.
type elasticServer struct {
	mu   sync.Mutex
	body strings.Builder
}

func (s *elasticServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body.Write(body)
	io.WriteString(w, `{"errors":false,"items":[]}`)
}

// TestFindingsOfAlerts: what an alert finds is in every output, also where an expression selects other drops, in the
// recorder, and in the ledger. It is no drop, and counts for no alert.
func TestFindingsOfAlerts(t *testing.T) {
	server := new(elasticServer)
	web := httptest.NewServer(server)
	defer web.Close()
	dir := t.TempDir()
	journal, err := net.ListenPacket("unixgram", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	text := fmt.Sprintf(`source = 'netdm'
output = ['json:%[1]s/lines.json', 'text:%[1]s/lines', 'journal:%[1]s/socket', 'elastic:%[2]s', 'recorder:%[1]s/ring']
[[alert]]
name = 'many'
count = 25
window = '1h'
[[alert]]
name = 'any'
count = 31
window = '1h'
`, dir, web.URL)
	path := dir + "/service.toml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startVerb(t, "summary=30", "-l", "none", "run", "--config", path)
	await(t, "the alert is reported", func() bool { return strings.Contains(s.stderr.String(), "alert many: 30 drops within 1h") })
	read := func(name string) string { b, _ := os.ReadFile(dir + "/" + name); return string(b) }
	await(t, "the finding is written", func() bool { return strings.Contains(read("lines.json"), `"kind":"finding"`) })
	if code := s.end(t, syscall.SIGTERM); code != 0 || !strings.Contains(s.stderr.String(), "beside the drops: 1 finding\n") {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	server.mu.Lock()
	documents := server.body.String()
	server.mu.Unlock()
	for what, want := range map[string][2]string{
		"JSON": {read("lines.json"), `"finding":{"alert":"many","state":"begin","begun":"[^"]*Z","count":30,"of":"drop","threshold":25,` +
			`"window_ms":3600000,"id":`},
		"the end of JSON": {read("lines.json"), `"total":30,"findings":{"shown":1,"lost":0}}`},
		"text":            {read("lines"), `(?m)^[0-9:.]+ alert many: 30 drops within 1h: `},
		"Elasticsearch":   {documents, `"kind":"alert",.*"action":"finding".*"rule":{"name":"many"},.*"finding":{"alert":"many"`},
		"the recorder":    {last(t, "--dir", dir+"/ring"), `(?m)^[0-9:.]+ alert many: 30 drops within 1h: `},
		"the journal":     {receiveAll(t, journal), `(?s)ALERT=many\n`},
	} {
		if n := len(regexp.MustCompile(want[1]).FindAllString(want[0], -1)); n != 1 {
			t.Errorf("%s: %d findings in %s", what, n, want[0])
		}
	}
}

// TestInterruptedDiagnosis: Ctrl-C in the middle of diagnose writes what was found to all outputs, after the drops.
func TestInterruptedDiagnosis(t *testing.T) {
	server := new(elasticServer)
	web := httptest.NewServer(server)
	defer web.Close()
	lines := t.TempDir() + "/lines.json"
	read := func() string { b, _ := os.ReadFile(lines); return string(b) }
	s := startVerb(t, "summary=30", "-l", "none", "diagnose", "--source", "netdm", "-d", "1h", "--fail-on", "never",
		"--output", "json:"+lines, "--output", "elastic:"+web.URL, "kind == drop")
	await(t, "drops are written", func() bool { return strings.Contains(read(), `"kind":"drop"`) })
	if code := s.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	server.mu.Lock()
	documents := server.body.String()
	server.mu.Unlock()
	found := regexp.MustCompile(`(?s)"kind":"drop".*"kind":"finding".*"count":30,"of":"drop",.*"rank":1,.*"findings":{"shown":[1-9]`)
	for what, text := range map[string]string{"JSON": read(), "Elasticsearch": documents} {
		if !found.MatchString(text) {
			t.Errorf("%s: %s", what, text)
		}
	}
}

// receiveAll returns all datagrams that have come.
func receiveAll(t *testing.T, conn net.PacketConn) (all string) {
	t.Helper()
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		t.Fatal("no socket")
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	for n := 1; n > 0 && err == nil; {
		err = raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), b)
			return true
		})
		all += string(b[:max(0, n)])
	}
	return all
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// An index is a server that takes all documents, and has them.
type index struct {
	mu    sync.Mutex
	docs  []map[string]any
	names map[string]bool // of the indices that they are in
	auth  map[string]bool
}

func newIndex(t *testing.T) (x *index, url string) {
	t.Helper()
	x = &index{names: make(map[string]bool), auth: make(map[string]bool)}
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	return x, server.URL
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.auth[r.Header.Get("Authorization")] = true
	body, _ := io.ReadAll(r.Body)
	for i, line := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
		var d map[string]any
		switch {
		case r.URL.Path != "/_bulk" || json.Unmarshal(line, &d) != nil:
		case i%2 == 1:
			x.docs = append(x.docs, d)
		default:
			create, _ := d["create"].(map[string]any)
			name, _ := create["_index"].(string)
			x.names[name] = true
		}
	}
	io.WriteString(w, `{"errors":false}`)
}

// TestElastic replays a recording to a server: all that --json has is there, once, and the key is not printed.
func TestElastic(t *testing.T) {
	const session = "../../testdata/session-files/v2.session"
	x, url := newIndex(t)
	lines, err := exec.Command("dropwatch", "replay", "--json", session).Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dropwatch", "replay", "--output", "elastic:"+url, session)
	cmd.Env = append(os.Environ(), "DROPWATCH_ELASTIC_API_KEY=c2VjcmV0")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "c2VjcmV0") || !strings.Contains(string(out), "\ntotal ") {
		t.Errorf("%v\n%s", err, out)
	}
	var want []map[string]any
	for line := range bytes.Lines(lines) {
		var d map[string]any
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		want = append(want, d)
	}
	if len(x.docs) != len(want) || len(want) == 0 || len(x.auth) != 1 || !x.auth["ApiKey c2VjcmV0"] ||
		!x.names["logs-dropwatch-default"] {
		t.Fatalf("%d documents, want %d; authorization %v", len(x.docs), len(want), x.auth)
	}
	for i, d := range x.docs {
		got, _ := json.Marshal(d["dropwatch"])
		object, _ := json.Marshal(want[i])
		if !bytes.Equal(got, object) || d["@timestamp"] != want[i]["time"] {
			t.Errorf("document %d at %v: %s, want %s", i, d["@timestamp"], got, object)
		}
	}
}

// TestElasticOfCaptures: the documents of pcapgazer are in the index of the day of their events.
func TestElasticOfCaptures(t *testing.T) {
	x, url := newIndex(t)
	const file = "../../testdata/captures/lossy.pcap.gz"
	out, err := exec.Command("dropwatch", "pcap", "--output", "elastic:"+url+",format=pcapgazer", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "10.9.0.1") {
		t.Errorf("%v\n%s", err, out)
	}
	if len(x.docs) != 18 || len(x.names) != 1 || !x.names["pcap-2026.11.27"] {
		t.Fatalf("%d documents in %v", len(x.docs), x.names)
	}
	for _, d := range x.docs {
		if len(d) != 6 || d["src_ip"] != "10.9.0.1" && d["src_ip"] != "10.9.0.2" || d["hostname"] == "" {
			t.Errorf("%v", d)
		}
	}
}

// TestElasticIsDown: what cannot be delivered is a loss, and a failure.
func TestElasticIsDown(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	out, err := exec.Command("dropwatch", "replay", "--output", "elastic:"+server.URL, "../../testdata/session-files/v1.session",
		"reason", "NO_SOCKET").CombinedOutput()
	for _, want := range []string{
		"dropwatch: elastic: " + server.URL + ": connect: connection refused: trying again, drops wait meanwhile\n",
		"total 422: 0 shown, 349 lost", "3 that an output did not write",
		"dropwatch: elastic: not everything was delivered: " + server.URL + ": connect: connection refused\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code := exitCode(err); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// TestElasticSendsUnasked: what a server sends besides its answers is not printed.
func TestElasticSendsUnasked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\nbesides")
		_, _ = io.Copy(io.Discard, c)
	}))
	defer server.Close()
	out, err := exec.Command("dropwatch", "replay", "--output", "elastic:"+server.URL, "../../testdata/session-files/v1.session",
		"reason", "NO_SOCKET").CombinedOutput()
	text := string(out)
	if code := exitCode(err); code != 1 || strings.Contains(text, "besides") || !strings.Contains(text, "the server answers 401") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// exitCode returns the exit code of a command.
func exitCode(err error) int {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return 0
}

package elastic

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cluster is a server of the bulk protocol that refuses what Elasticsearch refuses, with a parser of its own. What
// it does wrong is a script.
type cluster struct {
	t    *testing.T
	http *httptest.Server

	mu        sync.Mutex
	docs      map[string]document // by index and ID
	order     []string            // the reasons of the documents, as they came
	requests  int                 // to _bulk
	templates map[string]string
	auth      string // that requests must have; empty: none
	script    []fault
	problems  []string // what a client must not send
	refuse    string   // reason of documents that do not fit the mapping
	maxBody   int      // bytes of a request; 0: any
}

// A fault is what the cluster does with a request, besides answering it: before it writes the documents, or after.
type fault string

const (
	fine       fault = ""
	busy       fault = "429"            // to the request as a whole
	down       fault = "503"            // the same
	someBusy   fault = "some 429"       // to every second document
	hangs      fault = "hangs"          // does not answer, and has written nothing
	hangsAfter fault = "hangs after"    // does not answer, and has written all
	resets     fault = "resets"         // closes the connection, and has written all
	garbage    fault = "garbage"        // answers 200 with something else
	half       fault = "half an answer" // writes all, and ends in the middle of the answer
	proxy      fault = "proxy"          // a page of HTML, with 502
)

func newCluster(t *testing.T, script ...fault) *cluster {
	t.Helper()
	c := &cluster{t: t, docs: make(map[string]document), templates: make(map[string]string), script: script}
	c.http = httptest.NewServer(c)
	t.Cleanup(func() {
		c.http.CloseClientConnections()
		c.http.Close()
		for _, p := range c.problems {
			t.Error(p)
		}
	})
	return c
}

// set changes what the cluster does.
func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case err != nil: // the client has died
	case r.Header.Get("Authorization") != c.auth:
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"reason":"unable to authenticate"},"status":401}`)
	case strings.HasPrefix(r.URL.Path, "/_index_template/"):
		c.template(w, r, body)
	case r.URL.Path == "/_bulk" && r.Method == http.MethodPost:
		c.requests++
		c.bulk(w, r, body)
	default:
		c.problem("request %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *cluster) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *cluster) template(w http.ResponseWriter, r *http.Request, body []byte) {
	name := strings.TrimPrefix(r.URL.Path, "/_index_template/")
	switch _, exists := c.templates[name]; {
	case r.Method == http.MethodHead && !exists:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut:
		if !json.Valid(body) || r.Header.Get("Content-Type") != "application/json" {
			c.problem("template %s of type %q", body, r.Header.Get("Content-Type"))
		}
		c.templates[name] = string(body)
		io.WriteString(w, `{"acknowledged":true}`)
	}
}

// bulk does what the script says with a request.
func (c *cluster) bulk(w http.ResponseWriter, r *http.Request, body []byte) {
	now := fine
	if len(c.script) > 0 {
		now, c.script = c.script[0], c.script[1:]
	}
	if c.maxBody > 0 && len(body) > c.maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch now {
	case busy, down:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(map[fault]int{busy: 429, down: 503}[now])
		io.WriteString(w, `{"error":{"type":"es_rejected_execution_exception","reason":"overloaded"},"status":429}`)
		return
	case proxy:
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "<html>Bad Gateway</html>")
		return
	case garbage:
		io.WriteString(w, "{}")
		return
	case hangs:
		c.hang(r)
		return
	}
	actions, err := parseBulk(r, body)
	if err != nil {
		c.problem("%v", err)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"reason":%q},"status":400}`, err)
		return
	}
	answer := c.write(actions, now)
	switch now {
	case hangsAfter:
		c.hang(r)
	case resets, half:
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			c.problem("%v", err)
			return
		}
		if now == half {
			fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer[:len(answer)/2])
			rw.Flush()
		} else if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	default:
		w.Write(answer)
	}
}

// hang waits until the client has had enough.
func (c *cluster) hang(r *http.Request) {
	c.mu.Unlock()
	defer c.mu.Lock()
	<-r.Context().Done()
}

// An action is a document that a request wants to create.
type action struct {
	index, id string
	source    document
}

var validIndex = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// parseBulk reads a request as strictly as Elasticsearch, and a bit more: only create, with an ID, and only ECS.
func parseBulk(r *http.Request, body []byte) (all []action, err error) {
	if ct := r.Header.Get("Content-Type"); ct != "application/x-ndjson" {
		return nil, fmt.Errorf("Content-Type header [%s] is not supported", ct)
	}
	if len(body) == 0 {
		return nil, errors.New("request body is required")
	}
	if body[len(body)-1] != '\n' {
		return nil, errors.New("The bulk request must be terminated by a newline [\\n]")
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, len(body)+1)
	for lines.Scan() {
		var head map[string]map[string]string
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil || len(head) != 1 || head["create"] == nil {
			return nil, fmt.Errorf("Malformed action/metadata line: %s", lines.Text())
		}
		a := action{index: head["create"]["_index"], id: head["create"]["_id"]}
		if len(head["create"]) != 2 || !validIndex.MatchString(a.index) || a.id == "" || len(a.id) > 512 {
			return nil, fmt.Errorf("action %s", lines.Text())
		}
		if !lines.Scan() {
			return nil, errors.New("the last action has no source")
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&a.source); err != nil {
			return nil, fmt.Errorf("source %s: %w", lines.Text(), err)
		}
		if _, err := time.Parse(time.RFC3339Nano, a.source.Timestamp); err != nil {
			return nil, fmt.Errorf("failed to parse field [@timestamp]: %w", err)
		}
		all = append(all, a)
	}
	return all, lines.Err()
}

// write creates documents that are not there, and returns the answer.
func (c *cluster) write(actions []action, now fault) []byte {
	var items []string
	failed := false
	for i, a := range actions {
		key := a.index + "/" + a.id
		status, reason := 201, ""
		switch _, exists := c.docs[key]; {
		case now == someBusy && i%2 == 0:
			status, reason = 429, "queue is full"
		case exists:
			status, reason = 409, "version conflict, document already exists"
		case c.refuse != "" && a.source.Event.Reason == c.refuse:
			status, reason = 400, "failed to parse field \x1b[31m"
		default:
			c.docs[key] = a.source
			c.order = append(c.order, a.source.Event.Action+" "+a.source.Event.Reason)
		}
		text, _ := json.Marshal(reason)
		if status == 201 {
			items = append(items, `{"create":{"status":201}}`)
		} else {
			failed = true
			items = append(items, fmt.Sprintf(`{"create":{"status":%d,"error":{"type":"e","reason":%s}}}`, status, text))
		}
	}
	if !failed {
		return []byte(`{"errors":false,"items":[` + strings.Join(items, ",") + `]}`)
	}
	return []byte(`{"errors":true,"items":[` + strings.Join(items, ",") + `]}`)
}

// has returns the documents as they came.
func (c *cluster) has() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.order...)
}

// httpsServer returns a server with a handler and certificates.
func httpsServer(h http.Handler, config *tls.Config) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s
}

package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"dropwatch/internal/event"
)

// A server is the cluster: all its URLs, and what was said of it.
type server struct {
	client  client
	urls    []*url.URL            // at least one
	current int                   // index of the URL that is tried next
	login   func() (login, error) // reads the secrets again, as their files may change
}

// bulkPath asks only for what tells whether a document was written.
const bulkPath = "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"

// A verdict is what the server says of a batch.
type verdict struct {
	rest     batch // documents that are to be sent again
	rejected []rejection
	wait     time.Duration // that the server asks for before rest is sent again
	tooLarge bool          // the request must be smaller
}

// A rejection is a document that the server does not want.
type rejection struct {
	item   item   // with its document
	reason string // escaped
}

// A statusError is an answer other than that the request was handled.
type statusError struct {
	status int           // of HTTP
	reason string        // escaped; may be empty
	wait   time.Duration // that the server asks for; 0: it does not
}

// Error says what the server answered.
func (e *statusError) Error() string {
	text := fmt.Sprintf("the server answers %d", e.status)
	if e.reason != "" {
		text += ": " + e.reason
	}
	switch e.status {
	case 401, 403:
		text += ": check the user or API key, and its privileges"
	}
	return text
}

// request sends a request to the current URL. After a failure another URL is the current one.
func (s *server) request(ctx context.Context, method, path, contentType string, body []byte) (*response, error) {
	l, err := s.login()
	if err != nil {
		return nil, err
	}
	u := s.urls[s.current]
	r, err := s.client.do(ctx, u, &request{method, path, l.header, contentType, body})
	if err == nil && r.status/100 != 2 && r.status != 404 {
		err = &statusError{r.status, reasonOf(r.body), r.retryAfter}
	}
	if err != nil {
		s.current = (s.current + 1) % len(s.urls)
		return r, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
	}
	return r, nil
}

// install creates the index template, unless there is one of that name.
func (s *server) install(ctx context.Context, name string, text []byte) error {
	path := "/_index_template/" + url.PathEscape(name)
	r, err := s.request(ctx, "HEAD", path, "", nil)
	if err != nil || r.status != 404 {
		return err
	}
	if r, err = s.request(ctx, "PUT", path, "application/json", text); err == nil && r.status == 404 {
		err = &statusError{r.status, reasonOf(r.body), 0}
	}
	return err
}

// send sends a batch. The error says why nothing is known of any of its documents.
func (s *server) send(ctx context.Context, b *batch) (*verdict, error) {
	r, err := s.request(ctx, "POST", bulkPath, "application/x-ndjson", b.body())
	var status *statusError
	switch {
	case errors.As(err, &status) && status.status == 413:
		return &verdict{rest: *b, tooLarge: true}, nil
	case errors.As(err, &status) && status.status == 400:
		return rejectAll(b, err.Error()), nil
	case err != nil:
		return nil, err
	case r.status == 404:
		return nil, &statusError{r.status, "this is not Elasticsearch or OpenSearch: check the URL", 0}
	}
	return judge(b, r)
}

// rejectAll is the verdict that the server refuses each document, for one reason: they are not sent again.
func rejectAll(b *batch, reason string) *verdict {
	v := new(verdict)
	for _, it := range b.items {
		v.rejected = append(v.rejected, rejection{it, reason})
	}
	return v
}

// judge reads the answer to a batch, which has an entry for each document in the same order.
func judge(b *batch, r *response) (*verdict, error) {
	var answer struct {
		Errors *bool
		Items  []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Errors == nil {
		return nil, errors.New("the answer is not that of Elasticsearch or OpenSearch: check the URL")
	}
	v := &verdict{rest: batch{old: b.old}, wait: r.retryAfter}
	if !*answer.Errors {
		return v, nil
	}
	if len(answer.Items) != len(b.items) {
		return nil, fmt.Errorf("the answer has %d entries for %d documents", len(answer.Items), len(b.items))
	}
	for i, entry := range answer.Items {
		result := entry["create"]
		switch s := result.Status; {
		case s/100 == 2, s == 409: // it is there, from an earlier attempt
		case s == 429, s >= 500:
			v.rest.add(b.items[i])
		case s == 0:
			return nil, errors.New("the answer does not say what became of a document")
		default:
			v.rejected = append(v.rejected, rejection{b.items[i], shorten(result.Error.Type + ": " + result.Error.Reason)})
		}
	}
	return v, nil
}

// reasonOf returns what an answer says of an error.
func reasonOf(body []byte) string {
	var answer struct {
		Error json.RawMessage
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == nil {
		return ""
	}
	var object struct{ Reason string }
	if json.Unmarshal(answer.Error, &object) == nil {
		return shorten(object.Reason)
	}
	var text string
	_ = json.Unmarshal(answer.Error, &text) // or else there is no reason
	return shorten(text)
}

// maxReason is how much of a reason is printed, in bytes.
const maxReason = 200

// shorten escapes a text of the server and bounds its length.
func shorten(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason] + "..."
	}
	return event.Escape(text)
}

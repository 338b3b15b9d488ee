package elastic

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A client sends requests, and uses connections again. elastic/go-elasticsearch would do more of this,
// but refuses OpenSearch, and makes the program 7 MB larger.
type client struct{ http http.Client }

// A request is what to ask of a server.
type request struct {
	method, path  string // path may have a query
	authorization string // empty: none
	contentType   string // of body
	body          []byte // nil: none
}

// A response is the answer of a server.
type response struct {
	status     int
	retryAfter time.Duration // that the server asks for; 0: it does not
	body       []byte
}

const (
	maxHeader   = 64 << 10 // of a response, in bytes
	maxResponse = 32 << 20 // of its body
)

// newClient returns a client whose requests, with their responses, may take so long. It goes by a
// proxy if the environment names one (see net/http.ProxyFromEnvironment), and follows no redirect.
func newClient(config *tls.Config, timeout time.Duration) client {
	return client{http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableCompression: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends a request and reads the response. A request is sent again when the server has closed the
// connection, as each of a sink's may arrive twice.
func (c *client) do(ctx context.Context, server *url.URL, r *request) (*response, error) {
	path, query, _ := strings.Cut(r.path, "?")
	to := server.JoinPath(path)
	to.RawQuery = query
	ask, err := http.NewRequestWithContext(ctx, r.method, to.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	ask.Header = http.Header{"User-Agent": {"dropwatch"}, "Accept": {"application/json"}, "Idempotency-Key": nil}
	if r.authorization != "" {
		ask.Header.Set("Authorization", r.authorization)
	}
	if r.body != nil {
		ask.Header.Set("Content-Type", r.contentType)
	}
	answer, err := c.http.Do(ask)
	if err != nil {
		return nil, c.cause(err)
	}
	defer answer.Body.Close()
	return c.read(answer)
}

// read reads the body of a response.
func (c *client) read(answer *http.Response) (*response, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, c.cause(err)
	case len(body) > maxResponse:
		return nil, fmt.Errorf("the answer is larger than %d MiB", maxResponse>>20)
	}
	r := &response{status: answer.StatusCode, body: body}
	if seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16); err == nil {
		r.retryAfter = time.Duration(seconds) * time.Second
	}
	return r, nil
}

// close closes the connections that wait for the next request.
func (c *client) close() { c.http.CloseIdleConnections() }

// cause returns why a request failed, without method, URL and addresses, which messages have already.
func (c *client) cause(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("no answer within %v", c.http.Timeout)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: name a file with the authority's certificate by ca", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the server closed the connection")
	}
	return err
}

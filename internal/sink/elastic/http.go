package elastic

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A client speaks as much of HTTP/1.1 (RFC 9112) as the bulk protocol needs, on one connection to one
// server at a time. With net/http, of which this is all that would be used, the program is 1 MB larger
// (with elastic/go-elasticsearch, which refuses OpenSearch, 7 MB). It is for one goroutine.
type client struct {
	tls     *tls.Config
	header  func() string // the lines of authentication, each with its CRLF
	timeout time.Duration // of a request, with its response

	to   string // the server that conn is connected to
	conn net.Conn
	r    *bufio.Reader
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

// do sends a request and reads the response. A connection that the server has closed since the last
// request is made again.
func (c *client) do(ctx context.Context, method string, server *url.URL, path, contentType string, body []byte) (*response, error) {
	reused := c.conn != nil && c.to == server.Host
	r, begun, err := c.try(ctx, method, server, path, contentType, body)
	if err != nil && reused && !begun && ctx.Err() == nil {
		r, _, err = c.try(ctx, method, server, path, contentType, body)
	}
	return r, err
}

// try is one attempt of do. Begun: the response had begun when the error came, or it took too long.
func (c *client) try(ctx context.Context, method string, server *url.URL, path, contentType string, body []byte) (
	r *response, begun bool, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.connect(ctx, server); err != nil {
		return nil, true, err
	}
	conn := c.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	r, begun, again, err := c.exchange(method, server, path, contentType, body)
	if err != nil || !again {
		c.close()
	}
	if ctx.Err() != nil && err != nil {
		return nil, true, fmt.Errorf("no answer within %v", c.timeout)
	}
	return r, begun, err
}

// connect makes a connection, unless there is one to the same server.
func (c *client) connect(ctx context.Context, server *url.URL) error {
	if c.conn != nil && c.to == server.Host {
		return nil
	}
	c.close()
	port := server.Port()
	if port == "" {
		port = "9200"
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(server.Hostname(), port))
	if err != nil {
		return writeCause(err)
	}
	if server.Scheme == "https" {
		config := c.tls.Clone()
		config.ServerName = server.Hostname()
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return fmt.Errorf("TLS: %w", err)
		}
		conn = secure
	}
	c.to, c.conn, c.r = server.Host, conn, bufio.NewReader(conn)
	return nil
}

// close closes the connection, if there is one.
func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// exchange writes a request and reads the response. Again: the connection can be used again.
func (c *client) exchange(method string, server *url.URL, path, contentType string, body []byte) (
	r *response, begun, again bool, err error,
) {
	head := method + " " + strings.TrimSuffix(server.EscapedPath(), "/") + path + " HTTP/1.1\r\n" +
		"Host: " + server.Host + "\r\nUser-Agent: dropwatch\r\nAccept: application/json\r\n" + c.header()
	if body != nil {
		head += "Content-Type: " + contentType + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	buffers := net.Buffers{[]byte(head + "\r\n"), body}
	if _, err := buffers.WriteTo(c.conn); err != nil {
		return nil, false, false, writeCause(err)
	}
	if _, err := c.r.Peek(1); err != nil {
		return nil, false, false, readCause(err)
	}
	r, again, err = c.read(method)
	return r, true, again, err
}

// read reads a response, without those that are only informational.
func (c *client) read(method string) (r *response, again bool, err error) {
	for {
		header := textproto.NewReader(bufio.NewReader(io.LimitReader(&unbuffered{c.r}, maxHeader)))
		line, err := header.ReadLine()
		if err != nil {
			return nil, false, readCause(err)
		}
		r = new(response)
		var minor int
		if n, _ := fmt.Sscanf(line, "HTTP/1.%d %3d", &minor, &r.status); n != 2 || r.status < 100 {
			return nil, false, errors.New("the answer is no HTTP")
		}
		fields, err := header.ReadMIMEHeader()
		if err != nil {
			return nil, false, fmt.Errorf("the header of the answer: %w", readCause(err))
		}
		if r.status < 200 {
			continue
		}
		if seconds, err := strconv.ParseUint(fields.Get("Retry-After"), 10, 16); err == nil {
			r.retryAfter = time.Duration(seconds) * time.Second
		}
		again = minor > 0 && !strings.EqualFold(fields.Get("Connection"), "close")
		known, err := c.readBody(r, method, fields)
		return r, again && known, err
	}
}

// unbuffered reads byte by byte, so that a bufio.Reader on it reads no more than it is asked for.
type unbuffered struct{ r *bufio.Reader }

// Read reads at most one byte.
func (u *unbuffered) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return u.r.Read(b[:1])
}

// readBody reads the body, by its length, in chunks, or until the end of the connection: then the
// end is not known from the message itself.
func (c *client) readBody(r *response, method string, fields textproto.MIMEHeader) (known bool, err error) {
	var body io.Reader
	length, known := fields.Get("Content-Length"), true
	switch {
	case method == "HEAD" || r.status == 204 || r.status == 304:
		return true, nil
	case strings.EqualFold(fields.Get("Transfer-Encoding"), "chunked"):
		body = &chunks{r: c.r}
	case fields.Get("Transfer-Encoding") != "":
		return false, errors.New("the answer has an encoding that was not asked for")
	case length != "":
		n, err := strconv.ParseUint(length, 10, 62)
		if err != nil {
			return false, errors.New("the answer has an invalid length")
		}
		body = &exactly{r: c.r, n: int64(n)}
	default:
		body, known = c.r, false
	}
	r.body, err = io.ReadAll(io.LimitReader(body, maxResponse+1))
	switch {
	case err != nil:
		return false, readCause(err)
	case len(r.body) > maxResponse:
		return false, fmt.Errorf("the answer is larger than %d MiB", maxResponse>>20)
	}
	return known, nil
}

// exactly reads n bytes. Fewer are io.ErrUnexpectedEOF.
type exactly struct {
	r io.Reader
	n int64
}

// Read reads what is left of them.
func (x *exactly) Read(b []byte) (int, error) {
	if x.n == 0 {
		return 0, io.EOF
	}
	n, err := x.r.Read(b[:min(int64(len(b)), x.n)])
	x.n -= int64(n)
	if errors.Is(err, io.EOF) && x.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunks reads a body in chunks (RFC 9112, section 7.1).
type chunks struct {
	r    *bufio.Reader
	left int64 // of the chunk
}

// Read reads from the current chunk.
func (x *chunks) Read(b []byte) (int, error) {
	if x.left == 0 {
		if err := x.next(); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(x.r, b[:min(int64(len(b)), x.left)])
	if x.left -= int64(n); x.left == 0 && err == nil {
		_, err = x.line()
	}
	return n, err
}

// next begins a chunk, of which an extension after a semicolon is ignored. After the last one it is
// io.EOF, behind the lines that may follow it.
func (x *chunks) next() error {
	line, err := x.line()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 62)
	if err != nil {
		return errors.New("a chunk of the answer has an invalid size")
	}
	if x.left = int64(n); n > 0 {
		return nil
	}
	for line != "" && err == nil {
		line, err = x.line()
	}
	return cmp.Or(err, io.EOF)
}

// line reads a line, which fits the buffer.
func (x *chunks) line() (string, error) {
	line, err := x.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

// readCause says what the end of a connection in the middle of an answer means.
func readCause(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the server closed the connection")
	}
	return writeCause(err)
}

// writeCause returns why a connection failed, without its addresses, which messages have already.
func writeCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

package elastic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve answers each connection with a text, after the request has come, and closes it.
func serve(t *testing.T, answers ...string) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for _, answer := range answers {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func newClient() *client {
	return &client{header: func() string { return "" }, timeout: 20 * time.Second, tls: new(tls.Config)}
}

// TestAnswers: what of HTTP servers answer with, and what is no answer.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, tt := range map[string]struct {
		answer string
		status int
		body   string
		err    string
	}{
		"length":        {ok + "Content-Length: 5\r\n\r\nhello", 200, "hello", ""},
		"chunks":        {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX: y\r\n\r\n", 200, "hello", ""},
		"until the end": {ok + "\r\nhello", 200, "hello", ""},
		"1.0":           {"HTTP/1.0 503 Busy\r\nRetry-After: 7\r\n\r\nhello", 503, "hello", ""},
		"continue":      {"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n", 200, "", ""},
		"no content":    {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""},
		"folded header": {ok + "X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", ""},

		"nothing":       {"", 0, "", "the server closed the connection"},
		"no HTTP":       {"SSH-2.0-OpenSSH_10.0\r\n", 0, "", "the answer is no HTTP"},
		"half a header": {ok + "Content-Len", 0, "", `the header of the answer: malformed MIME header: missing colon: "Content-Len"`},
		"half a body":   {ok + "Content-Length: 9\r\n\r\nhello", 0, "", "the server closed the connection"},
		"half a chunk":  {ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", 0, "", "the server closed the connection"},
		"no last chunk": {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0, "", "the server closed the connection"},
		"bad chunk":     {ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", 0, "", "a chunk of the answer has an invalid size"},
		"bad length":    {ok + "Content-Length: -1\r\n\r\n", 0, "", "the answer has an invalid length"},
		"an encoding":   {ok + "Transfer-Encoding: gzip\r\n\r\n", 0, "", "the answer has an encoding that was not asked for"},
		"endless line": {
			ok + "X: " + strings.Repeat("x", 2*maxHeader), 0, "", "the header of the answer: the server closed the connection",
		},
		"too large": {
			ok + "Transfer-Encoding: chunked\r\n\r\n3000000\r\n" + strings.Repeat("x", 0x3000000), 0, "",
			"the answer is larger than 32 MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient()
			defer c.close()
			r, err := c.do(t.Context(), "POST", serve(t, tt.answer), "/_bulk", "text/plain", []byte("x"))
			switch {
			case tt.err != "":
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case r.status != tt.status || string(r.body) != tt.body:
				t.Errorf("%d %q", r.status, r.body)
			}
		})
	}
}

// TestReuse: a connection is used again, and made again if the server has closed it meanwhile.
func TestReuse(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	u, c := serve(t, answer, answer, answer), newClient()
	defer c.close()
	for range 3 {
		if r, err := c.do(t.Context(), "GET", u, "/", "", nil); err != nil || string(r.body) != "hi" {
			t.Fatalf("%+v, error %v", r, err)
		}
		if c.conn == nil {
			t.Error("the connection was closed")
		}
	}
}

// A pki is certificates of a test, in files.
type pki struct{ ca, cert, key string }

func newPKI(t *testing.T, name string) (p pki, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, data []byte) string {
		path := filepath.Join(t.TempDir(), strings.ReplaceAll(kind, " ", ""))
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p = pki{cert: write("CERTIFICATE", der), key: write("PRIVATE KEY", private)}
	p.ca = p.cert
	return p, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS: the server's certificate is checked, and the client shows its own.
func TestTLS(t *testing.T) {
	server, pair := newPKI(t, "server")
	client, _ := newPKI(t, "client")
	pool := x509.NewCertPool()
	data, err := os.ReadFile(client.ca)
	if err != nil || !pool.AppendCertsFromPEM(data) {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.http.Close()
	c.http = httpsServer(c, &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	good := Options{URLs: []string{c.http.URL}, CA: server.ca, Cert: client.cert, CertKey: client.key}
	r := newRig(t, Config{Options: good})
	r.drops(0, 3)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, numbered(3))
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"another CA": {
			Options{URLs: good.URLs, CA: client.ca, Cert: client.cert, CertKey: client.key}, "certificate signed by unknown authority",
		},
		"no certificate": {Options{URLs: good.URLs, CA: server.ca}, "certificate required"},
		"no CA":          {Options{URLs: good.URLs}, "certificate"},
	} {
		abort := make(chan struct{})
		r := newRig(t, Config{Options: tt.o, Abort: abort})
		r.drops(0, 1)
		eventually(t, name, func() bool { return len(r.said()) > 0 })
		close(abort)
		if err := r.finish(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

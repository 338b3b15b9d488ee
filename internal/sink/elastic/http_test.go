package elastic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
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

// TestAnswers: what HTTP servers answer with, and what is no answer.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, tt := range map[string]struct {
		answer string
		want   response
		err    string
	}{
		"length":        {ok + "Content-Length: 5\r\n\r\nhello", response{200, 0, []byte("hello")}, ""},
		"until the end": {ok + "\r\nhello", response{200, 0, []byte("hello")}, ""},
		"retry":         {"HTTP/1.0 503 Busy\r\nRetry-After: 7\r\n\r\n", response{503, 7 * time.Second, nil}, ""},
		"redirect":      {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", response{302, 0, nil}, ""},

		"nothing":     {"", response{}, "the server closed the connection"},
		"half a body": {ok + "Content-Length: 9\r\n\r\nhello", response{}, "the server closed the connection"},
		"no HTTP":     {"SSH-2.0-OpenSSH_10.0\r\n", response{}, `malformed HTTP response "SSH-2.0-OpenSSH_10.0"`},
		"too large": {
			ok + fmt.Sprintf("Content-Length: %d\r\n\r\n", maxResponse+1) + strings.Repeat("x", maxResponse+1), response{},
			"the answer is larger than 32 MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(new(tls.Config), 20*time.Second)
			defer c.close()
			r, err := c.do(t.Context(), serve(t, tt.answer), &request{"POST", "/_bulk", "", "text/plain", []byte("x")})
			switch {
			case tt.err != "":
				if err == nil || !strings.HasSuffix(err.Error(), tt.err) {
					t.Errorf("error %v, want %s", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case r.status != tt.want.status || r.retryAfter != tt.want.retryAfter || string(r.body) != string(tt.want.body):
				t.Errorf("%+v, want %+v", r, tt.want)
			}
		})
	}
}

// TestSilentServer: a server that does not answer is given up.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClient(new(tls.Config), 50*time.Millisecond)
	defer c.close()
	u := &url.URL{Scheme: "http", Host: l.Addr().String()}
	if _, err := c.do(t.Context(), u, &request{method: "GET", path: "/"}); err == nil || err.Error() != "no answer within 50ms" {
		t.Errorf("error %v", err)
	}
}

// TestReuse: a connection is used again, and made again if the server has closed it meanwhile.
func TestReuse(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	u, c := serve(t, answer, answer, answer), newClient(new(tls.Config), 20*time.Second)
	defer c.close()
	for range 3 {
		if r, err := c.do(t.Context(), u, &request{method: "POST", path: "/", body: []byte("x")}); err != nil || string(r.body) != "hi" {
			t.Fatalf("%+v, error %v", r, err)
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
			Options{URLs: good.URLs, CA: client.ca, Cert: client.cert, CertKey: client.key},
			"certificate signed by unknown authority: name a file with the authority's certificate by ca",
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

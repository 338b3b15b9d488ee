package elastic

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// Options say where documents are written and how. The zero value of each but URLs is its default.
type Options struct {
	URLs  []string // http or https, the first is tried first; without user and password
	Index string   // of the data stream; empty: DefaultIndex
	Daily string   // instead of a data stream: the name before the day, in UTC, of an index for each day

	User         string // for basic authentication
	PasswordFile string // has the password; empty: it is in the environment (PasswordVariable)
	KeyFile      string // has the API key, as Elasticsearch encodes it; empty: KeyVariable, if that is set

	CA            string // file with the certificates that the server's is checked against; empty: the host's
	Cert, CertKey string // files of the client's certificate and key
	NoTemplate    bool   // the index template is somebody else's matter
	Count         int    // documents of a request; 0: defaultCount
	Bytes         int64  // of a request; 0: defaultBytes
	Every         time.Duration
	Timeout       time.Duration // of a request; 0: defaultTimeout
	Spool         string        // directory for what is not delivered yet; empty: it is kept in memory
	SpoolSize     int64         // bytes of all its files; 0: defaultSpool
}

// Defaults of Options.
const (
	DefaultIndex   = "logs-dropwatch-default"
	defaultCount   = 1000
	defaultBytes   = 4 << 20
	defaultEvery   = time.Second
	defaultTimeout = 30 * time.Second
	defaultSpool   = 1 << 30
)

// Environment variables that have secrets.
const (
	KeyVariable      = "DROPWATCH_ELASTIC_API_KEY"
	PasswordVariable = "DROPWATCH_ELASTIC_PASSWORD"
)

// Check returns an error for options that cannot be used on any host. It reads no file.
func (o *Options) Check() error {
	switch {
	case o.Index != "" && o.Daily != "":
		return errors.New("give index or daily: a data stream has no index for each day")
	case o.User != "" && o.KeyFile != "":
		return errors.New("give user or api-key-file: a request has one authentication")
	case o.PasswordFile != "" && o.User == "":
		return errors.New("give user, whose password is in password-file")
	case (o.Cert == "") != (o.CertKey == ""):
		return errors.New("give cert and cert-key: a client certificate needs both")
	case o.SpoolSize > 0 && o.Spool == "":
		return errors.New("give spool: spool-size is for its directory")
	case o.SpoolSize > 0 && o.SpoolSize < maxBatch:
		return errors.New("give a spool-size of 64M or more")
	case o.Bytes > maxBatch/2:
		return errors.New("give bytes of 32M or less")
	}
	for _, name := range []string{o.Index, o.Daily} {
		if err := checkIndex(name); err != nil {
			return err
		}
	}
	for _, text := range o.URLs {
		if _, err := parseURL(text); err != nil {
			return err
		}
	}
	return nil
}

// CheckFiles returns an error if the files that it names cannot be used on this host.
func (o *Options) CheckFiles() error {
	if o.PasswordFile != "" || o.KeyFile != "" {
		if _, err := o.readLogin(); err != nil {
			return err
		}
	}
	_, err := o.tlsConfig()
	return err
}

// maxFile and maxWait bound a file that is read: its size in bytes, and how long the file system may take.
const (
	maxFile = 1 << 20
	maxWait = 10 * time.Second
)

// readFile reads a regular file of any user: a pipe might never end, and is read for each request again.
func readFile(path string) ([]byte, error) {
	return host.New("/").ReadPath(path, host.Limits{Bytes: maxFile, Owner: host.AnyOwner, Wait: maxWait})
}

// checkIndex returns an error for a name that Elasticsearch refuses, and OpenSearch.
func checkIndex(name string) error {
	switch {
	case name == "":
	case name != strings.ToLower(name), len(name) > 200, strings.ContainsAny(name, "\\/*?\"<>| ,#:"),
		strings.ContainsAny(name[:1], "-_+."):
		return fmt.Errorf("give a name of small letters, digits, - and .: %q is no name of an index", name)
	}
	return nil
}

// parseURL parses the URL of a server, to which it adds the port of Elasticsearch if it has none. It
// has no secret, as a command line is for everybody to read.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("give a URL as in https://elastic.example.org:9200")
	case u.User != nil:
		return nil, errors.New("give the URL without user and password: use user and password-file")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("give the URL without ? and #")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "9200")
	}
	return u, nil
}

// A login is how a request is authenticated. Its secrets are never printed.
type login struct{ header string } // the value of Authorization; empty: none

// readLogin reads the secrets.
func (o *Options) readLogin() (login, error) {
	if o.User != "" {
		password, err := secret("password", o.PasswordFile, PasswordVariable)
		if err == nil && password == "" {
			err = fmt.Errorf("the password of %s is missing: name a file with password-file, or set %s",
				event.Escape(o.User), PasswordVariable)
		}
		return login{"Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+password))}, err
	}
	key, err := secret("API key", o.KeyFile, KeyVariable)
	if err != nil || key == "" {
		return login{}, err
	}
	return login{"ApiKey " + key}, nil
}

// secret returns what a file has or, without a file, a variable of the environment.
func secret(what, path, variable string) (string, error) {
	text := os.Getenv(variable)
	if path != "" {
		data, err := readFile(path)
		if err != nil {
			return "", fmt.Errorf("read the %s from %s: %w", what, event.Escape(path), event.WithoutPath(err))
		}
		text = string(bytes.TrimSpace(data))
		if text == "" {
			return "", fmt.Errorf("read the %s from %s: the file is empty", what, event.Escape(path))
		}
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return "", fmt.Errorf("the %s has a line break", what)
	}
	return text, nil
}

// tlsConfig reads the certificates.
func (o *Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		data, err := readFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("read the certificates of %s: %w", event.Escape(o.CA), event.WithoutPath(err))
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("read the certificates of %s: it has none in PEM", event.Escape(o.CA))
		}
	}
	if o.Cert != "" {
		cert, err := readFile(o.Cert)
		key, keyErr := readFile(o.CertKey)
		pair, pairErr := tls.X509KeyPair(cert, key)
		if err = cmp.Or(err, keyErr, pairErr); err != nil {
			return nil, fmt.Errorf("read the client certificate %s and its key: %w", event.Escape(o.Cert), event.WithoutPath(err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

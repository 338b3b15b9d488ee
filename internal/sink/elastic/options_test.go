package elastic

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCheck(t *testing.T) {
	const url = "https://h:9200"
	for want, o := range map[string]Options{
		"": {
			URLs: []string{url, "http://[::1]"}, Index: "logs-x.y_z-1", User: "u", PasswordFile: "f", Cert: "c", CertKey: "k",
		},
		"give index or daily":          {URLs: []string{url}, Index: "a", Daily: "b"},
		"give user or api-key-file":    {URLs: []string{url}, User: "a", KeyFile: "b"},
		"give user, whose":             {URLs: []string{url}, PasswordFile: "b"},
		"give cert and cert-key":       {URLs: []string{url}, Cert: "b"},
		"give spool: spool-size":       {URLs: []string{url}, SpoolSize: 1 << 30},
		"give a spool-size of 64M":     {URLs: []string{url}, Spool: "x", SpoolSize: 1 << 20},
		"give bytes of 32M or less":    {URLs: []string{url}, Bytes: 1 << 30},
		"give a name of small letters": {URLs: []string{url}, Index: "Logs"},
		"give a URL as in":             {URLs: []string{url, "h:9200"}},
		"give the URL without user":    {URLs: []string{"https://u:p@h"}},
		"give the URL without ?":       {URLs: []string{"https://h/?x"}},
	} {
		if err := o.Check(); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
}

// TestSecrets come from files and the environment, and no error has them.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		o             Options
		key, password string // of the environment
		want, err     string
	}{
		"none":         {},
		"key file":     {o: Options{KeyFile: file("key", " abc== \n")}, key: "other", want: "ApiKey abc=="},
		"key variable": {key: "abc", want: "ApiKey abc"},
		"password file": {
			o: Options{User: "u", PasswordFile: file("pass", "p w\n")}, key: "x", want: "Basic dTpwIHc=",
		},
		"variable": {o: Options{User: "u"}, password: "p w", want: "Basic dTpwIHc="},
		"no password": {
			o:   Options{User: "u\x1b"},
			err: `the password of u\x1b is missing: name a file with password-file, or set ` + PasswordVariable,
		},
		"an empty file": {
			o: Options{KeyFile: file("empty", "\n")}, err: "read the API key from " + filepath.Join(dir, "empty") + ": the file is empty",
		},
		"a missing file": {
			o:   Options{KeyFile: filepath.Join(dir, "none")},
			err: "read the API key from " + filepath.Join(dir, "none") + ": no such file or directory",
		},
		"lines in a file": {o: Options{KeyFile: file("lines", "secret\r\nX: y")}, err: "the API key has a line break"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(KeyVariable, tt.key)
			t.Setenv(PasswordVariable, tt.password)
			l, err := tt.o.readLogin()
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || l.header != tt.want {
				t.Errorf("%q, error %v, want %q", l.header, err, tt.want)
			}
		})
	}
}

// TestCheckFiles: files that cannot be used are refused at once, also pipes that nobody writes to.
func TestCheckFiles(t *testing.T) {
	t.Setenv(PasswordVariable, "")
	dir := t.TempDir()
	pipe, none := filepath.Join(dir, "pipe"), filepath.Join(dir, "none")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"read the password from " + pipe + ": not a regular file":                         {User: "u", PasswordFile: pipe},
		"read the API key from " + pipe + ": not a regular file":                          {KeyFile: pipe},
		"read the certificates of " + pipe + ": not a regular file":                       {CA: pipe},
		"read the client certificate " + pipe + " and its key: not a regular file":        {Cert: pipe, CertKey: pipe},
		"read the client certificate " + none + " and its key: no such file or directory": {Cert: none, CertKey: none},
	} {
		if err := o.CheckFiles(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if err := (&Options{User: "u"}).CheckFiles(); err != nil {
		t.Errorf("without files: %v", err) // the environment of a service has the password
	}
}

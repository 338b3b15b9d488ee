package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"dropwatch/internal/capture"
	"dropwatch/internal/host"
	"dropwatch/internal/source/netdm"
)

// TestDoctorJSON: the report is one line that is one object.
func TestDoctorJSON(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "report"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r := &capture.Runner{
		In: os.Stdin, Out: out, Err: os.Stderr, Host: host.New("/"), Notices: capture.NewNotices(os.Stderr),
		Signals: new(capture.Signals), OpenBPF: openFakeBPF, OpenTrace: openFakeTrace,
		OpenRetrans: openFakeRetrans, OpenRetransTrace: openFakeRetrans,
		Monitor: &capture.Monitor{Open: func() (*netdm.Session, error) { return nil, os.ErrNotExist }},
	}
	if code := run(t.Context(), []string{"dropwatch", "doctor", "--json"}, r); code > 1 {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Works    *bool
		Sources  map[string]bool
		Findings []struct{ Name, State, Detail, Fix string }
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil || report.Works == nil || len(report.Sources) != 3 || len(report.Findings) == 0 {
		t.Errorf("%v: %s", err, text)
	}
	if bytes.Count(text, []byte("\n")) != 1 || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("not one line: %q", text)
	}
}

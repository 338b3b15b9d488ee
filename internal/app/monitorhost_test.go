package app

import (
	"os"
	"testing"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/host"
	"dropwatch/internal/repl"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/trace"
	"dropwatch/netlink"
)

// withoutMonitor is a session's host without a drop monitor.
func withoutMonitor() *monitorHost {
	none := func() (*netdm.Session, error) { return nil, netlink.ErrNoFamily }
	return &monitorHost{points: new(App).namedPoints, runner: &capture.Runner{
		Host: host.New("/"), Notices: capture.NewNotices(os.Stderr), Monitor: &capture.Monitor{Open: none},
	}}
}

// TestMisspeltFilter: a session refuses a filter that watch refuses.
func TestMisspeltFilter(t *testing.T) {
	err := withoutMonitor().CheckFilter("reason == NO_SOCKT")
	if _, unlisted := trace.ReasonNames(); (err != nil) != (unlisted == nil) {
		t.Errorf("%v, and the kernel's list of reasons: %v", err, unlisted)
	}
}

// TestTruncWithoutMonitor: what a session truncates to holds for another source.
func TestTruncWithoutMonitor(t *testing.T) {
	h := withoutMonitor()
	if err := h.SetTrunc(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	spec, err := h.spec(repl.Settings{Trunc: 5})
	if err != nil || spec.Input.Trunc != 5 {
		t.Errorf("%d bytes, %v", spec.Input.Trunc, err)
	}
}

// TestMisspeltTopic: help asks for the topic or the command that was meant.
func TestMisspeltTopic(t *testing.T) {
	err := new(App).helpOn(&cli.Program{}, "watchh", []string{"filter", "watch"})
	if want := `help: unknown topic "watchh": did you mean watch?`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

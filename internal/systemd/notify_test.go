package systemd_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/systemd"
)

// manage listens as the service manager does, and returns what it hears next.
func manage(t *testing.T, name string) (heard func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return func() string {
		b := make([]byte, 1024)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func connect(t *testing.T) *systemd.Manager {
	t.Helper()
	m, err := systemd.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestNotify: each state is a datagram, by a socket of a file or of the abstract namespace.
func TestNotify(t *testing.T) {
	for _, name := range []string{t.TempDir() + "/notify", "@dropwatch-test-" + strconv.Itoa(os.Getpid())} {
		heard := manage(t, name)
		t.Setenv("WATCHDOG_USEC", "2500000")
		t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
		m := connect(t)
		if m.Watchdog() != 2500*time.Millisecond {
			t.Errorf("watchdog %v", m.Watchdog())
		}
		m.Ready("two\nlines")
		m.Alive()
		m.Stopping()
		m.Reloading()
		for _, want := range []string{"READY=1\nSTATUS=two lines", "WATCHDOG=1", "STOPPING=1"} {
			if got := heard(); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		usec, ok := strings.CutPrefix(heard(), "RELOADING=1\nMONOTONIC_USEC=")
		if n, err := strconv.ParseInt(usec, 10, 64); !ok || err != nil || n <= 0 {
			t.Errorf("reloading at %q", usec)
		}
		for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
			if value, ok := os.LookupEnv(name); ok {
				t.Errorf("commands inherit %s=%s", name, value)
			}
		}
	}
}

// TestNoManager: without one, or without a watchdog for this process, nothing is sent.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := connect(t)
	m.Ready("")
	m.Reloading()
	if m.Watchdog() != 0 {
		t.Errorf("watchdog %v", m.Watchdog())
	}
	for usec, pid := range map[string]string{"x": "", "-1": "", "0": "", "1000000": "1", "99999999999999": ""} {
		manage(t, t.TempDir()+"/notify")
		t.Setenv("WATCHDOG_USEC", usec)
		t.Setenv("WATCHDOG_PID", pid)
		if w := connect(t).Watchdog(); w != 0 {
			t.Errorf("watchdog %v of %s for %s", w, usec, pid)
		}
	}
	t.Setenv("NOTIFY_SOCKET", t.TempDir()+"/none")
	if _, err := systemd.Connect(); err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET") {
		t.Errorf("a manager that is gone: error %v", err)
	}
}

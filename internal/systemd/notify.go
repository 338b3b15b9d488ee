// Package systemd tells the service manager how a service is doing (sd_notify(3), systemd.service(5)).
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Manager is the service manager that started this process. The zero value stands for none: its
// methods do nothing. It is safe for concurrent use.
type Manager struct {
	conn     *net.UnixConn // to its socket; nil: there is no manager
	watchdog time.Duration // within which the manager wants to hear; 0: it does not
}

// Connect connects to the manager that the environment names, if there is one, and removes it from
// the environment, so that no command inherits it. The caller closes the Manager.
func Connect() (*Manager, error) {
	defer func() {
		for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
			os.Unsetenv(name)
		}
	}()
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return new(Manager), nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("connect to the service manager ($NOTIFY_SOCKET): %w", err)
	}
	return &Manager{conn: conn, watchdog: watchdogTime()}, nil
}

// watchdogTime returns how often the manager wants to hear of this process; 0: it does not.
func watchdogTime() time.Duration {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 63)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || usec <= 0 || usec > int64(time.Hour/time.Microsecond) || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Watchdog returns within which time the manager wants each call of [Manager.Alive]; 0: it does not
// want any.
func (m *Manager) Watchdog() time.Duration { return m.watchdog }

// Ready says that the service works, also after it was reloaded. Status is a line for a person.
func (m *Manager) Ready(status string) { m.notify("READY=1", "STATUS="+line(status)) }

// Reloading says that the service reads its configuration again. Ready follows.
func (m *Manager) Reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		m.notify("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/int64(time.Microsecond)))
	}
}

// Stopping says that the service ends.
func (m *Manager) Stopping() { m.notify("STOPPING=1") }

// Alive says that the service is not stuck.
func (m *Manager) Alive() { m.notify("WATCHDOG=1") }

// Close ends the connection.
func (m *Manager) Close() error {
	if m.conn == nil {
		return nil
	}
	return m.conn.Close()
}

// maxNotify is how long a manager that does not read is waited for.
const maxNotify = time.Second

// notify sends assignments. A manager that is gone needs none, so errors are ignored.
func (m *Manager) notify(assignments ...string) {
	if m.conn == nil {
		return
	}
	_ = m.conn.SetWriteDeadline(time.Now().Add(maxNotify))
	_, _ = m.conn.Write([]byte(strings.Join(assignments, "\n")))
}

// line makes one line of a text.
func line(text string) string { return strings.ReplaceAll(text, "\n", " ") }

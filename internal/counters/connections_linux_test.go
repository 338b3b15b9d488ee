package counters_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestConnections: both ends of a connection are there, with what they have sent, and no socket that listens.
func TestConnections(t *testing.T) {
	ns := drops.NewNamespace(t)
	var all []counters.Connection
	var local, remote string
	ns.Do(func() error {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		local, remote = c.LocalAddr().String(), c.RemoteAddr().String()
		r := counters.Reader{Host: host.New("/")}
		all, err = r.Connections(t.Context())
		return err
	})
	ends := make(map[string]uint64)
	for _, c := range all {
		ends[c.Local.String()+" "+c.Remote.String()] = c.Sent
	}
	// The client has sent SYN and ACK. The SYN/ACK of the server was sent before it had the connection.
	other, ok := ends[remote+" "+local]
	if sent := ends[local+" "+remote]; sent != 2 || len(all) != 2 || !ok || other != 0 {
		t.Errorf("of %s > %s: %+v", local, remote, all)
	}
}

// serving makes this binary the helper.
const serving = "DROPWATCH_SERVE_CONNECTIONS"

// TestServe is the helper of other tests, and no test.
func TestServe(t *testing.T) {
	if os.Getenv(serving) == "" {
		return
	}
	if err := counters.ServeConnections(host.New("/"), os.Stdout); err != nil {
		t.Fatal(err)
	}
	os.Exit(0) // before a test's result is printed
}

// TestHelper: a process of its own reads what this one would, and one that waits for a connection that is held without traffic is
// left behind, for no longer than that. It does not keep the program from ending.
func TestHelper(t *testing.T) { helper(t) }

// TestGuestHelper: older kernels keep all that ask for sockets waiting behind the helper.
func TestGuestHelper(t *testing.T) {
	if !guest.AtLeast(6, 9) {
		helper(t)
	}
}

func helper(t *testing.T) {
	t.Setenv(serving, "1")
	ns := drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Dial()
	accepted := ns.Accept(listener)
	r := &counters.Reader{
		Host: host.New("/"), Netns: func(uint32, host.Netns) bool { return true }, Groups: []counters.Group{counters.Socket},
		Helper: []string{os.Args[0], os.Args[0], "-test.run", "^TestServe$"},
	}
	if n, err := connectionsIn(ns, r); n != 2 || err != nil {
		t.Fatalf("%d connections, error %v", n, err)
	}
	ns.Hold(accepted)
	if _, err := connectionsIn(ns, r); !errors.Is(err, counters.ErrHeld) {
		t.Errorf("error %v, want that one is held", err)
	}
	readSockets(t, r)
	r.Helper[0] = "/nonexistent"
	if _, err := connectionsIn(ns, r); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// connectionsIn returns how many connections of a namespace are read from within it: the helper is in it, too, and so sees it.
func connectionsIn(ns *drops.Namespace, r *counters.Reader) (n int, err error) {
	inode := ns.Inode()
	ns.Do(func() error {
		var all []counters.Connection
		all, err = r.Connections(context.Background())
		for _, c := range all {
			if c.Netns.Inode == inode {
				n++
			}
		}
		return nil
	})
	return n, err
}

// readSockets reads sockets while a helper waits. An older kernel would not answer, and is not asked.
func readSockets(t *testing.T, r *counters.Reader) {
	t.Helper()
	done := make(chan *counters.Snapshot, 1)
	go func() {
		s, _ := r.Read(context.Background())
		done <- s
	}()
	select {
	case s := <-done:
		older := host.ParseVersion(r.Host.Release()).Before(6, 9)
		isHeld := func(f counters.Failure) bool { return errors.Is(&f, counters.ErrHeld) }
		if left := slices.ContainsFunc(s.Failures, isHeld); left != older {
			t.Errorf("failures %v", s.Failures)
		}
	case <-time.After(time.Minute):
		t.Fatal("sockets cannot be read")
	}
}

// TestHeldConnection: a connection that a system call holds, and for which segments wait, is not asked for.
func TestHeldConnection(t *testing.T) {
	ns := drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	client := ns.Dial()
	accepted := ns.Accept(listener)
	ns.Hold(accepted)
	ns.Write(client)
	if _, err := connectionsIn(ns, &counters.Reader{Host: host.New("/")}); !errors.Is(err, counters.ErrHeld) {
		t.Errorf("error %v, want that one is held", err)
	}
}

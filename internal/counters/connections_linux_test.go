package counters_test

import (
	"net"
	"syscall"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest/drops"
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

// TestHeldConnection: a connection that a system call holds, and for which segments wait, blocks nobody, and others
// are read again when it ends.
func TestHeldConnection(t *testing.T) {
	ns := drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	client := ns.Dial()
	accepted := ns.Accept(listener)
	ns.Hold(accepted)
	ns.Write(client)
	var all []counters.Connection
	ns.Do(func() (err error) {
		r := counters.Reader{Host: host.New("/")}
		all, err = r.Connections(t.Context())
		return err
	})
	if len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

package counters_test

import (
	"syscall"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestLocalPorts: the local ports of connections to one peer are a level once they are nearly all there are, and not before.
func TestLocalPorts(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	ns.Sysctl("ipv4/ip_local_port_range", "40000 40039")
	ns.Listen(syscall.SOCK_STREAM)
	const peer = "tcp 127.0.0.1 to 127.0.0.1:9 socket.local_ports"
	connect := func(n int) map[string]counters.Change {
		return changes(t, ns, func() {
			for range n {
				ns.Dial()
			}
		}, counters.Socket)
	}
	if c, there := connect(37)[peer]; there {
		t.Errorf("37 of 40 ports: %+v", c)
	}
	c, there := connect(2)[peer]
	if !there || c.Value != 39 || c.Limit != 38 || !c.Gauge {
		t.Errorf("39 of 40 ports: %+v", c)
	}
}

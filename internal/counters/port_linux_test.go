package counters

import (
	"net"
	"testing"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestReadPorts: the port is found that a bridge knows for a MAC address, and which ports are isolated.
func TestReadPorts(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	ns.Run("ip", "link", "add", "br0", "type", "bridge")
	for _, name := range []string{"p1", "p2"} {
		ns.Run("ip", "link", "add", name, "type", "veth", "peer", "name", "e"+name)
		ns.Run("ip", "link", "set", name, "master", "br0")
	}
	ns.Run("ip", "link", "set", "p2", "type", "bridge_slave", "isolated", "on")
	mac := [6]byte{2, 0, 0, 0, 0, 9}
	ns.Run("bridge", "fdb", "add", net.HardwareAddr(mac[:]).String(), "dev", "p2", "master", "static")
	ns.Do(func() error {
		in, out, err := ReadPorts("p1", mac)
		if in.IfName != "p1" || in.Isolated || out.IfName != "p2" || !out.Isolated || out.State != "disabled" {
			t.Errorf("%+v, %+v", in, out)
		}
		if _, unknown, _ := ReadPorts("p1", [6]byte{2}); unknown != (Port{}) {
			t.Errorf("an unknown address: %+v", unknown)
		}
		if none, _, _ := ReadPorts("ep1", mac); none != (Port{}) {
			t.Errorf("no port: %+v", none)
		}
		return err
	})
}

// TestReadPair: the other end of a veth is read, wherever it is.
func TestReadPair(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	other := ns.Another()
	other.Name("dropwatch-pair")
	ns.Run("ip", "link", "add", "here", "mtu", "1400", "type", "veth", "peer", "name", "there")
	check := func(where string) {
		ns.Do(func() error {
			own, peer, err := ReadPair("here")
			if own.IfName != "here" || own.MTU != 1400 || peer.IfName != "there" || peer.MTU != 1300 || peer.Up || peer.MAC == own.MAC {
				t.Errorf("%s: %+v, %+v", where, own, peer)
			}
			if none, _, err := ReadPair("lo"); none != (Veth{}) || err != nil {
				t.Errorf("loopback: %+v %v", none, err)
			}
			return err
		})
	}
	ns.Run("ip", "link", "set", "there", "mtu", "1300")
	check("in the same namespace")
	ns.Run("ip", "link", "set", "there", "netns", "dropwatch-pair")
	check("in another")
}

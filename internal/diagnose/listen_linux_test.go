package diagnose_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestListeners: a program that uses the port with another address is no service that is not
// there, and neither is one that does with this address. Answers that were kept say the same.
func TestListeners(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	const name = "dropwatch-listen"
	ns.Name(name)
	var one, every, six net.Listener
	var bound net.PacketConn
	var datagrams net.PacketConn
	var connected *net.UDPConn
	ns.Do(func() (err error) {
		if one, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		if every, err = net.Listen("tcp", "[::]:0"); err != nil {
			return err
		}
		if six, err = net.Listen("tcp6", "[::]:0"); err != nil { // which sets IPV6_V6ONLY
			return err
		}
		onLoopback := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			controlErr := c.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), "lo") })
			return errors.Join(err, controlErr)
		}}
		if bound, err = onLoopback.ListenPacket(t.Context(), "udp4", "0.0.0.0:0"); err != nil {
			return err
		}
		if connected, err = net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}); err != nil {
			return err
		}
		datagrams, err = net.ListenPacket("udp", "127.0.0.1:0")
		return err
	})
	defer one.Close()
	defer every.Close()
	defer datagrams.Close()
	defer connected.Close()
	defer six.Close()
	defer bound.Close()
	const noProgram = "   fix       Start the service"
	mine := fmt.Sprintf("(me/%d)", os.Getpid())
	for _, test := range []struct {
		name      string
		transport event.Layer
		flags     event.TCPFlags
		to        net.Addr
		want      string
		missing   bool // the service
	}{
		{"tcp elsewhere", event.TCP, event.SYN, one.Addr(), "listens " + mine + ", but not on 10.0.0.2\n", false},
		{"tcp on the loopback", event.TCP, event.SYN, one.Addr(), "the loopback only", false},
		{"udp on the loopback", event.UDP, 0, datagrams.LocalAddr(), "the loopback only", false},
		{"tcp", event.TCP, event.SYN, every.Addr(), "listens " + mine + "\n", false},
		{"midstream", event.TCP, event.ACK, every.Addr(), "   about     tcp [::]:", false},
		{"udp elsewhere", event.UDP, 0, datagrams.LocalAddr(), "listens " + mine + ", but not on 10.0.0.2\n", false},
		{"tcp for IPv6 only", event.TCP, event.SYN, six.Addr(), "listens for IPv6 only", false},
		{"udp to another peer", event.UDP, 0, connected.LocalAddr(), "is connected to 127.0.0.1:9 " + mine + "\n", false},
		{"udp on a device", event.UDP, 0, bound.LocalAddr(), "SO_BINDTODEVICE", false},
		{"no udp there", event.UDP, 0, one.Addr(), noProgram, true},
		{"no tcp there", event.TCP, event.SYN, datagrams.LocalAddr(), noProgram, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := udp("NO_SOCKET", 40001)
			e.Netns = event.Netns{Inode: ns.Inode(), Name: name}
			e.Port.IfName = "eth0"
			h := &e.Packet.Flow.Headers
			h.Transport, h.Protocol = test.transport, map[event.Layer]uint8{event.TCP: 6, event.UDP: 17}[test.transport]
			h.Fields |= event.FieldProtocol
			if test.flags != 0 {
				h.TCPFlags, h.Fields = test.flags, h.Fields|event.FieldTCPFlags
			}
			h.DstPort = netip.MustParseAddrPort(test.to.String()).Port()
			live := diagnose.NewHost(host.New("/"), func(uint64) event.Owner {
				return event.Owner{Process: event.Process{PID: uint32(os.Getpid()), Comm: "me", Confidence: event.Certain}}
			})
			answers := make(map[string]json.RawMessage)
			live.Keep(func(question string, answer []byte) { answers[question] = answer })
			text := reportBy(t, e, live)
			if !strings.Contains(text, test.want) || strings.Contains(text, noProgram) != test.missing {
				t.Errorf("%q is missing, or the service is said to be missing, in\n%s", test.want, text)
			}
			if got := reportBy(t, e, diagnose.RecordedHost(answers)); got != text {
				t.Errorf("a recording says\n%s\nand not\n%s", got, text)
			}
		})
	}
}

// reportBy is the report on a drop with what a host knows.
func reportBy(t *testing.T, e *event.Event, h *diagnose.Host) string {
	t.Helper()
	d := diagnose.New(collect(t, e), report("UdpNoPorts", 0), nil)
	d.Ask(h)
	return textOf(t, d)
}

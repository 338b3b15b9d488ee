package counters

import (
	"encoding/binary"
	"testing"
	"testing/fstest"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/host"
)

// TestNetlinkSockets: the kernel's own have port 0, and what drops nothing is left out.
func TestNetlinkSockets(t *testing.T) {
	r := newReading(Socket)
	r.host = host.FS(fstest.MapFS{"proc/thread-self/net/netlink": &fstest.MapFile{Data: []byte(
		"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n" +
			"00000000cd2a3db6 0   0          00000000 0        0        0     2        9        4       \n" +
			"00000000d6fa204c 16  1234       00000001 2304     0        0     2        7        565     \n" +
			"00000000d6fa204d 99  1234       00000001 0        0        0     2        1        566     \n" +
			"00000000d6fa204e 15  1234       00000001 0        0        0     2        0        567     \n"),
	}})
	if err := r.netlinkSockets(); err != nil {
		t.Fatal(err)
	}
	const want = "socket.netlink_drops | netlink genl:1234 inode 565 |  |  | 7\n" +
		"socket.netlink_drops | netlink 99:1234 inode 566 |  |  | 1\n"
	if got := r.text(); got != want || r.into.Counters[0].Inode != 565 {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPacketSocket(t *testing.T) {
	memory := make([]byte, 4*9)
	binary.NativeEndian.PutUint32(memory[4*skMemDrops:], 7)
	binary.NativeEndian.PutUint32(memory[4*skMemRmemAlloc:], 4096)
	binary.NativeEndian.PutUint32(memory[4*skMemRcvbuf:], 8192)
	info := make([]byte, 24)
	info[0] = 2
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: packetDiagInfo, Data: info}, {Type: packetDiagMemInfo, Data: memory},
	})
	if err != nil {
		t.Fatal(err)
	}
	message := make([]byte, sizeofPacketDiagMsg)
	binary.NativeEndian.PutUint16(message[2:], 0x0800)
	binary.NativeEndian.PutUint32(message[4:], 4711)
	r := newReading(Socket)
	if err := r.packetSocket(append(message, attributes...), map[uint32]string{2: "eth0"}); err != nil {
		t.Fatal(err)
	}
	const want = "socket.capture_drops | packet protocol 0x0800 inode 4711 |  |  | 7\n" +
		"socket.receive_buffer | packet protocol 0x0800 inode 4711 |  |  | 4096\n"
	if got := r.text(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c := r.into.Counters[1]; c.IfName != "eth0" || !c.Gauge || c.Limit != 8192 || c.Inode != 4711 {
		t.Errorf("got %+v", c)
	}
	if err := r.packetSocket(message[:8], nil); err == nil {
		t.Error("a message that is cut short is none")
	}
}

// TestRawSockets: what drops nothing is left out, as is a line that is cut short.
func TestRawSockets(t *testing.T) {
	r := newReading(Socket)
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	const rest = " 07 00000000:00001400 00:00000000 00000000     0        0 "
	r.host = host.FS(fstest.MapFS{
		"proc/thread-self/net/raw": &fstest.MapFile{Data: []byte(heading +
			"   1: 00000000:0001 00000000:0000" + rest + "11 2 0000000062711e63 0\n" +
			"  17: 0100007F:0011 00000000:0000" + rest + "12 2 0000000062711e64 10038\n" +
			"  17: 0100007F:0011 000000\n")},
		"proc/thread-self/net/raw6": &fstest.MapFile{Data: []byte(heading +
			"  58: 00000000000000000000000001000000:003A 00000000000000000000000000000000:0000" + rest + "13 2 00000000e9fc53ad 5\n")},
	})
	for _, file := range []string{"raw", "raw6"} {
		if err := r.rawSockets(file); err != nil {
			t.Fatal(err)
		}
	}
	const want = "socket.drops | raw 127.0.0.1:17 inode 12 |  |  | 10038\n" +
		"socket.drops | raw [::1]:58 inode 13 |  |  | 5\n"
	if got := r.text(); got != want || !r.into.Counters[0].Part {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestUsedProtocols: sockets are looked for unless the kernel says that there are none.
func TestUsedProtocols(t *testing.T) {
	r := newReading(Socket)
	r.host = host.FS(fstest.MapFS{
		"proc/thread-self/net/sockstat": &fstest.MapFile{Data: []byte(
			"sockets: used 15\nTCP: inuse 10 orphan 0 tw 0 alloc 6 mem 237\nUDP: inuse 0 mem 0\nRAW: inuse 0\n")},
	})
	used := r.usedProtocols()
	for name, want := range map[string]bool{"TCP": true, "UDP": false, "RAW": false, "TCP6": true} {
		if used(name) != want {
			t.Errorf("%s: used %t", name, !want)
		}
	}
}

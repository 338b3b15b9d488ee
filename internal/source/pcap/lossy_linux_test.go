package pcap_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// A path is a network between two namespaces that treats packets badly, and records what each end of it
// sees, as tcpdump would there.
type path struct {
	lose, repeat, reorder float64 // of 1
	delay                 time.Duration
	ipv6, noTimestamps    bool
	size                  int // bytes that are sent in a direction of a connection

	mu     sync.Mutex
	random *rand.Rand
	sent   map[sender]uint32 // the highest sequence number that was sent
	ends   map[byte]*end     // a and b
}

// An end is one end of a path.
type end struct {
	ns      *drops.Namespace
	address netip.Addr
	tun     *os.File
	queue   []queued // on the way to it
	file    *capture // what it sees
	truth   []verdict
}

// A queued is a packet on its way.
type queued struct {
	data []byte
	verdict
	due time.Time
}

// A sender is one end of a connection.
type sender struct {
	end   byte
	ports [4]byte
}

// A verdict is what is known of a packet, as the path saw it leave its sender.
type verdict struct {
	own    bool // the end that records sent it
	again  bool // what it carries had been sent before
	copied bool // the path made it from another, for which the same holds
}

const tunMTU = 1500

// newPath joins two new namespaces.
func newPath(t *testing.T, p *path) *path {
	t.Helper()
	p.random = rand.New(rand.NewPCG(1, 2))
	p.sent, p.ends = make(map[sender]uint32), make(map[byte]*end)
	a := drops.NewNamespace(t)
	p.ends['a'], p.ends['b'] = p.newEnd(t, a, 1, 2), p.newEnd(t, a.Another(), 2, 1)
	go p.carry('a', 'b')
	go p.carry('b', 'a')
	return p
}

// newEnd makes the end in a namespace, whose address ends with own.
func (p *path) newEnd(t *testing.T, ns *drops.Namespace, own, peer byte) *end {
	t.Helper()
	e := &end{ns: ns, address: p.address(own), file: &capture{Buffer: new(bytes.Buffer)}}
	e.file.begin(linkRaw)
	if p.ipv6 {
		ns.Sysctl("ipv6/conf/default/disable_ipv6", "0")
	}
	if p.noTimestamps {
		ns.Sysctl("ipv4/tcp_timestamps", "0")
	}
	e.tun = tun(t, ns)
	ns.Run("ip", "link", "set", "tun0", "up")
	ns.Run("ip", "address", "add", e.address.String(), "dev", "tun0", "nodad")
	ns.Run("ip", "route", "add", p.address(peer).String(), "dev", "tun0")
	return e
}

func (p *path) address(last byte) netip.Addr {
	if p.ipv6 {
		return netip.AddrFrom16([16]byte{0xfd, 15: last})
	}
	return netip.AddrFrom4([4]byte{10, 9, 0, last})
}

// tun makes a tun device in a namespace.
func tun(t *testing.T, ns *drops.Namespace) (f *os.File) {
	t.Helper()
	ns.Do(func() error {
		const noPacketInfo, isTun = 0x1000, 0x0001 // IFF_NO_PI, IFF_TUN
		fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		var request [40]byte
		copy(request[:], "tun0")
		binary.NativeEndian.PutUint16(request[16:], noPacketInfo|isTun)
		pointer := uintptr(unsafe.Pointer(&request))
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, pointer); errno != 0 {
			return errno
		}
		f = os.NewFile(uintptr(fd), "tun")
		return nil
	})
	t.Cleanup(func() { f.Close() })
	return f
}

// carry takes packets from one end to the other until the devices are closed.
func (p *path) carry(from, to byte) {
	for {
		b := make([]byte, tunMTU)
		n, err := p.ends[from].tun.Read(b)
		if err != nil {
			return
		}
		p.pass(b[:n], from, p.ends[to])
	}
}

// pass records a packet as its sender sees it, and has it arrive: not, once, twice, or later than the one
// behind it.
func (p *path) pass(b []byte, from byte, to *end) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := verdict{again: p.sentBefore(b, from)}
	p.ends[from].record(b, verdict{own: true, again: v.again})
	if p.random.Float64() < p.lose {
		return
	}
	delay := p.delay
	if p.random.Float64() < p.reorder {
		delay += time.Duration(1+p.random.IntN(5)) * time.Millisecond
	}
	p.arrive(b, to, v, delay)
	if p.random.Float64() < p.repeat {
		v.copied = true
		p.arrive(b, to, v, delay+time.Millisecond)
	}
}

// arrive has a packet arrive after some time, behind those that are to arrive before it.
func (p *path) arrive(b []byte, to *end, v verdict, after time.Duration) {
	due := time.Now().Add(after)
	at, _ := slices.BinarySearchFunc(to.queue, due, func(q queued, due time.Time) int { return cmp.Or(q.due.Compare(due), -1) })
	to.queue = slices.Insert(to.queue, at, queued{b, v, due})
	time.AfterFunc(after, func() { p.deliver(to) })
}

// deliver has all packets arrive that are due.
func (p *path) deliver(to *end) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(to.queue) > 0 && !to.queue[0].due.After(now) {
		q := to.queue[0]
		to.queue = to.queue[1:]
		to.record(q.data, q.verdict)
		to.tun.Write(q.data)
	}
}

func (e *end) record(b []byte, v verdict) {
	e.file.add(time.Now(), b)
	e.truth = append(e.truth, v)
}

// tcpOf returns the TCP header of an IP packet and what follows it; nil if it has none.
func tcpOf(b []byte) []byte {
	const tcp = 6
	switch {
	case b[0]>>4 == 4 && b[9] == tcp:
		return b[int(b[0]&0xf)*4:]
	case b[0]>>4 == 6 && b[6] == tcp:
		return b[40:]
	}
	return nil
}

// sentBefore reports whether a packet carries what its sender had sent before, and enters what it sent.
func (p *path) sentBefore(b []byte, end byte) bool {
	const synOrFin = 0x03
	tcp := tcpOf(b)
	if tcp == nil {
		return false
	}
	seq, flags, size := binary.BigEndian.Uint32(tcp[4:]), tcp[13], len(tcp)-int(tcp[12]>>4)*4
	from := sender{end, [4]byte(tcp)}
	highest, known := p.sent[from]
	next := seq + uint32(size)
	if flags&synOrFin != 0 {
		next++
	}
	if !known || int32(next-highest) > 0 {
		p.sent[from] = next
	}
	return known && next != seq && int32(seq-highest) < 0
}

// save writes what an end has seen so far to a file, and returns what is true of its packets.
func (p *path) save(t *testing.T, end byte) (file string, truth []verdict) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.ends[end]
	file = filepath.Join(t.TempDir(), "lossy.pcap")
	if err := os.WriteFile(file, e.file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, slices.Clone(e.truth)
}

// traffic has TCP do over the path what it does in a bad network: bulk data in both directions, a reader
// that sleeps, an idle connection with keep-alives, a port without a listener.
func (p *path) traffic(t *testing.T) {
	t.Helper()
	p.listen(t)
	var all sync.WaitGroup
	for range 4 {
		conn := p.dial(t)
		all.Go(func() { p.exchange(t, conn, bothWays) })
	}
	sleeper := p.dial(t)
	all.Go(func() { p.exchange(t, sleeper, sleeping) })
	idle := p.dial(t)
	if err := idle.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}); err != nil {
		t.Error(err)
	}
	p.ends['a'].ns.Do(func() error {
		if c, err := net.Dial("tcp", netip.AddrPortFrom(p.ends['b'].address, closedPort).String()); err == nil {
			c.Close()
		}
		return nil
	})
	time.Sleep(3500 * time.Millisecond) // for keep-alives
	idle.Close()
	all.Wait()
}

// load has many connections carry data at the same time.
func (p *path) load(t *testing.T) {
	t.Helper()
	p.listen(t)
	var all sync.WaitGroup
	for i := range 12 {
		conn := p.dial(t)
		all.Go(func() { p.exchange(t, conn, []byte{bothWays, upload, download}[i%3]) })
	}
	all.Wait()
}

// Ports of end b.
const openPort, closedPort = 80, 81

// listen serves connections at b.
func (p *path) listen(t *testing.T) {
	t.Helper()
	var listener net.Listener
	p.ends['b'].ns.Do(func() (err error) {
		listener, err = net.Listen("tcp", netip.AddrPortFrom(p.ends['b'].address, openPort).String())
		return err
	})
	t.Cleanup(func() { listener.Close() })
	go p.serve(listener)
}

// dial connects a to b.
func (p *path) dial(t *testing.T) (c *net.TCPConn) {
	t.Helper()
	p.ends['a'].ns.Do(func() error {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(p.ends['b'].address, openPort).String())
		if err != nil {
			return err
		}
		c = conn.(*net.TCPConn)
		return nil
	})
	return c
}

// What a connection does, which is its first byte.
const (
	bothWays = 'b' // data in both directions
	upload   = 'u' // from a to b
	download = 'd' // from b to a
	sleeping = 's' // both ways, but b reads only after a while
)

// serve answers connections by what they begin with.
func (p *path) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go p.answer(c)
	}
}

func (p *path) answer(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	begin := make([]byte, 1)
	if _, err := io.ReadFull(c, begin); err != nil {
		return
	}
	if begin[0] == sleeping {
		c.(*net.TCPConn).SetReadBuffer(8 << 10)
		time.Sleep(2 * time.Second)
	}
	var sent sync.WaitGroup
	if begin[0] != upload {
		sent.Go(func() { c.Write(make([]byte, p.size)) })
	}
	io.Copy(io.Discard, c)
	sent.Wait()
}

// exchange does on a connection what kind says, and closes it.
func (p *path) exchange(t *testing.T, c *net.TCPConn, kind byte) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	var sent sync.WaitGroup
	defer sent.Wait()
	c.Write([]byte{kind})
	if kind != download {
		sent.Go(func() {
			c.Write(make([]byte, p.size))
			c.CloseWrite()
		})
	}
	if kind == upload {
		return
	}
	if _, err := io.ReadFull(c, make([]byte, p.size)); err != nil {
		t.Errorf("read: %v", err)
	}
}

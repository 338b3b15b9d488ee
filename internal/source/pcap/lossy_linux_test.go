package pcap_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
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

// A path is a network between two namespaces that treats packets badly, and records what one end of it
// sees, as tcpdump would there.
type path struct {
	a, b *os.File // the tun devices of the ends
	file *capture
	from byte // the end that records: a or b

	lose, repeat, reorder float64 // of 1
	delay                 time.Duration

	mu     sync.Mutex
	random *rand.Rand
	sent   map[sender]uint32 // the highest sequence number that was sent
	truth  []verdict         // of each packet that was recorded
	queues map[*os.File][]queued
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
	copied bool // the path made it from another
}

const (
	endA, endB = "10.9.0.1", "10.9.0.2"
	tunMTU     = 1500
)

// newPath joins two new namespaces.
func newPath(t *testing.T, p *path) (a, b *drops.Namespace) {
	t.Helper()
	a = drops.NewNamespace(t)
	b = a.Another()
	p.a, p.b = tun(t, a, endA, endB), tun(t, b, endB, endA)
	p.random = rand.New(rand.NewPCG(1, 2))
	p.file = &capture{Buffer: new(bytes.Buffer)}
	p.file.begin(linkRaw)
	p.sent, p.queues = make(map[sender]uint32), make(map[*os.File][]queued)
	go p.carry(p.a, p.b, 'a')
	go p.carry(p.b, p.a, 'b')
	return a, b
}

// tun makes a tun device in a namespace.
func tun(t *testing.T, ns *drops.Namespace, own, peer string) (f *os.File) {
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
	ns.Run("ip", "address", "add", own, "peer", peer, "dev", "tun0")
	ns.Run("ip", "link", "set", "tun0", "up")
	return f
}

// carry takes packets from one end to the other until the devices are closed.
func (p *path) carry(from, to *os.File, end byte) {
	for {
		b := make([]byte, tunMTU)
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.pass(b[:n], to, end)
	}
}

// pass records a packet as its sender, or later its receiver, sees it, and has it arrive: not, once, twice,
// or later than the one behind it.
func (p *path) pass(b []byte, to *os.File, end byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := verdict{own: end == p.from, again: p.sentBefore(b, end)}
	if v.own {
		p.record(b, v)
	}
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
func (p *path) arrive(b []byte, to *os.File, v verdict, after time.Duration) {
	due := time.Now().Add(after)
	queue := p.queues[to]
	at, _ := slices.BinarySearchFunc(queue, due, func(q queued, due time.Time) int { return cmp.Or(q.due.Compare(due), -1) })
	p.queues[to] = slices.Insert(queue, at, queued{b, v, due})
	time.AfterFunc(after, func() { p.deliver(to) })
}

// deliver has all packets arrive that are due.
func (p *path) deliver(to *os.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.queues[to]) > 0 && !p.queues[to][0].due.After(now) {
		q := p.queues[to][0]
		p.queues[to] = p.queues[to][1:]
		if !q.own {
			p.record(q.data, q.verdict)
		}
		to.Write(q.data)
	}
}

func (p *path) record(b []byte, v verdict) {
	p.file.add(time.Now(), b)
	p.truth = append(p.truth, v)
}

// sentBefore reports whether a packet carries what its sender had sent before, and enters what it sent.
func (p *path) sentBefore(b []byte, end byte) bool {
	const synOrFin = 0x03
	tcp := b[int(b[0]&0xf)*4:]
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

// save writes what was recorded so far to a file, and returns what is true of its packets.
func (p *path) save(t *testing.T) (file string, truth []verdict) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	file = filepath.Join(t.TempDir(), "lossy.pcap")
	if err := os.WriteFile(file, p.file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, slices.Clone(p.truth)
}

// traffic has TCP do over the path what it does in a bad network: bulk data in both directions, a reader
// that sleeps, an idle connection with keep-alives, a port without a listener.
func traffic(t *testing.T, a, b *drops.Namespace) {
	t.Helper()
	var listener net.Listener
	b.Do(func() (err error) {
		listener, err = net.Listen("tcp", endB+":80")
		return err
	})
	t.Cleanup(func() { listener.Close() })
	go serve(listener)
	var all sync.WaitGroup
	for i := range 4 {
		conn := dial(t, a, endB+":80")
		all.Go(func() { exchange(t, conn, "bulk"[i:]) })
	}
	sleeper := dial(t, a, endB+":80")
	all.Go(func() { exchange(t, sleeper, "sleep") })
	idle := dial(t, a, endB+":80")
	if err := idle.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}); err != nil {
		t.Error(err)
	}
	a.Do(func() error {
		if c, err := net.Dial("tcp", endB+":81"); err == nil {
			c.Close()
		}
		return nil
	})
	time.Sleep(3500 * time.Millisecond) // for keep-alives
	idle.Close()
	all.Wait()
}

func dial(t *testing.T, ns *drops.Namespace, address string) (c *net.TCPConn) {
	t.Helper()
	ns.Do(func() error {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		c = conn.(*net.TCPConn)
		return nil
	})
	return c
}

// bulk is how many bytes are sent in each direction of a connection.
const bulk = 200 << 10

// serve answers connections with as many bytes as they send. One that begins with s is read only after a
// while.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			begin := make([]byte, 1)
			if _, err := io.ReadFull(c, begin); err != nil {
				return
			}
			if begin[0] == 's' {
				c.(*net.TCPConn).SetReadBuffer(8 << 10)
				time.Sleep(2 * time.Second)
			}
			go c.Write(make([]byte, bulk))
			io.Copy(io.Discard, c)
		}()
	}
}

// exchange sends the beginning and then data, reads as much, and closes the connection.
func exchange(t *testing.T, c *net.TCPConn, begin string) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		c.Write([]byte(begin))
		c.Write(make([]byte, bulk))
		c.CloseWrite()
	}()
	if _, err := io.ReadFull(c, make([]byte, bulk)); err != nil {
		t.Errorf("read: %v", err)
	}
}

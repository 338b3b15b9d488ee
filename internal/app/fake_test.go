package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/capture"
	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/source/trace"
	"dropwatch/netlink"
)

// A fakeMonitor is a drop monitor in our own process.
type fakeMonitor struct {
	alerts []string // what each run brings
	log    *os.File // each change, a line

	mu     sync.Mutex
	config netlink.Config
	on     bool
	does   map[string]bool // how it misbehaves
}

// newFakeMonitor makes a monitor of a list of words. Those that each run acts
// upon in their order:
//
//	summary=N  a summary of N drops at one address
//	packet     a packet that was dropped
//	panic      a fault in dropwatch
//	stuck      says so when it should end, and does not
//	flood      summaries until they cannot be shown
//	packets    packets, one each millisecond
//	stopped    another program switches monitoring off
//	touch=F    creates the file F, when what was before it is counted
//	await=F    waits until the file F is there
//
// and those that hold from the beginning:
//
//	on         somebody has switched monitoring on
//	restless   STOP fails
//	denied     START is not permitted
func newFakeMonitor(words, log string) *fakeMonitor {
	f := &fakeMonitor{config: netlink.Config{QueueLen: 1000}, does: map[string]bool{}}
	for _, word := range strings.Fields(words) {
		switch word {
		case "on":
			f.on = true
		case "restless", "denied":
			f.does[word] = true
		default:
			f.alerts = append(f.alerts, word)
		}
	}
	if log != "" {
		var err error
		if f.log, err = os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			panic(err)
		}
	}
	return f
}

// change makes a change of the monitor and enters it in the log.
func (f *fakeMonitor) change(err error, words string, do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		return err
	}
	do()
	if f.log != nil {
		fmt.Fprintln(f.log, words)
	}
	return nil
}

func (f *fakeMonitor) Config() (netlink.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.config, nil
}

func (f *fakeMonitor) SetConfig(c netlink.Config) error {
	on, _ := f.Running()
	var err error
	if on {
		err = fmt.Errorf("configure the drop monitor: %w", netlink.ErrMonitoring)
	}
	words := fmt.Sprintf("config %v %d %d", c.Mode, c.TruncLen, c.QueueLen)
	return f.change(err, words, func() { f.config = c })
}

func (f *fakeMonitor) Refresh() error { return nil }

func (f *fakeMonitor) SetAlertMode(m netlink.AlertMode) error {
	c, _ := f.Config()
	c.Mode = m
	return f.SetConfig(c)
}

func (f *fakeMonitor) SetTruncLen(n uint32) error {
	c, _ := f.Config()
	c.TruncLen = n
	return f.SetConfig(c)
}

func (f *fakeMonitor) SetQueueLen(n uint32) error {
	c, _ := f.Config()
	c.QueueLen = n
	return f.SetConfig(c)
}

func (f *fakeMonitor) Stats() (netlink.Stats, error) { return netlink.Stats{}, nil }

func (f *fakeMonitor) Start(o netlink.Origins) (err error) {
	switch on, _ := f.Running(); {
	case f.does["denied"]:
		err = fmt.Errorf("start monitoring: %w", netlink.ErrConfigurePermission)
	case on:
		err = fmt.Errorf("start monitoring: %w", netlink.ErrAlreadyOn)
	}
	return f.change(err, fmt.Sprintf("start %d", o), func() { f.on = true })
}

func (f *fakeMonitor) Stop(netlink.Origins) (err error) {
	if f.does["restless"] {
		err = fmt.Errorf("stop monitoring: %w", syscall.EIO)
	}
	return f.change(err, "stop", func() { f.on = false })
}

func (f *fakeMonitor) Running() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on, nil
}

func (f *fakeMonitor) FamilyMessage() ([]byte, error) { return message(0), nil }

// Group is the last one that /proc shows, to which nobody is likely to listen.
func (f *fakeMonitor) Group() uint32 { return 32 }

func (f *fakeMonitor) Close() error { return nil }

func (f *fakeMonitor) Listen(netlink.ListenConfig) (netdm.Listener, error) {
	return &fakeListener{f, f.alerts}, nil
}

// A fakeListener brings the alerts of one run.
type fakeListener struct {
	monitor *fakeMonitor
	alerts  []string
}

func (l *fakeListener) Receive(ctx context.Context, handle netlink.Handler) error {
	for _, alert := range l.alerts {
		word, number, _ := strings.Cut(alert, "=")
		var msg []byte
		switch word {
		case "summary":
			n, _ := strconv.Atoi(number)
			msg = summaryAlert(uint32(n))
		case "packet":
			msg = packetAlert()
		case "stuck":
			<-ctx.Done()
			fmt.Fprintln(os.Stderr, "stuck")
			select {}
		case "flood":
			return flood(ctx, handle, summaryAlert(1), 0)
		case "packets":
			return flood(ctx, handle, packetAlert(), time.Millisecond)
		case "touch":
			if err := os.WriteFile(number, nil, 0o600); err != nil {
				return err
			}
			continue
		case "await":
			awaitFile(ctx, number)
			continue
		case "stopped":
			_ = l.monitor.change(nil, "stopped by another", func() { l.monitor.on = false })
			continue
		default:
			panic("a word of the fake: " + alert)
		}
		if err := handle([][]byte{msg}, false); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// awaitFile waits until a file is there.
func awaitFile(ctx context.Context, name string) {
	for ctx.Err() == nil {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func flood(ctx context.Context, handle netlink.Handler, alert []byte, pause time.Duration) error {
	for ctx.Err() == nil {
		if err := handle([][]byte{alert}, false); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

func (l *fakeListener) Drain(netlink.Handler) error { return nil }
func (l *fakeListener) Lost() (uint64, error)       { return 0, nil }
func (l *fakeListener) Overruns() uint64            { return 0 }
func (l *fakeListener) Close() error                { return nil }

// dropAddress is where every drop of a fakeMonitor is.
const dropAddress = 0xffffffff87a84b72

func summaryAlert(count uint32) []byte {
	points := binary.NativeEndian.AppendUint32(nil, 1)
	points = binary.NativeEndian.AppendUint64(points, dropAddress)
	points = binary.NativeEndian.AppendUint32(points, count)
	return message(1, attr(netlink.AttrSummary, points))
}

func packetAlert() []byte {
	return message(5,
		attr(netlink.AttrPC, binary.NativeEndian.AppendUint64(nil, dropAddress)),
		attr(netlink.AttrSymbol, []byte("__udp4_lib_rcv+0x9a2/0xc30\x00")),
		attr(netlink.AttrTimestamp, binary.NativeEndian.AppendUint64(nil, 1e18)),
		attr(netlink.AttrProto, binary.NativeEndian.AppendUint16(nil, 0x800)),
		attr(netlink.AttrPayload, make([]byte, 60)),
		attr(netlink.AttrOrigLen, binary.NativeEndian.AppendUint32(nil, 64)),
	)
}

// message makes a generic netlink message of the family.
func message(command byte, attrs ...[]byte) []byte {
	msg := make([]byte, 16, 256)
	binary.NativeEndian.PutUint16(msg[4:], 30)
	msg = append(msg, command, 2, 0, 0)
	for _, a := range attrs {
		msg = append(msg, a...)
	}
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	return msg
}

func attr(typ netlink.Attr, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, uint16(typ))
	b = append(b, data...)
	for len(b)%4 > 0 {
		b = append(b, 0)
	}
	return b
}

// A fakeTrace is a trace of a host on which nothing is dropped, with BPF or
// without.
type fakeTrace struct{}

// openFakeBPF fails unless the variable BPF is set. Where it is "drops" a host drops datagrams.
func openFakeBPF(bpf.Options) (capture.Tracer, error) {
	switch os.Getenv("BPF") {
	case "":
		return nil, bpfprog.ErrNoBTF
	case "drops":
		return fakeDrops{}, nil
	}
	return fakeTrace{}, nil
}

// A fakeDrops is a trace of a host that drops a datagram each millisecond.
type fakeDrops struct{ fakeTrace }

func (fakeDrops) Run(ctx context.Context, out pipeline.Output) error {
	for ctx.Err() == nil {
		out.Emit(&event.Event{
			Kind: event.Drop, Time: time.Now(), Count: 1, Individual: true, Reason: "SOCKET_RCVBUFF", Netns: event.Netns{Inode: 7},
			Packet: event.Packet{HasProto: true, Proto: event.EtherIPv4, Flow: &event.Flow{Headers: event.Headers{
				Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
				Network: event.IPv4, Transport: event.UDP, SrcPort: 40000, DstPort: 53,
				Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
			}}},
		})
		out.Flush()
		time.Sleep(time.Millisecond)
	}
	return nil
}

// openFakeFlows fails unless the variable BPF is set.
func openFakeFlows(follow.Options) (capture.FlowCounter, error) {
	if os.Getenv("BPF") == "" {
		return nil, bpfprog.ErrNoBTF
	}
	return fakeFlows{}, nil
}

// A fakeFlows counts that eth0 received a million packets, and half of them were delivered.
type fakeFlows struct{}

func (fakeFlows) Start() error { return nil }

func (fakeFlows) Covers(time.Time) bool { return true }

func (fakeFlows) Read() (flows.Reading, error) {
	eth0 := flows.Interface{Netns: 7, IfIndex: 2}
	return flows.Reading{Counts: []flows.Count{
		{Interface: eth0, What: flows.Received, IfName: "eth0", Packets: 1e6}, {Interface: eth0, What: flows.Delivered, Packets: 5e5},
	}}, nil
}

func (fakeFlows) Blind() string { return "" }

func (fakeFlows) Stop() error { return nil }

func (fakeFlows) Close() error { return nil }

// openFakeRetrans fails unless the variable BPF is set.
func openFakeRetrans(retrans.Options) (capture.Tracer, error) { return openFakeBPF(bpf.Options{}) }

// openFakeTrace fails if the variable NO_TRACE says why.
func openFakeTrace(trace.Options) (capture.Tracer, error) {
	if why := os.Getenv("NO_TRACE"); why != "" {
		return nil, errors.New(why)
	}
	return fakeTrace{}, nil
}

// openFakeProbe fails as on a kernel without kprobe events.
func openFakeProbe(probe.Options) (capture.Tracer, error) { return nil, perf.ErrNoProbes }

func (fakeTrace) Run(ctx context.Context, _ pipeline.Output) error {
	<-ctx.Done()
	return nil
}

func (fakeTrace) Close() error { return nil }

func (fakeTrace) Began() (from, until time.Time) { return from, until }

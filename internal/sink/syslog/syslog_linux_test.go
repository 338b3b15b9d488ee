package syslog

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

var at = time.Date(2026, 11, 27, 12, 0, 0, 123456789, time.FixedZone("", 3600))

// drop is a drop of which much is known, some of it chosen by others.
func drop() *event.Event {
	e := &event.Event{Kind: event.Drop, Time: at, Count: 1, Reason: "NO_SOCKET", Port: event.Port{IfName: `e"th]0\`}}
	e.Packet.Flow = &event.Flow{Headers: event.Headers{
		Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Network: event.IPv4, Transport: event.UDP, SrcPort: 53, DstPort: 1024,
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.2"),
	}}
	e.Owner.Process = event.Process{PID: 812, Comm: "ng\x1b\nx"}
	return e
}

// A rig is a Sink of a test, and what it notified.
type rig struct {
	*Sink
	t       *testing.T
	notices []string
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	r := &rig{t: t}
	text := func(e *event.Event) []byte {
		if e.Kind == event.Rejected || e.Kind == event.End {
			return nil
		}
		return []byte("a " + e.Kind.String() + "\x1b[31m")
	}
	r.Sink = New(o, "rout er", text, func(text string) { r.notices = append(r.notices, text) })
	t.Cleanup(func() { r.Close() })
	return r
}

func (r *rig) write(events ...*event.Event) {
	r.t.Helper()
	for _, e := range events {
		if err := r.Write(e); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

const (
	head  = `1 2026-11-27T11:00:00.123456Z rout_er dropwatch - `
	facts = `[dropwatch@32473 kind="drop" host="rout er" count="1" reason="NO_SOCKET" network="ipv4" transport="udp" ` +
		`src="192.0.2.1" dst="198.51.100.2" src_port="53" dst_port="1024" ifname="e\"th\]0\\" pid="812" comm="ng\\x1b\\x0ax"]`
	sums = `[dropwatch@32473 kind="end" host="rout er" shown="1" harmless="0" filtered="3" lost="0" total="4"]`
	gone = `[dropwatch@32473 kind="loss" host="rout er" count="2" place="sink"]`
	sent = `<29>` + head + `drop ` + facts + ` a drop\x1b[31m`
	end  = `<30>` + head + `end ` + sums + ` run ended: 1 shown, 0 lost`
)

// TestFinding: what began is a warning, and has the alert and the cause.
func TestFinding(t *testing.T) {
	e := &event.Event{Kind: event.Finding, Time: at, Count: 1, Reason: "NO_SOCKET", Incident: &event.Incident{
		Alert: `d"ns`, Events: 120, Noun: "drop", Threshold: 100, Window: 10 * time.Second, ID: "NO_SOCKET", Cause: "No socket.",
	}}
	e.Owner.Unit = "a.service"
	m := &message{3, "h"}
	for over, want := range map[bool]string{
		false: `<28>` + `1 2026-11-27T11:00:00.123456Z h dropwatch - finding [dropwatch@32473 kind="finding" host="h" alert="d\"ns" ` +
			`state="begin" count="120" of="drop" threshold="100" window_ms="10000" id="NO_SOCKET" cause="No socket." ` +
			`reason="NO_SOCKET" unit="a.service"] text`,
		true: `<29>`,
	} {
		e.Incident.Over = over
		if got := string(m.remote(e, "text")); !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestDiagnosis: a finding of diagnose has no alert, and its severity decides how much it matters.
func TestDiagnosis(t *testing.T) {
	e := &event.Event{Kind: event.Finding, Time: at, Count: 1, Reason: "NO_SOCKET", Incident: &event.Incident{
		Over: true, Events: 5, Noun: "drop", ID: "NO_SOCKET", Fix: "Start it.",
		Detail: &event.Detail{Layer: "transport", Module: "socket", Class: "local", Check: []string{"ss -lnup", "nstat"}},
	}}
	m := &message{3, "h"}
	for severity, priority := range map[string]string{"harm": "<28>", "maybe": "<29>", "noise": "<29>"} {
		e.Incident.Severity = severity
		want := priority + `1 2026-11-27T11:00:00.123456Z h dropwatch - finding [dropwatch@32473 kind="finding" host="h" count="5" ` +
			`of="drop" id="NO_SOCKET" severity="` + severity + `" fix="Start it." layer="transport" module="socket" class="local" ` +
			`check="ss -lnup; nstat" reason="NO_SOCKET"] text`
		if got := string(m.remote(e, "text")); !strings.HasPrefix(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// here returns what messages on this host begin with.
func here(priority int) string {
	return fmt.Sprintf("<%d>%s dropwatch[%d]: ", priority, at.Local().Format("Jan _2 15:04:05"), os.Getpid())
}

// TestSyslog: by datagrams of UDP and, as syslog(3) writes them, of a socket.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	local, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	remote, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	for _, tt := range []struct {
		target string
		conn   net.PacketConn
		want   []string
	}{
		{"udp://" + remote.LocalAddr().String(), remote, []string{sent, end}},
		{path, local, []string{here(29) + `a drop\x1b[31m ` + facts, here(30) + `run ended: 1 shown, 0 lost ` + sums}},
	} {
		target, conn := tt.target, tt.conn
		o, err := Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, o)
		ledger := &event.Ledger{Shown: 1, Rejected: 3}
		r.write(drop(), &event.Event{Kind: event.Rejected, Count: 3}, &event.Event{Kind: event.End, Time: at, Ledger: ledger})
		for _, want := range tt.want {
			if got := receive(t, conn); got != want {
				t.Errorf("%s: got  %s\nwant %s", target, got, want)
			}
		}
		if lost := r.Lost(); lost != (event.Ledger{}) || len(r.notices) > 0 {
			t.Errorf("%s: lost %+v, notices %q", target, lost, r.notices)
		}
	}
}

// receive returns a datagram.
func receive(t *testing.T, conn net.PacketConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, _, err := conn.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestStream: messages of a stream have their length before them.
func TestStream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o, err := Parse("tcp://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, o)
	r.write(drop(), &event.Event{Kind: event.Loss, Time: at, Place: event.InSink, Count: 2})
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream := bufio.NewReader(conn)
	for _, want := range []string{sent, `<28>` + head + `loss ` + gone + ` a loss\x1b[31m`} {
		if got := unframe(t, stream); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// unframe reads a message of a stream.
func unframe(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	length, err := r.ReadString(' ')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestUnreachable: what cannot be sent is counted, said once, and told in the log when it can be reached.
func TestUnreachable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	o, err := Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, o)
	r.write(drop(), drop())
	if lost := r.Lost(); lost.Shown != 2 {
		t.Errorf("lost %+v", lost)
	}
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.again = time.Time{} // as if a second had passed
	r.write(drop())
	for _, want := range []string{here(28) + `a loss\x1b[31m ` + gone, here(29) + `a drop\x1b[31m ` + facts} {
		if got := receive(t, conn); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	want := []string{
		"write to syslog at " + path + ": connect: no such file or directory: drops are counted as lost until it can be reached",
		"writing to syslog at " + path + " again: 2 drops lost",
	}
	if lost := r.Lost(); lost.Shown != 2 || !slices.Equal(r.notices, want) {
		t.Errorf("lost %+v, notices %q, want %q", lost, r.notices, want)
	}
}

// TestStreamBreaks: what a stream could not send is lost, and a new one is made.
func TestStreamBreaks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o, err := Parse("tcp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, o)
	r.write(drop())
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	for end := time.Now().Add(20 * time.Second); r.Lost().Shown == 0; { // the first ones are sent before the reset comes
		if time.Now().After(end) {
			t.Fatal("nothing was lost")
		}
		r.write(drop())
	}
	lost := r.Lost().Shown
	r.again = time.Time{}
	r.write(drop())
	second, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	stream := bufio.NewReader(second)
	if got := unframe(t, stream); !strings.Contains(got, fmt.Sprintf(`kind="loss" host="rout er" count="%d"`, lost)) {
		t.Errorf("got %s", got)
	}
	if got := unframe(t, stream); got != sent {
		t.Errorf("got %s", got)
	}
}

// TestJournal: an entry has the fields of its event, and comes as a sealed file if it is too large for a datagram.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := newRig(t, Options{Journal: true, Network: "unixgram", Address: path})
	large := drop()
	large.Owner.Container.Name = strings.Repeat("x", 1<<20)
	r.write(drop(), large)
	want := map[string]string{
		"MESSAGE": `a drop\x1b[31m`, "PRIORITY": "5", "SYSLOG_IDENTIFIER": "dropwatch", "DROPWATCH_TIME": "2026-11-27T11:00:00.123456Z",
		"DROPWATCH_KIND": "drop",
		"DROPWATCH_HOST": "rout er", "DROPWATCH_COUNT": "1", "DROPWATCH_REASON": "NO_SOCKET", "DROPWATCH_NETWORK": "ipv4",
		"DROPWATCH_TRANSPORT": "udp", "DROPWATCH_SRC": "192.0.2.1", "DROPWATCH_DST": "198.51.100.2", "DROPWATCH_SRC_PORT": "53",
		"DROPWATCH_DST_PORT": "1024", "DROPWATCH_IFNAME": `e"th]0\`, "DROPWATCH_PID": "812", "DROPWATCH_COMM": "ng\x1b\nx",
	}
	for _, more := range []string{"", large.Owner.Container.Name} {
		if more != "" {
			want["DROPWATCH_CONTAINER_NAME"] = more
		}
		got := parseJournal(t, receiveJournal(t, conn))
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s is %.100q, want %.100q", name, got[name], value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d fields, want %d", len(got), len(want))
		}
	}
	if lost := r.Lost(); lost != (event.Ledger{}) || len(r.notices) > 0 {
		t.Errorf("lost %+v, notices %q", lost, r.notices)
	}
}

// receiveJournal returns an entry as journald reads it: from the datagram, or from the file that it passes, which must be sealed.
func receiveJournal(t *testing.T, conn *net.UnixConn) []byte {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 1<<20), make([]byte, 1024)
	n, m, _, _, err := conn.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatal(err)
	}
	if m == 0 {
		return b[:n]
	}
	messages, err := unix.ParseSocketControlMessage(oob[:m])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%v, error %v", messages, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 || n != 0 {
		t.Fatalf("%v, %d bytes, error %v", fds, n, err)
	}
	f := os.NewFile(uintptr(fds[0]), "entry")
	defer f.Close()
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || seals != unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE {
		t.Errorf("seals %#x, error %v", seals, err)
	}
	entry, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// parseJournal reads the native protocol.
func parseJournal(t *testing.T, entry []byte) map[string]string {
	t.Helper()
	fields := make(map[string]string)
	for len(entry) > 0 {
		i := slices.IndexFunc(entry, func(c byte) bool { return c == '=' || c == '\n' })
		if i < 0 {
			t.Fatalf("no field: %q", entry)
		}
		name := string(entry[:i])
		if entry[i] == '=' {
			value, rest, _ := strings.Cut(string(entry[i+1:]), "\n")
			fields[name], entry = value, []byte(rest)
			continue
		}
		n := binary.LittleEndian.Uint64(entry[i+1:])
		value := entry[i+9:]
		if n >= uint64(len(value)) || value[n] != '\n' {
			t.Fatalf("field %s of %d bytes: %.100q", name, n, value)
		}
		fields[name], entry = string(value[:n]), value[n+1:]
	}
	return fields
}

func TestParse(t *testing.T) {
	for target, want := range map[string]string{
		"/dev/log": "unixgram /dev/log", "udp://h": "udp h:514", "tcp://h": "tcp h:601", "udp://[::1]:5": "udp [::1]:5",
	} {
		if o, err := Parse(target); err != nil || o.Network+" "+o.Address != want || o.Facility != DefaultFacility {
			t.Errorf("%s: %+v, error %v", target, o, err)
		}
	}
	for _, target := range []string{"", "h", "h:514", "http://h", "udp://", "udp://u@h", "udp://h/x", "tls://h", "udp://h?x"} {
		if o, err := Parse(target); err == nil {
			t.Errorf("%q was taken: %+v", target, o)
		}
	}
	if n, err := ParseFacility("local7"); n != 23 || err != nil {
		t.Errorf("%d, error %v", n, err)
	}
	if _, err := ParseFacility("mail"); err == nil || !strings.HasPrefix(err.Error(), "give kern, user, daemon, local0,") {
		t.Errorf("error %v", err)
	}
}

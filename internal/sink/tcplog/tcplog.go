// Package tcplog writes TCP retransmissions as two older programs do, for what reads their files and
// indices: tcptracer, which watches a host, and pcapgazer, which reads capture files. Other events it leaves out.
package tcplog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// A Style is the program whose format it is.
type Style uint8

// The programs.
const (
	None Style = iota
	Tcptracer
	Pcapgazer
)

// Set sets the style from the value of an option.
func (s *Style) Set(text string) error {
	switch text {
	case "tcptracer":
		*s = Tcptracer
	case "pcapgazer":
		*s = Pcapgazer
	default:
		return errors.New("give tcptracer or pcapgazer")
	}
	return nil
}

// Index is what the names of the program's daily indices begin with.
func (s Style) Index() string {
	if s == Tcptracer {
		return "tcptracer"
	}
	return "pcap"
}

// Fields returns the fields of documents that are no names, with their types in an index.
func (s Style) Fields() map[string]string {
	if s == Tcptracer {
		return map[string]string{
			"@timestamp": "date", "local_ip": "ip", "peer_ip": "ip", "local_port": "integer", "peer_port": "integer",
		}
	}
	return map[string]string{
		"@timestamp": "date", "src_ip": "ip", "dest_ip": "ip", "src_port": "integer", "dest_port": "integer",
	}
}

// A Sink writes a line for each retransmission.
type Sink struct {
	buf   records.Buffer
	style Style // of which program the lines are
}

// New returns a Sink that writes to w in a style.
func New(w io.Writer, s Style) *Sink { return &Sink{buf: records.NewText(w), style: s} }

// Write formats a retransmission.
func (s *Sink) Write(e *event.Event) error {
	r, ok := read(e)
	if !ok {
		return nil
	}
	line := r.at.Local().Format(time.DateTime)
	if s.style == Tcptracer {
		line += fmt.Sprintf(" %v %s %v %s %s\n", r.local, r.function, r.peer, word(r.task), r.state)
	} else {
		line += fmt.Sprintf(" retransmit %v %v\n", r.source, r.destination)
	}
	s.buf.Bytes = append(s.buf.Bytes, line...)
	return s.buf.EndRecord()
}

// Flush writes all lines that are buffered.
func (s *Sink) Flush() error { return s.buf.Flush() }

// Object returns the document of a retransmission on a host, and nothing for other events. Its time is in
// milliseconds; a capture file is read by the second.
func (s Style) Object(e *event.Event, host string) []byte {
	r, ok := read(e)
	if !ok {
		return nil
	}
	host, _, _ = strings.Cut(event.Escape(host), ".")
	var document any = pcapgazer{
		r.at.Unix() * 1000, r.source.Addr(), r.source.Port(), r.destination.Addr(), r.destination.Port(), host,
	}
	if s == Tcptracer {
		document = tcptracer{
			r.at.UnixMilli(), r.local.Addr(), r.local.Port(), r.peer.Addr(), r.peer.Port(), r.function, event.Escape(r.task), r.state, host,
		}
	}
	object, err := json.Marshal(document)
	if err != nil { // numbers, addresses and texts have none
		return nil
	}
	return object
}

// A tcptracer is a document of tcptracer.
type tcptracer struct {
	Timestamp int64      `json:"@timestamp"`
	LocalIP   netip.Addr `json:"local_ip"`
	LocalPort uint16     `json:"local_port"`
	PeerIP    netip.Addr `json:"peer_ip"`
	PeerPort  uint16     `json:"peer_port"`
	Syscall   string     `json:"syscall"`
	Task      string     `json:"task"`
	State     string     `json:"state"`
	Hostname  string     `json:"hostname"`
}

// A pcapgazer is a document of pcapgazer.
type pcapgazer struct {
	Timestamp int64      `json:"@timestamp"`
	SrcIP     netip.Addr `json:"src_ip"`
	SrcPort   uint16     `json:"src_port"`
	DestIP    netip.Addr `json:"dest_ip"`
	DestPort  uint16     `json:"dest_port"`
	Hostname  string     `json:"hostname"`
}

// A retransmission is what both programs know of one.
type retransmission struct {
	at                  time.Time
	source, destination netip.AddrPort
	local, peer         netip.AddrPort // the two ends, whoever sent
	function            string         // of the kernel, that tcptracer has a probe on
	task, state         string
}

// read reads a retransmission. It is not ok if the event is none, or has no addresses.
func read(e *event.Event) (r retransmission, ok bool) {
	if e.Kind != event.Retransmit || e.Packet.Flow == nil {
		return r, false
	}
	h := &e.Packet.Flow.Headers
	if !h.Has(event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort) {
		return r, false
	}
	r.at = e.Time
	r.source, r.destination = netip.AddrPortFrom(h.Src.WithZone(""), h.SrcPort), netip.AddrPortFrom(h.Dst.WithZone(""), h.DstPort)
	r.local, r.peer, r.function, r.task, r.state = r.source, r.destination, "tcp_retransmit_skb", e.Owner.Process.Comm, "CLOSED"
	if r.task == "" {
		r.task = e.Task.Comm
	}
	if s := e.Segment; s != nil {
		if s.Direction == event.Incoming {
			r.local, r.peer = r.peer, r.local
		}
		if s.Type == event.TailLossProbe {
			r.function = "tcp_send_loss_probe"
		}
		r.state = stateName(s.State)
	}
	return r, true
}

// states are the names of socket states that tcptracer has, by number.
var states = [...]string{
	"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN",
	"CLOSING", "SYN_RECV",
}

// stateName returns the name of a state; CLOSED if it is not known, as of a socket that tcptracer does not find.
func stateName(s event.SocketState) string {
	if s == 0 || int(s) >= len(states) {
		return "CLOSED"
	}
	return states[s]
}

// word makes a name one word of a line; - for none.
func word(name string) string {
	if name == "" {
		return "-"
	}
	return strings.ReplaceAll(event.Escape(name), " ", `\x20`)
}

// Package syslog writes events to the log of this host or of another one: to the journal of systemd in its native
// protocol, or as messages of syslog (RFC 5424, or syslog(3) on this host). What is known of an event is in structured
// fields.
package syslog

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// Options say where the log is.
type Options struct {
	Journal  bool   // the journal, and not syslog
	Network  string // unixgram, udp or tcp
	Address  string // path of a socket, or host and port
	Facility int    // of syslog
}

// DefaultSocket is the one on which a syslog daemon listens.
const DefaultSocket = "/dev/log"

// Parse returns the Options for a target of syslog: the path of a socket, or as in udp://host:514 and
// tcp://host:601, of which the ports may be left out.
func Parse(target string) (Options, error) {
	o := Options{Network: "unixgram", Address: target, Facility: DefaultFacility}
	if strings.HasPrefix(target, "/") {
		return o, nil
	}
	u, err := url.Parse(target)
	port, known := map[string]string{"udp": "514", "tcp": "601"}[schemeOf(u)]
	if err != nil || !known || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Options{}, errors.New("give the path of a socket, or a server as in udp://logs.example.org or tcp://logs.example.org:601")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	o.Network, o.Address = u.Scheme, net.JoinHostPort(u.Hostname(), port)
	return o, nil
}

// schemeOf returns the scheme of a URL; empty for nil, as of a text that is none.
func schemeOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Scheme
}

// A Sink sends a message for each event. While the log cannot be reached it goes on: what is lost is counted,
// and told in the log when it can be reached again. Syslog does not confirm what arrived: messages
// that were sent and that the server did not get are counted nowhere.
type Sink struct {
	o      Options
	format func(*event.Event) []byte // the message with its framing; valid until the next call, empty for an event without one
	notify func(string)              // tells a person what fails

	conn   net.Conn     // nil: there is no connection now
	again  time.Time    // when the next connection is tried
	buffer []byte       // of a stream
	at     time.Time    // of the last event
	untold event.Ledger // what was lost and the log does not know of
	failed bool         // the last message was not sent
	said   bool         // that was said
	saidAt time.Time    // when it was said last

	mu            sync.Mutex
	pending, lost event.Ledger // drops that are not sent yet, and those that never will be
}

// New returns a Sink, which the caller closes. Text returns the line of an event, empty if it has none; what it
// returns is valid until the next call. Host is the name of that of the events; empty: not known. Notify is told once of
// what fails. It does not wait for the log.
func New(o Options, host string, text func(*event.Event) []byte, notify func(string)) *Sink {
	s := &Sink{o: o, notify: notify}
	m := &message{o.Facility, host}
	s.format = func(e *event.Event) []byte {
		line := string(text(e))
		if e.Kind == event.End {
			line = fmt.Sprintf("run ended: %d shown, %d lost", e.Ledger.Shown, e.Ledger.TotalLost())
		}
		if line == "" {
			return nil
		}
		switch {
		case o.Journal:
			return journalEntry(e, host, line)
		case o.Network == "unixgram":
			return m.local(e, line)
		}
		return m.remote(e, line)
	}
	return s
}

// Write sends the message of an event, or adds it to those that Flush sends.
func (s *Sink) Write(e *event.Event) error {
	s.at = e.Time
	if e.Kind == event.End {
		last, ledger := *e, *e.Ledger
		lost := s.Lost()
		ledger.Lose(&lost)
		last.Ledger, e = &ledger, &last
	}
	message := s.format(e)
	if message == nil {
		return nil
	}
	s.tell()
	s.deliver(e, message)
	return nil
}

// deliver sends the message of an event, which is pending until it is sent or lost.
func (s *Sink) deliver(e *event.Event, message []byte) {
	s.mu.Lock()
	s.pending.Add(e)
	s.mu.Unlock()
	s.send(message)
}

// send sends a message, or keeps it for Flush if there is a stream. It counts what was sent, or lost.
func (s *Sink) send(message []byte) {
	err := s.connect()
	switch {
	case err != nil:
	case s.o.Network == "tcp":
		s.buffer = append(s.buffer, octets(message)...)
		if len(s.buffer) < enough {
			return
		}
		err = s.flush()
	case s.o.Journal:
		err = s.sendJournal(message)
	default:
		err = s.write(message)
	}
	s.settle(err)
}

// enough is how many bytes are collected for a stream.
const enough = 32 << 10

// Flush sends what was collected.
func (s *Sink) Flush() error {
	if len(s.buffer) > 0 {
		s.settle(s.flush())
	}
	return nil
}

// flush sends what was collected for a stream, which is sent or lost as a whole.
func (s *Sink) flush() error {
	err := s.write(s.buffer)
	s.buffer = s.buffer[:0]
	return err
}

// maxWait is how long a connection or a message may take.
const maxWait = 2 * time.Second

// connect connects unless there is a connection. After a failure it waits for a while before it tries again.
func (s *Sink) connect() error {
	if s.conn != nil {
		return nil
	}
	if time.Now().Before(s.again) {
		return errWaiting
	}
	conn, err := net.DialTimeout(s.o.Network, s.o.Address, maxWait)
	if err != nil {
		return err
	}
	s.conn = conn
	return nil
}

// errWaiting: the log could not be reached a moment ago.
var errWaiting = errors.New("waiting")

// sendJournal sends an entry to journald, which gets one that is too long for a datagram as a file.
func (s *Sink) sendJournal(message []byte) error {
	conn, ok := s.conn.(*net.UnixConn)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := conn.SetWriteDeadline(time.Now().Add(maxWait)); err != nil {
		return err
	}
	return sendJournal(conn, message)
}

// write writes to the connection for no longer than maxWait.
func (s *Sink) write(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(maxWait)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// settle counts what is pending as sent or, after an error, as lost, and says so once.
func (s *Sink) settle(err error) {
	s.mu.Lock()
	if err != nil {
		s.lost.AddDrops(&s.pending)
		s.untold.AddUnwritten(&s.pending)
	}
	s.pending = event.Ledger{}
	s.mu.Unlock()
	if err == nil {
		s.failed = false
		return
	}
	if s.conn != nil {
		s.conn.Close()
		s.conn, s.buffer = nil, s.buffer[:0]
	}
	if !errors.Is(err, errWaiting) {
		s.again = time.Now().Add(maxWait / 2)
	}
	if !s.failed && time.Since(s.saidAt) >= quiet {
		s.said, s.saidAt = true, time.Now()
		s.notify(fmt.Sprintf("write to %s: %v: drops are counted as lost until it can be reached", s.name(), cause(err)))
	}
	s.failed = true
}

// quiet is the least time between two notices that the log cannot be reached: of a server that refuses datagrams
// only every second one is known to fail.
const quiet = time.Minute

// tell sends a Loss for each place where something was lost, if there is a connection.
func (s *Sink) tell() {
	if s.untold == (event.Ledger{}) || s.connect() != nil {
		return
	}
	untold := s.untold
	s.untold = event.Ledger{}
	for _, loss := range untold.Losses(s.at) {
		s.deliver(&loss, s.format(&loss))
	}
	if _ = s.Flush(); !s.failed && s.said { // which returns no error
		s.said = false
		s.notify(fmt.Sprintf("writing to %s again: %s lost", s.name(), untold.Unwritten()))
	}
}

// name is that of the log in messages.
func (s *Sink) name() string {
	if s.o.Journal {
		return "the journal at " + event.Escape(s.o.Address)
	}
	return "syslog at " + event.Escape(s.o.Address)
}

// cause returns why an operation failed, without the addresses.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Lost returns the drops that were not sent. It is for any goroutine.
func (s *Sink) Lost() event.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.lost
	lost.AddDrops(&s.pending)
	return lost
}

// Close closes the connection.
func (s *Sink) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

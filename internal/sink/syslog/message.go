package syslog

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// elementID names the structured data. The number is the one that RFC 5612 has for what has none of its own.
const elementID = "dropwatch@32473"

// facilities are the names of syslog(3) that make sense for a service, by number.
var facilities = []struct {
	name   string
	number int
}{
	{"kern", 0}, {"user", 1}, {"daemon", 3}, {"local0", 16}, {"local1", 17}, {"local2", 18}, {"local3", 19}, {"local4", 20},
	{"local5", 21}, {"local6", 22}, {"local7", 23},
}

// DefaultFacility is that of daemons.
const DefaultFacility = 3

// ParseFacility returns the number of a facility.
func ParseFacility(name string) (int, error) {
	var names []string
	for _, f := range facilities {
		if f.name == name {
			return f.number, nil
		}
		names = append(names, f.name)
	}
	return 0, fmt.Errorf("give %s", suggest.OneOf(names))
}

// A message formats events for syslog.
type message struct {
	facility int    // as in RFC 5424, 0 to 23
	host     string // name of this host; empty: -
}

// remote returns the message of an event with that text for a server, as RFC 5424 has it, without framing.
func (m *message) remote(e *event.Event, text string) []byte {
	return fmt.Appendf(nil, "<%d>1 %s %s dropwatch - %s %s %s", m.priority(e), timestamp(e.Time), headerName(m.host), e.Kind,
		m.element(e), event.Escape(text))
}

// local returns the message of an event with that text for a socket of this host. There rsyslog and the journal only
// know the format of syslog(3), which has the local time, no host, and no structured data: it is at the end of the text.
func (m *message) local(e *event.Event, text string) []byte {
	return fmt.Appendf(nil, "<%d>%s dropwatch[%d]: %s %s", m.priority(e), e.Time.Local().Format(time.Stamp), os.Getpid(),
		event.Escape(text), m.element(e))
}

// priority is PRI of RFC 5424, section 6.2.1: eight severities for each facility.
func (m *message) priority(e *event.Event) int { return m.facility*8 + int(severityOf(e)) }

// element returns the structured data of an event.
func (m *message) element(e *event.Event) string {
	var b strings.Builder
	b.WriteString("[" + elementID)
	for _, f := range fields(e, m.host) {
		fmt.Fprintf(&b, ` %s="%s"`, f.name, escapeValue.Replace(event.Escape(f.value)))
	}
	return b.String() + "]"
}

// timestamp formats a time with the most digits that are allowed.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// headerName returns a name for the header, which has printable ASCII without spaces; - for none.
func headerName(name string) string {
	const most = 255
	safe := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
	if safe == "" {
		return "-"
	}
	return safe[:min(len(safe), most)]
}

// escapeValue escapes the value of a parameter (section 6.3.3).
var escapeValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// octets frames a message for a stream (RFC 6587, section 3.4.1).
func octets(message []byte) []byte {
	return slices.Concat([]byte(strconv.Itoa(len(message))), []byte(" "), message)
}

package syslog

import (
	"fmt"
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

// A message formats events as RFC 5424 has it.
type message struct {
	facility int
	host     string
}

// format returns the message of an event with that text, without framing.
func (m *message) format(e *event.Event, text string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s dropwatch %s %s [%s", m.facility*8+int(severityOf(e)), timestamp(e.Time), headerName(m.host),
		"-", e.Kind, elementID)
	for _, f := range fields(e) {
		fmt.Fprintf(&b, ` %s="%s"`, f.name, escapeValue.Replace(event.Escape(f.value)))
	}
	b.WriteString("] " + event.Escape(text))
	return []byte(b.String())
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

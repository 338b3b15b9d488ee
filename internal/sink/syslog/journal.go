package syslog

import (
	"encoding/binary"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// DefaultJournal is the socket of systemd-journald (systemd-journald.service(8)).
const DefaultJournal = "/run/systemd/journal/socket"

// journalEntry returns an entry in the native protocol of the journal
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), with the facts as fields DROPWATCH_*.
func journalEntry(e *event.Event, host, text string) []byte {
	b := appendJournal(nil, "MESSAGE", event.Escape(text))
	b = appendJournal(b, "PRIORITY", strconv.Itoa(int(severityOf(e))))
	b = appendJournal(b, "SYSLOG_IDENTIFIER", "dropwatch")
	b = appendJournal(b, "DROPWATCH_TIME", timestamp(e.Time))
	for _, f := range fields(e, host) {
		b = appendJournal(b, "DROPWATCH_"+strings.ToUpper(f.name), f.value)
	}
	return b
}

// appendJournal appends a field. One whose value has a newline is preceded by its length.
func appendJournal(b []byte, name, value string) []byte {
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	return append(append(b, value...), '\n')
}

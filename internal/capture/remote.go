package capture

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/sink/line"
	"dropwatch/internal/sink/syslog"
	"dropwatch/internal/sink/tcplog"
)

// A formatter gives the text that a format writes of single events, for outputs that have it in a
// field.
type formatter struct {
	buf  bytes.Buffer
	sink pipeline.Sink // that writes to buf
}

// of returns the text of an event without its newline, which is valid until the next call; empty if the format
// has none for it.
func (f *formatter) of(e *event.Event) []byte {
	f.buf.Reset()
	_, _ = f.sink.Write(e), f.sink.Flush() // a buffer takes all
	return bytes.TrimSuffix(f.buf.Bytes(), []byte("\n"))
}

// newObjects returns a formatter of the JSON objects of an output.
func newObjects(o jsonl.Options) *formatter {
	f := new(formatter)
	f.sink = jsonl.New(&f.buf, o)
	return f
}

// newMessages returns a formatter of lines for a log.
func newMessages() *formatter {
	f := new(formatter)
	f.sink = line.New(&f.buf, line.Options{Bare: true, Harmless: true})
	return f
}

// openElastic begins to send documents to Elasticsearch or OpenSearch. Those of a recording are not lost because
// they come faster than they can be sent.
func (r *run) openElastic(o Output, _ outFile) (pipeline.Sink, error) {
	c := elastic.Config{
		Options: o.Elastic, Origin: r.origin(), Object: newObjects(r.jsonOptions(&o)).of, Text: newMessages().of,
		Notify: r.Notices.Text, Wait: r.source.now != nil, Abort: r.abortRemote,
	}
	if o.TCPLog != tcplog.None {
		reader := cmp.Or(c.Origin.Host, r.Host.Identity().Name) // of capture files these programs name the host that reads them
		c.Document = func(e *event.Event) []byte { return o.TCPLog.Object(e, reader) }
		c.Types = o.TCPLog.Fields()
		if c.Index == "" && c.Daily == "" {
			c.Daily = o.TCPLog.Index()
		}
	}
	s, err := elastic.New(c)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, s)
	return s, nil
}

// openSyslog begins to write to the log of a host.
func (r *run) openSyslog(o Output, _ outFile) (pipeline.Sink, error) {
	s := syslog.New(o.Syslog, r.identity().Name, newMessages().of, r.Notices.Text)
	r.closers = append(r.closers, s)
	return s, nil
}

// origin returns what documents say of the host that dropped the packets.
func (r *run) origin() elastic.Origin {
	h := r.identity()
	from := elastic.Origin{Host: h.Name, Kernel: h.Release, Version: r.Version}
	if r.source.recording != nil {
		from.Run = fmt.Sprintf("recorded %d %s", r.recorded().UnixNano(), r.spec.Filter)
		return from
	}
	from.Run = fmt.Sprintf("live %s %d", h.BootID, time.Now().UnixNano())
	return from
}

package session_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// Names that the tests have for numbers of the format, whatever they are in
// this version of event.
var (
	origins = map[event.Origin]string{event.Hardware: "hardware", event.Unknown: "unknown", event.Unstated: "unstated"}
	lookups = map[event.Lookup]string{event.NotTried: "not-tried", event.NotFound: "not-found", event.Found: "found"}
	links   = map[event.LinkType]string{event.LinkEthernet: "ethernet", event.LinkRaw: "raw"}
	losses  = map[event.Place]string{
		event.AtSocket: "socket", event.InQueue: "queue", event.Unread: "unread", event.Undecoded: "undecoded",
		event.InRing: "ring", event.FullSummary: "full-summary", event.LostSummary: "lost-summary",
		event.InSink: "sink", event.Overflow: "overflow", event.Unopened: "unopened", event.Uncovered: "uncovered",
	}
	sure = map[event.Confidence]string{event.Unsure: "unsure", event.Likely: "likely", event.Certain: "certain"}
)

// line returns all of an event that a session keeps.
func line(e *event.Event) string {
	var b strings.Builder
	say := func(there bool, format string, values ...any) {
		if there {
			fmt.Fprintf(&b, " "+format, values...)
		}
	}
	b.WriteString(e.Kind.String())
	say(e.Kind == event.Loss, "at=%s", losses[e.Place])
	say(!e.Time.IsZero(), "time=%s", e.Time.UTC().Format(time.RFC3339Nano))
	say(e.KernelTime, "kernel-time")
	say(true, "count=%d", e.Count)
	say(e.Individual, "individual")
	say(e.Aggregate, "aggregate")
	say(e.Undecided, "undecided")
	say(e.Segments != 0, "segments=%d", e.Segments)
	say(e.Harmless != "", "harmless=%q", e.Harmless)
	say(len(e.Args) > 0, "args=%v", e.Args)
	if e.Segment != nil {
		say(true, "segment=%+v", *e.Segment)
	}
	if f := e.Packet.Flow; f != nil {
		say(true, "flow=%v:%d>%v:%d", f.Src, f.SrcPort, f.Dst, f.DstPort)
		say(true, "seq=%d ack=%d flags=%v has=%x %v", f.Seq, f.Ack, f.TCPFlags, f.Fields, f.Network)
		say(e.Point != "", "transport=%v,%d", f.Transport, f.Protocol)
	}
	say(e.Point != "", "point=%q", e.Point)
	if r := e.Reached; r != nil {
		say(true, "reached=%q,%v", r.Point, r.Args)
	}
	say(e.Gap != 0, "gap=%v", e.Gap)
	say(e.TraceOnly, "trace-only")
	say(e.Fragment, "fragment")
	say(e.Origin != event.Software, "origin=%s", origins[e.Origin])
	say(e.Where.HasPC, "has-pc")
	say(e.Where.Frame != event.Frame{}, "where=%s", call(e.Where.Frame))
	say(e.Where.Kernel != "", "kernel=%q", e.Where.Kernel)
	say(e.Where.Trap != "", "trap=%q", e.Where.Trap)
	say(e.Where.TrapGroup != "", "group=%q", e.Where.TrapGroup)
	say(e.Reason != "", "reason=%q", e.Reason)
	say(e.Packet.HasProto, "proto=%#04x", e.Packet.Proto)
	say(e.Packet.HasData, "data=%s:%x", links[e.Packet.Link], e.Packet.Data)
	say(e.Packet.HasLen, "len=%d", e.Packet.Len)
	say(e.Port.IfIndex != 0, "index=%d", e.Port.IfIndex)
	say(e.Port.IfName != "", "interface=%q", e.Port.IfName)
	say(len(e.Cookie) > 0, "cookie=%x", e.Cookie)
	say(e.Task.Known, "cpu=%d pid=%d tid=%d", e.Task.CPU, e.Task.PID, e.Task.TID)
	say(e.Task.Comm != "", "comm=%q", e.Task.Comm)
	say(e.Netns != event.Netns{}, "netns=%d,%q", e.Netns.Inode, e.Netns.Name)
	o := &e.Owner
	if s := o.Socket; s != nil {
		say(true, "socket=%d,%d,%d,%d,%d,%v,%v,%s receiver=%t", s.Cookie, s.Inode, s.Family, s.Protocol, s.State, s.Local, s.Remote,
			sure[s.Confidence], s.Receiver)
	}
	say(o.Process != event.Process{}, "process=%d,%q,%s", o.Process.PID, o.Process.Comm, sure[o.Process.Confidence])
	say(o.Cgroup != event.Cgroup{}, "cgroup=%d,%q", o.Cgroup.ID, o.Cgroup.Path)
	say(o.Unit != "", "unit=%q", o.Unit)
	say(o.Container != event.Container{}, "container=%q,%q,%q", o.Container.ID, o.Container.Runtime, o.Container.Name)
	say(o.Pod != event.Pod{}, "pod=%q,%q,%q", o.Pod.UID, o.Pod.Namespace, o.Pod.Name)
	for _, f := range e.Stack {
		say(true, "call=%s", call(f))
	}
	return b.String()
}

func call(f event.Frame) string {
	return fmt.Sprintf("%#x,%s,%q+%#x,%q", f.PC, lookups[f.Lookup], f.Symbol, f.Offset, f.Module)
}

func lines(events []event.Event) []string {
	var ls []string
	for i := range events {
		ls = append(ls, line(&events[i]))
	}
	return ls
}

// begins says whether events are the first of those that lines stand for.
func begins(want []string, events []event.Event) bool {
	if len(events) > len(want) {
		return false
	}
	for i := range events {
		if line(&events[i]) != want[i] {
			return false
		}
	}
	return true
}

// check compares all events.
func check(t *testing.T, want, got []event.Event) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if w, g := line(&want[i]), line(&got[i]); w != g {
			t.Fatalf("event %d:\n%s, want\n%s", i, g, w)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

package pcap_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/source/pcap"
	"dropwatch/internal/vmtest"
)

// analysis are the fields of tshark that say what a segment is, and what dropwatch calls it. Of the types
// of retransmissions it marks one; the first that is set is the one.
var analysis = []struct{ field, name string }{
	{"tcp.analysis.keep_alive", "keep_alive"},
	{"tcp.analysis.spurious_retransmission", "spurious"},
	{"tcp.analysis.fast_retransmission", "fast"},
	{"tcp.analysis.out_of_order", "out_of_order"},
	{"tcp.analysis.retransmission", "retransmission"},
	{"tcp.analysis.zero_window_probe", "zero_window_probe"},
	{"tcp.analysis.zero_window", "zero_window"},
	{"tcp.analysis.window_full", "window_full"},
	{"tcp.analysis.lost_segment", "lost_segment"},
	{"tcp.analysis.reused_ports", "port_reuse"},
	{"tcp.analysis.duplicate_ack", "duplicate_ack"},
	{"tcp.flags.reset", "reset"},
}

// exclusive is how many of them, from the first, are mutually exclusive.
const exclusive = 5

// A judgement is what is said of a segment, by the number of its packet.
type judgement map[uint64][]string

// tsharkSays has tshark judge a file.
func tsharkSays(t *testing.T, file string) judgement {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-e", "frame.number"}
	for _, a := range analysis {
		args = append(args, "-e", a.field)
	}
	out, err := exec.CommandContext(t.Context(), tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(judgement)
	for line := range strings.Lines(string(out)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		frame, err := strconv.ParseUint(cells[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if said := named(cells[1:]); len(said) > 0 {
			all[frame] = said
		}
	}
	return all
}

func named(cells []string) (said []string) {
	for i, a := range analysis {
		set := cells[i] != "" && cells[i] != "0" && cells[i] != "False"
		if set && (i >= exclusive || len(said) == 0) {
			said = append(said, a.name)
		}
	}
	slices.Sort(said)
	return said
}

// weSay reads a file. What the flags of a retransmission tell, tshark does not.
func weSay(t *testing.T, file string) judgement {
	t.Helper()
	s := pcap.New(pcap.Options{MaxFlows: 1000, Files: []pcap.File{{
		Name: file, Open: func(context.Context) (io.ReadCloser, error) { return os.Open(file) },
	}}})
	all := make(judgement)
	out := output(func(e *event.Event) { all[e.Segment.Frame] = append(all[e.Segment.Frame], sayAs(e)) })
	if err := s.Run(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	for _, said := range all {
		slices.Sort(said)
	}
	return all
}

func sayAs(e *event.Event) string {
	switch e.Segment.Type {
	case event.SegmentUnknown:
		return e.Kind.String()
	case event.SYNRetransmit, event.SYNACKRetransmit, event.FINRetransmit:
		return event.Retransmission.String()
	}
	return e.Segment.Type.String()
}

// A difference is what tshark and we say of the same packet.
type difference struct{ theirs, ours string }

// explained are the differences that are meant, and why. All others are faults.
var explained = map[difference]string{
	{"out_of_order", "retransmission"}: "tshark goes by the time since the latest data, which come all the time while a connection " +
		"is busy. What was seen before was sent again, or repeated by the network; so was what has a later timestamp (RFC 7323) " +
		"or a higher IPv4 identification than data behind it, or was missing for most of a round-trip time.",
	{"out_of_order", "fast"}:         "The same, after duplicate acknowledgments.",
	{"keep_alive", "retransmission"}: "What is not acknowledged is sent again by its timer, and not to keep a connection alive.",
	{"keep_alive", "fast"}:           "The same, after duplicate acknowledgments.",
	{"retransmission", "out_of_order"}: "What was not seen before, and has an earlier timestamp or a lower identification than data " +
		"behind it, was sent before these, however late it came; and so was what has the identification of another packet: a copy.",
	{"fast", "out_of_order"}:       "The same, though duplicate acknowledgments came before it.",
	{"spurious", "out_of_order"}:   "The same, though it was acknowledged: what was sent again came first, or it is a copy.",
	{"keep_alive", "out_of_order"}: "A copy.",
	{"retransmission", "spurious"}: "tshark compares with the last acknowledgment number, we with the highest: an acknowledgment " +
		"that came late takes nothing back.",
	{"out_of_order", "spurious"}: "The same.",
	{"fast", "spurious"}:         "The same.",
}

// differences returns the packets on which two differ.
func differences(theirs, ours judgement) map[difference][]uint64 {
	all := make(map[difference][]uint64)
	frames := maps.Clone(theirs)
	maps.Copy(frames, ours)
	for _, frame := range slices.Sorted(maps.Keys(frames)) {
		d := difference{strings.Join(theirs[frame], "+"), strings.Join(ours[frame], "+")}
		if d.theirs != d.ours {
			all[d] = append(all[d], frame)
		}
	}
	return all
}

// compare fails for each difference that is not explained.
func compare(t *testing.T, theirs, ours judgement) {
	t.Helper()
	for d, frames := range differences(theirs, ours) {
		if explained[d] == "" {
			t.Errorf("tshark says %q, we %q of packets %v", d.theirs, d.ours, frames[:min(len(frames), 10)])
		}
	}
}

// TestLossyPathAgainstTshark compares what both say of TCP in a network that treats packets badly, and with
// what its ends have sent.
func TestLossyPathAgainstTshark(t *testing.T) {
	for end, p := range map[byte]*path{
		'a': {lose: 0.02, delay: 10 * time.Millisecond, size: 200 << 10},
		'b': {lose: 0.02, repeat: 0.01, reorder: 0.03, delay: 10 * time.Millisecond, size: 200 << 10},
	} {
		t.Run(fmt.Sprintf("recorded at %c", end), func(t *testing.T) {
			newPath(t, p).traffic(t)
			file, truth := p.save(t, end)
			theirs, ours, old := tsharkSays(t, file), weSay(t, file), pcapgazerSays(t, file)
			compare(t, theirs, ours)
			for name, said := range map[string]judgement{"dropwatch": ours, "tshark": theirs, "pcapgazer's rule": old} {
				own, others := scoresOf(truth, true, said)
				t.Logf("%s: of what the recording end sent: %v; of the others: %v", name, own, others)
			}
			own, others := scoresOf(truth, true, ours)
			own.check(t, 0.98)
			others.check(t, 0.9) // of a hundred
		})
	}
}

// pcapgazerSays applies the rule of pcapgazer 3.0: a segment was sent again if its sequence number is not
// above that of the last one with data or PSH, and above half of it.
func pcapgazerSays(t *testing.T, file string) judgement {
	t.Helper()
	const push = 0x08
	packets, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	last, all := make(map[string]uint32), make(judgement)
	const header, record = 24, 16
	packets = packets[header:]
	for frame := uint64(1); len(packets) > 0; frame++ {
		size := record + int(binary.LittleEndian.Uint32(packets[8:]))
		b := packets[record:size]
		packets = packets[size:]
		tcp := b[int(b[0]&0xf)*4:]
		direction, seq := string(b[12:20])+string(tcp[:4]), binary.BigEndian.Uint32(tcp[4:])
		if before := last[direction]; seq <= before && seq > before/2 {
			all[frame] = []string{"retransmission"}
		}
		if tcp[13]&push != 0 || len(tcp) > int(tcp[12]>>4)*4 {
			last[direction] = seq
		}
	}
	return all
}

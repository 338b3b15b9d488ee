package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// queueCounter is a counter of a queue of blue.
func queueCounter(name string) counters.Counter {
	c := of(counters.NFQueue, "", name, 5)
	c.Object = "queue 3"
	return c
}

// TestNFQueue: what a queue did not take has the rule that passes packets to it and who reads it, and by its counters what was
// full.
func TestNFQueue(t *testing.T) {
	legacy := of(counters.IPTables, "", "packets", 5)
	legacy.Object, legacy.Hook = "ip filter INPUT -p udp -j NFQUEUE --queue-balance 2:3", "INPUT"
	const nft = `[{"object":"ip t c handle 2","text":"queue to 3","queues":{"first":3,"last":3}}]`
	const read = `{"known":true,"queues":[{"number":3,"port_id":4711,"inode":812,"waiting":16}]}`
	for name, test := range map[string]struct {
		rows         []counters.Counter
		rules, state string
		want, not    string
	}{
		"nobody": {
			nil, nft, `{"known":true}`,
			"local, harm) why No program reads the NFQUEUE | rule likely nftables ip t c handle 2 (queue to 3) | " +
				"about queue 3 is read by no program",
			"more CPU",
		},
		"nobody reads one of two": {
			[]counters.Counter{legacy}, "[]", read,
			"rule likely iptables ip filter INPUT -p udp -j NFQUEUE --queue-balance 2:3 | why No program reads | " +
				"queue 2 is read by no program",
			"queue 3 is",
		},
		"full": {
			[]counters.Counter{queueCounter("queue_dropped")}, nft, read,
			"no_buffer, harm) why The NFQUEUE is full | about queue 3 is read by ids/812? (port ID 4711): 16 packets waiting", "bypass",
		},
		"its buffer": {
			[]counters.Counter{queueCounter("queue_user_dropped")}, nft, read,
			"why The buffer of the socket by which a program reads", "bypass",
		},
		"a reader that came since": {
			nil, nft, read, "why The packet could not be passed | queue 3 is read by ids/812", "No program reads the",
		},
		"not known": {nil, "", "", "why The packet could not be passed to its NFQUEUE", "is read by"},
	} {
		t.Run(name, func(t *testing.T) {
			drop := dropped(5, "lo", "ip_local_deliver")
			drop.Reason = event.NotSpecified
			drop.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.Found, Symbol: "nf_queue"}}
			p := &drop.Packet
			p.Proto, p.HasProto, p.Data, p.HasData = 0x0800, true, append(make([]byte, 12), 8, 0, 0x45, 0), true
			after := &counters.Snapshot{Counters: test.rows}
			diagnosis := func(h *diagnose.Host) *diagnose.Diagnosis {
				d := diagnose.New(collect(t, drop), counters.NewReport(new(counters.Snapshot), after), nil)
				d.Ask(h)
				return d
			}
			answers, asked := make(map[string]json.RawMessage), diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
			asked.Keep(func(question string, _ []byte) {
				if strings.HasPrefix(question, "queueing rules 7 INPUT ") && test.rules != "" {
					answers[question] = json.RawMessage(test.rules)
				}
			})
			diagnosis(asked)
			answers["owner of socket 812"] = json.RawMessage(owner("ids/812"))
			if test.state != "" {
				answers["queues 7"] = json.RawMessage(test.state)
			}
			text := strings.Join(strings.Fields(textOf(t, diagnosis(diagnose.RecordedHost(answers)))), " ")
			for want := range strings.SplitSeq(test.want, " | ") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if strings.Contains(text, test.not) {
				t.Errorf("%q is in\n%s", test.not, text)
			}
		})
	}
}

// TestNFQueueFiles: who reads a queue is found in the files of the kernel, by the port ID of a socket of netfilter.
func TestNFQueueFiles(t *testing.T) {
	const sockets = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n" +
		"0000000000000000 0   4711       00000000 0        0        0     2        0        11\n" +
		"0000000000000000 12  4711       00000000 0        0        0     2        0        812\n"
	const queues = "    3   4711    16 2 65531     7     9      120  1\n    x 1 2\n    4   12\n    5   9 0 2 65531 0 0 1  1\n"
	got := diagnose.ParseQueues(queues, sockets)
	want := `[{"number":3,"port_id":4711,"inode":812,"waiting":16},{"number":5,"port_id":9,"waiting":0}]`
	if text, err := json.Marshal(got); err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

package counters_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// tree is the files of a host.
func tree(files map[string]string) *host.Host {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return host.FS(fs)
}

// read takes a snapshot of some groups of the files, none of which may fail.
func read(t *testing.T, files map[string]string, groups ...counters.Group) map[string]counters.Counter {
	t.Helper()
	r := counters.Reader{Host: tree(files), Groups: groups}
	s, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Failures {
		t.Error(f.Error())
	}
	found := make(map[string]counters.Counter)
	for _, c := range s.Counters {
		found[strings.TrimLeft(c.IfName+" "+c.Object+" "+c.ID(), " ")] = c
	}
	return found
}

func TestProtocols(t *testing.T) {
	got := read(t, map[string]string{
		"proc/thread-self/net/snmp": "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 4711\n" +
			"IcmpMsg: InType3 OutType3\nIcmpMsg: 2 3\n" +
			"Tcp: MaxConn CurrEstab RetransSegs\nTcp: -1 6 18\n",
		"proc/thread-self/net/netstat": "TcpExt: SyncookiesSent ListenOverflows TCPNotYetInvented\nTcpExt: 0 3 5\n",
		"proc/thread-self/net/snmp6":   "Ip6InReceives                   \t12\nUdp6RcvbufErrors\t1\n",
	}, counters.Protocol)
	want := map[string]uint64{
		"IpInReceives": 4711, "IcmpMsgInType3": 2, "IcmpMsgOutType3": 3, "TcpRetransSegs": 18, "TcpExtSyncookiesSent": 0,
		"TcpExtListenOverflows": 3, "TcpExtTCPNotYetInvented": 5, "Ip6InReceives": 12, "Udp6RcvbufErrors": 1,
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for name, value := range want {
		if got[name].Value != value {
			t.Errorf("%s is %d, want %d", name, got[name].Value, value)
		}
	}
}

// TestProtocolsCutShort: a value that is not there is not another's.
func TestProtocolsCutShort(t *testing.T) {
	got := read(t, map[string]string{"proc/thread-self/net/netstat": "TcpExt: A B\nTcpExt: 1\nIpExt: C\n"}, counters.Protocol)
	if len(got) != 1 || got["TcpExtA"].Value != 1 {
		t.Errorf("got %v", got)
	}
}

// TestNonzero: what is 0 is left out, and is not new when it is not 0 any more.
func TestNonzero(t *testing.T) {
	var snapshots [2]*counters.Snapshot
	for i, values := range []string{"0 5 0", "3 5 0"} {
		h := tree(map[string]string{"proc/thread-self/net/netstat": "TcpExt: A B C\nTcpExt: " + values + "\n"})
		r := counters.Reader{Host: h, Groups: []counters.Group{counters.Protocol}, Nonzero: true}
		var err error
		if snapshots[i], err = r.Read(t.Context()); err != nil || len(snapshots[i].Counters) != 1+i {
			t.Fatalf("%+v, error %v", snapshots[i], err)
		}
	}
	rows := counters.Rises(snapshots[0], snapshots[1]).Rows
	if len(rows) != 1 || rows[0].Name != "TcpExtA" || rows[0].Delta != 3 || rows[0].New {
		t.Errorf("got %+v", rows)
	}
}

// TestNonzeroSnapshot: without the counters that were 0 the same changes are seen.
func TestNonzeroSnapshot(t *testing.T) {
	before := &counters.Snapshot{Counters: []counters.Counter{total("a", 0, 64), total("b", 5, 64), total("c", 7, 64)}}
	after := &counters.Snapshot{Counters: []counters.Counter{total("a", 3, 64), total("b", 6, 64), total("c", 7, 64)}}
	few := before.Nonzero()
	if len(few.Counters) != 2 || len(before.Counters) != 3 {
		t.Fatalf("%d of %d counters", len(few.Counters), len(before.Counters))
	}
	all, rows := counters.Rises(before, after).Rows, counters.Rises(few, after).Rows
	if len(all) != 2 || len(rows) != 2 || rows[0].Delta != all[0].Delta || rows[1].Delta != all[1].Delta {
		t.Errorf("got %+v, want %+v", rows, all)
	}
}

func TestSoftnet(t *testing.T) {
	got := read(t, map[string]string{
		"proc/sys/net/core/netdev_max_backlog": "1000\n",
		"proc/thread-self/net/softnet_stat": "0000a001 00000000 00000002 0 0 0 0 0 0 0 0 0 00000000 0 0\n" +
			"00000b00 00000010 00000000 0 0 0 0 0 00000000 00000000 00000000 000003e8 00000005 000003e8 00000000\n",
	}, counters.Softnet)
	if c := got["cpu 0 softnet.processed"]; c.Value != 0xa001 || c.Bits != 32 {
		t.Errorf("cpu 0: %+v", c)
	}
	if c := got["cpu 5 softnet.dropped"]; c.Value != 16 {
		t.Errorf("cpu 5, the second that is online, dropped: %+v", c)
	}
	if c := got["cpu 5 softnet.backlog_len"]; c.Value != 1000 || !c.Gauge || c.Limit != 1000 {
		t.Errorf("cpu 5, its backlog: %+v", c)
	}
}

func TestSoftnetOfOldKernels(t *testing.T) {
	got := read(t, map[string]string{"proc/thread-self/net/softnet_stat": "0000a001 00000003 00000002\n"}, counters.Softnet)
	if c := got["cpu 0 softnet.dropped"]; len(got) != 3 || c.Value != 3 {
		t.Errorf("got %v", got)
	}
}

func TestFailure(t *testing.T) {
	h := tree(map[string]string{"proc/thread-self/net/softnet_stat": "no number\n"})
	r := counters.Reader{Host: h, Groups: []counters.Group{counters.Softnet}}
	s, err := r.Read(t.Context())
	if err != nil || len(s.Failures) != 1 || len(s.Counters) != 0 {
		t.Fatalf("%d failures, %d counters, %v: want 1 failure", len(s.Failures), len(s.Counters), err)
	}
	const want = `cannot read the softnet counters: softnet_stat: strconv.ParseUint: parsing "no": invalid syntax`
	if got := s.Failures[0].Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStatTables(t *testing.T) {
	got := read(t, map[string]string{
		"proc/sys/net/ipv4/neigh/default/gc_thresh3": "1024\n",
		"proc/thread-self/net/stat/arp_cache": "entries  res_failed table_fulls\n" +
			"00000400 ffffffff 00000001\n00000400 00000003 00000002\n",
		"proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
		"proc/thread-self/net/stat/nf_conntrack": "entries  insert_failed drop\n" +
			"00000010 00000001 00000002\n00000010 00000001 00000000\n",
	}, counters.Neighbour, counters.Conntrack)
	if c := got["arp neighbour.entries"]; c.Value != 1024 || !c.Gauge || c.Limit != 1024 {
		t.Errorf("entries of ARP: %+v", c)
	}
	if c := got["arp neighbour.res_failed"]; c.Value != 2 || c.Bits != 32 {
		t.Errorf("a sum beyond 32 bits: %+v", c)
	}
	if c := got["arp neighbour.table_fulls"]; c.Value != 3 {
		t.Errorf("table_fulls: %+v", c)
	}
	if c := got["conntrack.insert_failed"]; c.Value != 2 {
		t.Errorf("insert_failed: %+v", c)
	}
	if c := got["conntrack.entries"]; c.Value != 16 || c.Limit != 262144 {
		t.Errorf("entries of conntrack: %+v", c)
	}
}

func TestFragmentsAndQueues(t *testing.T) {
	got := read(t, map[string]string{
		"proc/sys/net/ipv4/ipfrag_high_thresh":           "4194304\n",
		"proc/thread-self/net/sockstat":                  "sockets: used 17\nUDP: inuse 0 mem 0\nFRAG: inuse 3 memory 4096\n",
		"proc/thread-self/net/netfilter/nfnetlink_queue": "    3   4711    16 2 65531     7     9      120  1\n",
	}, counters.Fragment, counters.NFQueue)
	if c := got["ipv4 fragment.memory"]; c.Value != 4096 || c.Limit != 4194304 || !c.Gauge {
		t.Errorf("memory of fragments: %+v", c)
	}
	for name, want := range map[string]uint64{"queue_total": 16, "queue_dropped": 7, "queue_user_dropped": 9} {
		if c := got["queue 3 nfqueue."+name]; c.Value != want || c.Gauge != (name == "queue_total") {
			t.Errorf("%s: %+v, want %d", name, c, want)
		}
	}
}

// TestFailureOfPrivilege says what to do, and names a namespace only if it has a name.
func TestFailureOfPrivilege(t *testing.T) {
	err := fmt.Errorf("open queue: %w", fs.ErrPermission)
	for want, f := range map[string]counters.Failure{
		"cannot read the nfqueue counters: permission denied (try sudo)": {
			Netns: event.Netns{Inode: 7}, Group: counters.NFQueue, Err: err,
		},
		"cannot read the counters of network namespace blue: permission denied (try sudo)": {
			Netns: event.Netns{Inode: 7, Name: "blue"}, Err: err,
		},
	} {
		if got := f.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

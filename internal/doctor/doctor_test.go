package doctor_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/doctor"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/netlink"
)

var update = flag.Bool("update", false, "write testdata again")

// A subject is a host made of files, where a name without text is denied,
// and of what its kernel answers. The zero value lacks everything.
type subject struct {
	files   map[string]string
	monitor *fakeMonitor // nil: there is no NET_DM
	loads   bool         // asking for NET_DM loads its module
	bpf     error
	trace   error
}

const denied = "\x00"

// root is a file system that refuses to open what is denied.
type root struct{ fstest.MapFS }

func (r root) Open(name string) (fs.File, error) {
	if f := r.MapFS[name]; f != nil && string(f.Data) == denied {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return r.MapFS.Open(name)
}

// What the sources need.
var (
	needsBPF = host.Requirements{
		Options: []string{"BPF_SYSCALL"}, Capabilities: []host.Capability{host.CapBPF, host.CapPerfmon},
	}
	needsTrace = host.Requirements{
		Options: []string{"PERF_EVENTS", "EVENT_TRACING"}, Capabilities: []host.Capability{host.CapPerfmon},
		LockedBytes: 512 << 10, LockedPages: 3,
	}
)

func (p subject) examine() doctor.Report {
	tree := fstest.MapFS{}
	for name, text := range p.files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		if strings.Contains(name, "/ns/") || strings.Contains(name, "/fd/") {
			tree[name].Mode = fs.ModeSymlink
		}
	}
	return doctor.Examine(doctor.Subject{
		Host: host.FS(root{tree}),
		Monitor: func() (doctor.Monitor, error) {
			if p.loads {
				tree["proc/modules"] = &fstest.MapFile{Data: []byte("drop_monitor 20480 0 - Live 0x0\n")}
			}
			if p.monitor == nil {
				return nil, &netlink.Error{Op: "find the NET_DM family", Err: netlink.ErrNoFamily}
			}
			p.monitor.opened++
			return p.monitor, nil
		},
		BPF:   doctor.Source{Needs: needsBPF, Try: func() error { return p.bpf }},
		Trace: doctor.Source{Needs: needsTrace, Try: func() error { return p.trace }},
		Netdm: host.Requirements{Options: []string{"NET_DROP_MONITOR"}, Capabilities: []host.Capability{host.CapNetAdmin}},
		Retrans: func() (string, error) {
			switch {
			case p.bpf == nil:
				return "bpf", nil
			case p.trace == nil:
				return "trace", p.bpf
			}
			return "", p.trace
		},
	})
}

type fakeMonitor struct {
	on             bool
	run, join      error
	opened, closed int
}

func (f *fakeMonitor) Running() (bool, error) { return f.on, f.run }
func (f *fakeMonitor) Join() error            { return f.join }
func (f *fakeMonitor) Close() error           { f.closed++; return nil }
func (f *fakeMonitor) Group() uint32          { return 1 }

// listens gives the files of a process that receives the alerts, hidden ones if it
// is another user's.
func listens(pid int, comm string, hidden bool) map[string]string {
	files := map[string]string{"proc/net/netlink": "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n0 16 1 00000001 0 0 0 2 0 7\n"}
	if hidden {
		files["proc/net/netlink"] += "0 16 1 00000001 0 0 0 2 0 8\n"
	}
	files[fmt.Sprintf("proc/%d/comm", pid)] = comm + "\n"
	files[fmt.Sprintf("proc/%d/fd/3", pid)] = "socket:[7]"
	return files
}

// debian is what a process of root reads on Debian 12.
var debian = map[string]string{
	"etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
	"boot/config-6.1.0-28-amd64": "# Linux\nCONFIG_BPF_SYSCALL=y\nCONFIG_PERF_EVENTS=y\nCONFIG_EVENT_TRACING=y\n" +
		"CONFIG_NET_DROP_MONITOR=m\n# CONFIG_NET_NSH is not set\n",
	"lib/modules/6.1.0-28-amd64/modules.builtin": "kernel/net/core/sock_diag.ko\n",
	"lib/modules/6.1.0-28-amd64/modules.dep":     "kernel/kernel/configs_not.ko:\nkernel/net/core/drop_monitor.ko: kernel/net/x.ko\n",
	"proc/filesystems":                           "nodev\ttracefs\n\text4\n",
	"proc/net/netlink":                           "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n",
	"proc/kallsyms":                              "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n",
	"proc/modules":                               "tun 61440 0 - Live 0x0\n",
	"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max locked memory         8388608              8388608              bytes     \n",
	"proc/self/mountinfo": "22 1 0:5 / /proc rw - proc proc rw\n" +
		"30 22 0:9 / /sys/kernel/tracing rw - tracefs tracefs rw\n",
	"proc/self/ns/pid":  "pid:[4026531836]",
	"proc/self/ns/user": "user:[4026531837]",
	"proc/self/status": "Name:\tdropwatch\nUid:\t0\t0\t0\t0\n" +
		"CapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n",
	"sys/devices/system/cpu/online":                  "0-1\n",
	"proc/sys/kernel/kptr_restrict":                  "0\n",
	"proc/sys/kernel/osrelease":                      "6.1.0-28-amd64\n",
	"proc/sys/kernel/perf_event_mlock_kb":            "516\n",
	"proc/sys/kernel/perf_event_paranoid":            "3\n",
	"proc/sys/kernel/unprivileged_bpf_disabled":      "2\n",
	"proc/sys/net/core/netdev_max_backlog":           "1000\n",
	"proc/sys/net/core/somaxconn":                    "4096\n",
	"sys/kernel/btf/vmlinux":                         "\x9f\xeb",
	"sys/kernel/security/lockdown":                   "[none] integrity confidentiality\n",
	"sys/kernel/tracing/events/skb/kfree_skb/format": "name: kfree_skb\n\tfield:enum skb_drop_reason reason;\toffset:28;\n",
}

// gone takes a file away.
const gone = "\x01"

// with gives a copy of files with changes.
func with(files map[string]string, changes ...map[string]string) map[string]string {
	files = maps.Clone(files)
	for _, c := range changes {
		for name, text := range c {
			files[name] = text
			if text == gone {
				delete(files, name)
			}
		}
	}
	return files
}

func status(uid, capEff string) map[string]string {
	return map[string]string{"proc/self/status": "Name:\tx\nUid:\t1000\t" + uid + "\t0\t0\nCapEff:\t" + capEff + "\n"}
}

var (
	errBPF = errors.New("trace skb:kfree_skb with BPF: not permitted (operation not permitted): " +
		"run as root or with CAP_BPF and CAP_PERFMON")
	errTracefs = errors.New("read tracefs's events/skb/kfree_skb/format: not permitted (permission denied): " +
		"run as root or with CAP_DAC_READ_SEARCH")
	errPerf = errors.New("open skb:kfree_skb on CPU 0: not permitted (permission denied): run as root or with " +
		"CAP_SYS_ADMIN, or with CAP_PERFMON after sysctl kernel.perf_event_paranoid=2, which is 3")

	// A user's processes have no capabilities, and read neither tracefs nor
	// addresses.
	user = with(debian, status("1000", "0000000000000000"), map[string]string{
		"proc/kallsyms": "0000000000000000 A fixed_percpu_data\n0000000000000000 T _text\n",
		"sys/kernel/tracing/events/skb/kfree_skb/format": denied,
	})

	// A container of docker run, with its 14 capabilities.
	container = with(debian, status("0", "00000000a80425fb"), map[string]string{
		".dockerenv":                 "",
		"etc/os-release":             "ID=alpine\n",
		"proc/config.gz":             gzipped("CONFIG_PERF_EVENTS=y\nCONFIG_EVENT_TRACING=y\nCONFIG_NET_DROP_MONITOR=m\n"),
		"boot/config-6.1.0-28-amd64": gone,
		"lib/modules/6.1.0-28-amd64/modules.builtin":     gone,
		"lib/modules/6.1.0-28-amd64/modules.dep":         gone,
		"proc/kallsyms":                                  "0000000000000000 T _text\n",
		"proc/self/mountinfo":                            "22 1 0:5 / / rw - overlay overlay rw\n",
		"proc/self/ns/pid":                               "pid:[4026532500]",
		"proc/sys/net/core/netdev_max_backlog":           gone,
		"sys/kernel/security/lockdown":                   gone,
		"sys/kernel/tracing/events/skb/kfree_skb/format": gone,
	})
)

// auxv is an auxiliary vector with the size of a page.
func auxv(page int) string {
	var b []byte
	for _, word := range []uint64{3, 1, 6, uint64(page), 0, 0} {
		b = binary.NativeEndian.AppendUint64(b, word)
	}
	return string(b)
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

var situations = map[string]subject{
	"root":   {files: debian, monitor: &fakeMonitor{}, loads: true},
	"loaded": {files: with(debian, map[string]string{"proc/modules": "drop_monitor 20480 0 - Live 0x0\n"}), monitor: &fakeMonitor{}},
	"not-built": {files: with(debian, map[string]string{
		"boot/config-6.1.0-28-amd64":             "CONFIG_PERF_EVENTS=y\nCONFIG_EVENT_TRACING=y\n# CONFIG_NET_DROP_MONITOR is not set\n",
		"lib/modules/6.1.0-28-amd64/modules.dep": "",
	})},
	"container": {files: container, bpf: errBPF, trace: errPerf},
	"user": {
		files: user, bpf: errBPF, trace: errTracefs,
		monitor: &fakeMonitor{run: netlink.ErrConfigurePermission, join: netlink.ErrJoinPermission},
	},
	"admin-only": { // CAP_NET_ADMIN, and no CAP_SYS_ADMIN
		files: with(user, status("1000", "0000000000001000")), bpf: errBPF, trace: errTracefs,
		monitor: &fakeMonitor{join: netlink.ErrJoinPermission},
	},
	"lockdown": {
		files: with(debian, map[string]string{
			"sys/kernel/security/lockdown":                   "none integrity [confidentiality]\n",
			"sys/kernel/tracing/events/skb/kfree_skb/format": denied,
		}),
		monitor: &fakeMonitor{}, bpf: errors.New("locked down"), trace: errors.New("locked down, too"),
	},
	"paranoid": {
		files: with(debian, status("1000", "0000000000000004")),
		bpf:   errBPF, trace: errPerf,
	},
	"kptr": {files: with(debian, map[string]string{
		"proc/kallsyms":                 "0000000000000000 T _text\n",
		"proc/sys/kernel/kptr_restrict": "2\n",
	}), monitor: &fakeMonitor{}},
	"left-on": {files: debian, monitor: &fakeMonitor{on: true}},
	"in-use":  {files: with(debian, listens(4242, "drop\x1b[31m", true)), monitor: &fakeMonitor{on: true}},
	"booted-locked": { // then tracefs has no files
		files: with(debian, map[string]string{
			"sys/kernel/security/lockdown":                   "none integrity [confidentiality]\n",
			"sys/kernel/tracing/events/skb/kfree_skb/format": gone,
		}),
		bpf: errors.New("locked down"), trace: errors.New("locked down, too"),
	},
	"large-pages": {files: with(debian, status("1000", "0000004000000000"), map[string]string{
		"proc/self/auxv":                      auxv(64 << 10),
		"proc/self/limits":                    "Max locked memory         65536                65536                bytes     \n",
		"proc/sys/kernel/perf_event_paranoid": "2\n",
	}), monitor: &fakeMonitor{}, bpf: errBPF, trace: errPerf},
}

// TestSituations compares the text of whole reports with testdata.
func TestSituations(t *testing.T) {
	for name, p := range situations {
		t.Run(name, func(t *testing.T) {
			r := p.examine()
			var b bytes.Buffer
			if err := r.WriteText(&b, false, 0); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if m := p.monitor; m != nil && m.closed != m.opened {
				t.Errorf("opened %d times, closed %d times", m.opened, m.closed)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	want := map[string][3]bool{ // bpf, netdm, trace
		"root": {true, true, true}, "loaded": {true, true, true}, "not-built": {true, false, true},
		"container": {}, "booted-locked": {}, "large-pages": {false, true, false},
		"user": {}, "admin-only": {}, "lockdown": {false, true, false}, "paranoid": {},
		"kptr": {true, true, true}, "left-on": {true, true, true}, "in-use": {true, true, true},
	}
	for name, p := range situations {
		r := p.examine()
		got := [3]bool{r.BPF, r.Netdm, r.Trace}
		if got != want[name] || r.Works() != (got != [3]bool{}) {
			t.Errorf("%s: bpf, netdm and trace %v, works %v", name, got, r.Works())
		}
	}
}

func TestConfigIsBounded(t *testing.T) {
	whole := gzipped("CONFIG_NET_DROP_MONITOR=m\n" + strings.Repeat("# more\n", 1000))
	tests := map[string]struct{ file, want string }{
		"bomb":      {gzipped("CONFIG_NET_DROP_MONITOR=m\n" + strings.Repeat("#", 8<<20)), "file too long: over 4194304 bytes"},
		"truncated": {whole[:len(whole)-9], "unexpected EOF"},
		"corrupt":   {whole[:len(whole)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00", "gzip: invalid checksum"},
		"not gzip":  {"CONFIG_NET_DROP_MONITOR=m\n", "gzip: invalid header"},
		"empty":     {gzipped(""), "no kernel options in it"},
	}
	for name, tt := range tests {
		f := find(t, subject{files: map[string]string{"proc/config.gz": tt.file, "proc/sys/kernel/osrelease": "6.1.0"}}.examine(), "config")
		if want := "/proc/config.gz: " + tt.want + ","; f.State != doctor.Unknown || !strings.Contains(f.Detail, want) {
			t.Errorf("%s: %v, %s, want %s", name, f.State, f.Detail, want)
		}
	}
}

func TestColor(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Name: "a", Detail: "fine"},
		{Name: "b", State: doctor.Warning, Detail: "\x1b[2J", Fix: "do it"},
		{Name: "c", State: doctor.Failed, Detail: "bad", Fix: "do it"},
		{Name: "d", State: doctor.Unknown, Detail: "who knows"},
	}, Trace: true}
	var b strings.Builder
	if err := r.WriteText(&b, true, 0); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[32mok   \x1b[0m a         fine\n" +
		"\x1b[33mwarn \x1b[0m b         \\x1b[2J\n" +
		"                fix: do it\n" +
		"\x1b[31merror\x1b[0m c         bad\n" +
		"\x1b[2m-    \x1b[0m d         who knows\n" +
		"this host can be monitored: bpf: no, netdm: no, trace: yes\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// TestWidth: on a terminal texts are broken between words, but no command is.
func TestWidth(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Name: "a", State: doctor.Warning, Detail: "this is more than one line has room for", Fix: "a command that is longer than a line"},
	}}
	var b strings.Builder
	if err := r.WriteText(&b, false, 40); err != nil {
		t.Fatal(err)
	}
	const want = "warn  a         this is more than one\n" +
		"                line has room for\n" +
		"                fix: a command that is longer than a line\n" +
		"this host cannot be monitored: bpf: no, netdm: no, trace: no\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestWriteError(t *testing.T) {
	if err := (doctor.Report{}).WriteText(full{}, false, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v, want %v", err, fs.ErrClosed)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestJSON(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Name: "module", State: doctor.Failed, Detail: "not\nloaded", Fix: "sudo modprobe drop_monitor"},
		{Name: "trace", Detail: "fine"},
		{Name: "bpf", State: doctor.Unknown, Detail: "none"},
		{Name: "symbols", State: doctor.Warning, Detail: "hidden"},
	}, Trace: true}
	got, err := r.JSON()
	want := `{"works":true,"sources":{"bpf":false,"netdm":false,"trace":true},"findings":[` +
		`{"name":"module","state":"error","detail":"not\nloaded","fix":"sudo modprobe drop_monitor"},` +
		`{"name":"trace","state":"ok","detail":"fine"},` +
		`{"name":"bpf","state":"unknown","detail":"none"},` +
		`{"name":"symbols","state":"warning","detail":"hidden"}]}` + "\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %swant %s", err, got, want)
	}
}

// FuzzExamine: no file makes it panic, or its text obey a file.
func FuzzExamine(f *testing.F) {
	for name := range debian {
		f.Add(name, debian[name])
	}
	f.Add("proc/config.gz", gzipped("CONFIG_NET=y\n"))
	f.Fuzz(func(t *testing.T, name, text string) {
		if !fs.ValidPath(name) || name == "." {
			return
		}
		var b strings.Builder
		if err := (subject{files: with(debian, map[string]string{name: text})}).examine().WriteText(&b, false, 0); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(b.String(), '\x1b') {
			t.Errorf("an escape of /%s came through:\n%q", name, b.String())
		}
	})
}

// TestHere examines this host: the report must name its kernel.
func TestHere(t *testing.T) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	r := doctor.Examine(doctor.Subject{
		Host: host.New("/"), Monitor: doctor.Dial,
		BPF: doctor.Source{Try: func() error { return nil }}, Trace: doctor.Source{Try: func() error { return errPerf }},
		Retrans: func() (string, error) { return "bpf", nil },
	})
	if f := find(t, r, "kernel"); !strings.HasPrefix(f.Detail, strings.TrimSpace(string(release))+": ") {
		t.Errorf("kernel: %s", f.Detail)
	}
	if f := find(t, r, "trace"); r.Trace || f.Detail != fmt.Sprint(errPerf) {
		t.Errorf("trace: %v, %s", r.Trace, f.Detail)
	}
}

package doctor_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/doctor"
	"dropwatch/netlink"
)

var update = flag.Bool("update", false, "write testdata anew")

// A patient is a host made of files, where a name without text is denied to us,
// and of what its kernel answers. The zero value lacks everything.
type patient struct {
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

func (p patient) examine() doctor.Report {
	tree := fstest.MapFS{}
	for name, text := range p.files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		if strings.Contains(name, "/ns/") {
			tree[name].Mode = fs.ModeSymlink
		}
	}
	return doctor.Examine(doctor.Host{
		Root: root{tree},
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
		BPF:   func() error { return p.bpf },
		Trace: func() error { return p.trace },
	})
}

type fakeMonitor struct {
	on             bool
	run, join      error
	peers          []netlink.Peer
	hidden         int
	peersErr       error
	opened, closed int
}

func (f *fakeMonitor) Running() (bool, error) { return f.on, f.run }
func (f *fakeMonitor) Join() error            { return f.join }
func (f *fakeMonitor) Close() error           { f.closed++; return nil }
func (f *fakeMonitor) Peers() ([]netlink.Peer, int, error) {
	return f.peers, f.hidden, f.peersErr
}

// debian is what a process of root reads on Debian 12.
var debian = map[string]string{
	"etc/os-release":                                 "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
	"boot/config-6.1.0-28-amd64":                     "# Linux\nCONFIG_PERF_EVENTS=y\nCONFIG_EVENT_TRACING=y\nCONFIG_NET_DROP_MONITOR=m\n# CONFIG_NET_NSH is not set\n",
	"lib/modules/6.1.0-28-amd64/modules.builtin":     "kernel/net/core/sock_diag.ko\n",
	"lib/modules/6.1.0-28-amd64/modules.dep":         "kernel/kernel/configs_not.ko:\nkernel/net/core/drop_monitor.ko: kernel/net/x.ko\n",
	"proc/filesystems":                               "nodev\ttracefs\n\text4\n",
	"proc/kallsyms":                                  "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\n",
	"proc/modules":                                   "tun 61440 0 - Live 0x0\n",
	"proc/self/limits":                               "Limit                     Soft Limit           Hard Limit           Units     \nMax locked memory         8388608              8388608              bytes     \n",
	"proc/self/mounts":                               "proc /proc proc rw 0 0\ntracefs /sys/kernel/tracing tracefs rw 0 0\n",
	"proc/self/ns/pid":                               "pid:[4026531836]",
	"proc/self/ns/user":                              "user:[4026531837]",
	"proc/self/status":                               "Name:\tdropwatch\nUid:\t0\t0\t0\t0\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n",
	"proc/stat":                                      "cpu  1 2\ncpu0 1 2\ncpu1 1 2\nbtime 1\n",
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
	errBPF     = errors.New("trace skb:kfree_skb with BPF: not permitted (operation not permitted): run as root or with CAP_BPF and CAP_PERFMON")
	errTracefs = errors.New("read tracefs's events/skb/kfree_skb/format: not permitted (permission denied): run as root or with CAP_DAC_READ_SEARCH")
	errPerf    = errors.New("open skb:kfree_skb on CPU 0: not permitted (permission denied): run as root or with CAP_SYS_ADMIN, or with CAP_PERFMON after sysctl kernel.perf_event_paranoid=2, which is 3")

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
		"proc/self/mounts":                               "overlay / overlay rw 0 0\n",
		"proc/self/ns/pid":                               "pid:[4026532500]",
		"proc/sys/net/core/netdev_max_backlog":           gone,
		"sys/kernel/security/lockdown":                   gone,
		"sys/kernel/tracing/events/skb/kfree_skb/format": gone,
	})
)

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

var situations = map[string]patient{
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
	"in-use": {files: debian, monitor: &fakeMonitor{on: true, hidden: 1, peers: []netlink.Peer{
		{PID: 4242, Command: "drop\x1b[31m"},
	}}},
}

// TestSituations compares the text of whole reports with testdata.
func TestSituations(t *testing.T) {
	for name, p := range situations {
		t.Run(name, func(t *testing.T) {
			r := p.examine()
			var b bytes.Buffer
			if err := r.WriteText(&b, false); err != nil {
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
		"root": {true, true, true}, "loaded": {true, true, true}, "not-built": {true, false, true}, "container": {},
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

// TestFinding has what the situations have not: one finding of a changed host.
func TestFinding(t *testing.T) {
	const release, tracefs = "6.1.0-28-amd64", "sys/kernel/tracing/events/skb/kfree_skb/format"
	bare := map[string]string{"lib/modules/" + release + "/modules.dep": ""}
	tests := []struct {
		name    string
		finding string
		files   map[string]string
		monitor *fakeMonitor
		bpf     error
		trace   error
		loads   bool
		want    doctor.Finding
	}{
		{
			name: "before packets", finding: "kernel",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "4.19.0-27-amd64\n"}),
			want:  doctor.Finding{State: doctor.Warning, Says: "4.19.0-27-amd64: no packets, no hardware drops (5.4) and no reasons (5.17)"},
		},
		{
			name: "before reasons", finding: "kernel",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "5.16.20\n"}),
			want:  doctor.Finding{State: doctor.Warning, Says: "5.16.20: no reasons (5.17), unless it has them as RHEL 9 does"},
		},
		{
			name: "first with reasons", finding: "kernel",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "5.17\n"}),
			want:  doctor.Finding{Says: "5.17: packets, hardware drops (5.4) and reasons (5.17)"},
		},
		{
			name: "no version", finding: "kernel", files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "../x"}),
			want: doctor.Finding{State: doctor.Unknown, Says: "its version cannot be read from /proc/sys/kernel/osrelease"},
		},
		{
			name: "config behind a module", finding: "config",
			files: with(debian, map[string]string{"boot/config-" + release: denied, "lib/modules/" + release + "/modules.dep": "kernel/kernel/configs.ko.xz:\n"}),
			want: doctor.Finding{
				State:  doctor.Unknown,
				Says:   "options of the kernel cannot be read: /proc/config.gz: file does not exist, /boot/config-" + release + ": permission denied, /lib/modules/" + release + "/config: file does not exist",
				Remedy: "sudo modprobe configs",
			},
		},
		{
			name: "config beside the modules", finding: "config",
			files: with(debian, map[string]string{"boot/config-" + release: denied, "lib/modules/" + release + "/config": "CONFIG_NET_DROP_MONITOR=y\n"}),
			want:  doctor.Finding{State: doctor.Warning, Says: "/lib/modules/" + release + "/config: CONFIG_NET_DROP_MONITOR=y, CONFIG_PERF_EVENTS=n, CONFIG_EVENT_TRACING=n"},
		},
		{
			name: "built in", finding: "module",
			files: with(debian, map[string]string{"lib/modules/" + release + "/modules.builtin": "kernel/net/core/drop_monitor.ko\n"}),
			want:  doctor.Finding{Says: "drop_monitor is built into the kernel"},
		},
		{
			name: "modules are not shown", finding: "module", monitor: &fakeMonitor{},
			files: with(debian, map[string]string{"proc/modules": gone}),
			want:  doctor.Finding{Says: "drop_monitor is there"},
		},
		{
			name: "loading failed", finding: "module", files: debian,
			want: doctor.Finding{State: doctor.Warning, Says: "drop_monitor is installed, but the kernel could not load it when asked", Remedy: "sudo modprobe drop_monitor"},
		},
		{
			name: "loading failed, and nothing else works", finding: "module", files: debian, bpf: errBPF, trace: errPerf,
			want: doctor.Finding{State: doctor.Wrong, Says: "drop_monitor is installed, but the kernel could not load it when asked", Remedy: "sudo modprobe drop_monitor"},
		},
		{
			name: "a module without its family", finding: "family", files: debian, bpf: errBPF, trace: errPerf, loads: true,
			want: doctor.Finding{State: doctor.Wrong, Says: "NET_DM is not there"},
		},
		{
			name: "loading is over", finding: "module",
			files: with(debian, map[string]string{"proc/sys/kernel/modules_disabled": "1\n"}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Says:   "drop_monitor is not loaded, and kernel.modules_disabled is 1: none can be until a boot",
				Remedy: "echo drop_monitor | sudo tee /etc/modules-load.d/drop_monitor.conf && sudo reboot",
			},
		},
		{
			name: "loaded for another namespace", finding: "module", files: container, loads: true,
			want: doctor.Finding{Says: "drop_monitor was loaded by this look for it, which costs nothing until monitoring starts"},
		},
		{
			name: "Debian lost it", finding: "module", files: with(debian, bare),
			want: doctor.Finding{State: doctor.Warning, Says: "drop_monitor is not installed in /lib/modules/" + release, Remedy: `sudo apt install --reinstall "linux-image-$(uname -r)"`},
		},
		{
			name: "Ubuntu splits it", finding: "module", files: with(debian, bare, map[string]string{"etc/os-release": "ID=neon\nID_LIKE=\"ubuntu debian\"\n"}),
			want: doctor.Finding{State: doctor.Warning, Says: "drop_monitor is not installed in /lib/modules/" + release, Remedy: `sudo apt install "linux-modules-extra-$(uname -r)"`},
		},
		{
			name: "RHEL splits it", finding: "module", files: with(debian, bare, map[string]string{"etc/os-release": "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"}),
			want: doctor.Finding{State: doctor.Warning, Says: "drop_monitor is not installed in /lib/modules/" + release, Remedy: `sudo dnf install "/lib/modules/$(uname -r)/kernel/net/core/drop_monitor.ko*"`},
		},
		{
			name: "no distribution that we know", finding: "module", files: with(debian, bare, map[string]string{"etc/os-release": gone}),
			want: doctor.Finding{State: doctor.Warning, Says: "drop_monitor is not installed in /lib/modules/" + release},
		},
		{
			name: "updated since the boot", finding: "module",
			files: with(debian, map[string]string{"lib/modules/" + release + "/modules.dep": gone, "lib/modules/" + release + "/modules.builtin": gone}),
			want:  doctor.Finding{State: doctor.Warning, Says: "/lib/modules/" + release + " is not there: was the kernel updated since the boot?", Remedy: "sudo reboot"},
		},
		{
			name: "nothing to go by", finding: "module", files: nil,
			want: doctor.Finding{State: doctor.Unknown, Says: "neither options nor modules of this kernel can be read"},
		},
		{
			name: "Raspberry Pi", finding: "module",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "6.12.20+rpt-rpi-2712\n", "boot/config-6.12.20+rpt-rpi-2712": "CONFIG_NET=y\n"}),
			want:  doctor.Finding{State: doctor.Warning, Says: "not built for this kernel (CONFIG_NET_DROP_MONITOR is not set, as in all of Raspberry Pi's): no command mends that, use another kernel or another source"},
		},
		{
			name: "Alpine", finding: "module",
			files: with(debian, map[string]string{"etc/os-release": "ID=alpine\n", "boot/config-" + release: "CONFIG_NET=y\n"}),
			want:  doctor.Finding{State: doctor.Warning, Says: "not built for this kernel (CONFIG_NET_DROP_MONITOR is not set, as in Alpine's linux-lts and linux-virt): no command mends that, use another kernel or another source"},
		},
		{
			name: "namespace of ip netns", finding: "netns", files: with(debian, map[string]string{"proc/sys/net/core/netdev_max_backlog": gone}),
			want: doctor.Finding{State: doctor.Warning, Says: "not the initial one: NET_DM is only there", Remedy: "sudo nsenter -t 1 -n dropwatch watch"},
		},
		{
			name: "namespace cannot be told", finding: "netns", files: nil,
			want: doctor.Finding{State: doctor.Unknown, Says: "cannot be told: /proc/sys/net is not there"},
		},
		{
			name: "old kernels let everybody", finding: "start", files: user, monitor: &fakeMonitor{run: netlink.ErrUnsupported},
			want: doctor.Finding{Says: "this kernel lets everybody start monitoring"},
		},
		{
			name: "old kernels cannot be asked", finding: "monitor", files: user, monitor: &fakeMonitor{run: netlink.ErrUnsupported},
			want: doctor.Finding{State: doctor.Unknown, Says: "whether it is on cannot be told: not supported by this kernel"},
		},
		{
			name: "listening for all", finding: "join", files: user, monitor: &fakeMonitor{},
			want: doctor.Finding{Says: "this kernel lets us listen without CAP_SYS_ADMIN"},
		},
		{
			name: "listening fails", finding: "join", files: debian, monitor: &fakeMonitor{join: errors.New("no memory")},
			want: doctor.Finding{State: doctor.Warning, Says: "alerts cannot be listened to: no memory"},
		},
		{
			name: "root of a user namespace", finding: "start",
			files:   with(debian, map[string]string{"proc/self/ns/user": "user:[4026532300]"}),
			monitor: &fakeMonitor{run: netlink.ErrConfigurePermission},
			want:    doctor.Finding{State: doctor.Warning, Says: "CAP_NET_ADMIN counts only in the host's user namespace, not in this one: monitoring cannot be started"},
		},
		{
			name: "asking fails", finding: "start", files: debian, monitor: &fakeMonitor{run: errors.New("no memory")},
			want: doctor.Finding{State: doctor.Warning, Says: "no memory"},
		},
		{
			name: "root of a service", finding: "start", files: with(debian, status("0", "0")),
			monitor: &fakeMonitor{run: netlink.ErrConfigurePermission},
			want:    doctor.Finding{State: doctor.Warning, Says: "CAP_NET_ADMIN is missing: monitoring cannot be started"},
		},
		{
			name: "our own session", finding: "monitor", files: debian, monitor: &fakeMonitor{on: true, peers: []netlink.Peer{{PID: os.Getpid()}}},
			want: doctor.Finding{Says: "on, and we listen"},
		},
		{
			name: "on by whom cannot be told", finding: "monitor", files: debian, monitor: &fakeMonitor{on: true, peersErr: errors.New("no proc")},
			want: doctor.Finding{State: doctor.Warning, Says: "on, by whom cannot be told (no proc)", Remedy: "sudo dropwatch watch --takeover"},
		},
		{
			name: "tracefs is mounted by us", finding: "tracefs", files: with(debian, map[string]string{"proc/self/mounts": gone}),
			want: doctor.Finding{Says: "not mounted, which dropwatch does for itself alone"},
		},
		{
			name: "tracefs is to be mounted", finding: "tracefs", files: with(debian, map[string]string{"proc/self/mounts": gone}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{State: doctor.Wrong, Says: "not mounted", Remedy: "sudo mount -t tracefs tracefs /sys/kernel/tracing"},
		},
		{
			name: "no tracefs", finding: "tracefs", files: with(debian, map[string]string{"proc/self/mounts": gone, "proc/filesystems": "\text4\n"}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{State: doctor.Wrong, Says: "this kernel has none: it was built without CONFIG_TRACING"},
		},
		{
			name: "no event", finding: "tracefs", files: with(debian, map[string]string{tracefs: gone}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{State: doctor.Wrong, Says: "/sys/kernel/tracing has no event skb:kfree_skb: the kernel was built without CONFIG_EVENT_TRACING"},
		},
		{
			name: "event without reasons", finding: "tracefs", files: with(debian, map[string]string{tracefs: "field:unsigned short protocol;\n"}),
			want: doctor.Finding{Says: "/sys/kernel/tracing has the event skb:kfree_skb, without reasons"},
		},
		{
			name: "no perf", finding: "perf", files: with(debian, map[string]string{"proc/sys/kernel/perf_event_paranoid": gone}),
			want: doctor.Finding{State: doctor.Warning, Says: "this kernel has no perf events: it was built without CONFIG_PERF_EVENTS"},
		},
		{
			name: "perf for all", finding: "perf", files: with(user, map[string]string{"proc/sys/kernel/perf_event_paranoid": "-1\n"}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{Says: "kernel.perf_event_paranoid is -1, which lets us trace"},
		},
		{
			name: "perf before CAP_PERFMON", finding: "perf", files: with(user, map[string]string{"proc/sys/kernel/osrelease": "5.4.0\n", "proc/sys/kernel/perf_event_paranoid": "2\n"}), bpf: errBPF, trace: errPerf,
			want: doctor.Finding{State: doctor.Wrong, Says: "kernel.perf_event_paranoid is 2 and CAP_SYS_ADMIN is missing: the source trace cannot open its event", Remedy: "sudo dropwatch watch"},
		},
		{
			name: "perf with a strange level", finding: "perf", files: with(debian, map[string]string{"proc/sys/kernel/perf_event_paranoid": "\x1b"}),
			want: doctor.Finding{State: doctor.Unknown, Says: "kernel.perf_event_paranoid cannot be read"},
		},
		{
			name: "CAP_PERFMON", finding: "perf", bpf: errBPF, trace: errTracefs,
			files: with(debian, status("1000", "0000004000000000"), map[string]string{"proc/sys/kernel/perf_event_paranoid": "2\n"}),
			want:  doctor.Finding{Says: "kernel.perf_event_paranoid is 2, which lets us trace"},
		},
		{
			name: "no CAP_PERFMON", finding: "perf", bpf: errBPF, trace: errTracefs,
			files: with(user, map[string]string{"proc/sys/kernel/perf_event_paranoid": "0\n"}),
			want:  doctor.Finding{State: doctor.Wrong, Says: "kernel.perf_event_paranoid is 0 and CAP_PERFMON is missing: the source trace cannot open its event", Remedy: "sudo dropwatch watch"},
		},
		{
			name: "CAP_PERFMON on Ubuntu", finding: "perf", bpf: errBPF, trace: errPerf,
			files: with(debian, status("1000", "0000004000000000"), map[string]string{"proc/sys/kernel/perf_event_paranoid": "4\n"}),
			want:  doctor.Finding{State: doctor.Wrong, Says: "kernel.perf_event_paranoid is 4, for which CAP_PERFMON is not enough", Remedy: "sudo sysctl kernel.perf_event_paranoid=2"},
		},
		{
			name: "small rings", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         8192    65536  bytes\n"}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Says:   "kernel.perf_event_mlock_kb is 516 and CAP_IPC_LOCK is missing: trace wants 524 on each CPU, and the rest is beyond ulimit -l",
				Remedy: "sudo sysctl kernel.perf_event_mlock_kb=524",
			},
		},
		{
			name: "rings by ulimit", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         16384    65536  bytes\n"}),
			want:  doctor.Finding{Says: "kernel.perf_event_mlock_kb is 516, with ulimit -l enough"},
		},
		{
			name: "rings without limit", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         unlimited    unlimited  bytes\n"}),
			want:  doctor.Finding{Says: "kernel.perf_event_mlock_kb is 516, with ulimit -l enough"},
		},
		{
			name: "no kallsyms", finding: "symbols", files: with(debian, map[string]string{"proc/kallsyms": denied}),
			want: doctor.Finding{State: doctor.Warning, Says: "/proc/kallsyms cannot be read: open proc/kallsyms: permission denied: places are addresses where the kernel does not name them"},
		},
		{
			name: "locked a little", finding: "lockdown", files: with(debian, map[string]string{"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}),
			want: doctor.Finding{Says: "integrity: no matter for any source, but modules must be signed"},
		},
		{
			name: "no lockdown", finding: "lockdown",
			files: with(debian, map[string]string{"sys/kernel/security/lockdown": gone, "sys/kernel/security/lsm": "capability"}),
			want:  doctor.Finding{Says: "this kernel has none"},
		},
		{
			name: "no BTF", finding: "btf", files: with(debian, map[string]string{"sys/kernel/btf/vmlinux": gone}), bpf: errBPF,
			want: doctor.Finding{
				State: doctor.Warning,
				Says:  "/sys/kernel/btf/vmlinux is not there: the kernel was built without CONFIG_DEBUG_INFO_BTF, which the source bpf needs",
			},
		},
		{
			name: "no CAP_PERFMON beside CAP_BPF", finding: "bpf", bpf: errBPF,
			files: with(user, status("1000", "0000008000000000")),
			want:  doctor.Finding{State: doctor.Warning, Says: errBPF.Error(), Remedy: "sudo dropwatch watch"},
		},
		{
			name: "all capabilities, and yet", finding: "bpf", files: debian, bpf: errBPF,
			want: doctor.Finding{State: doctor.Warning, Says: errBPF.Error()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := patient{files: tt.files, monitor: tt.monitor, bpf: tt.bpf, trace: tt.trace, loads: tt.loads}.examine()
			tt.want.Name = tt.finding
			if diff := cmp.Diff(tt.want, find(t, r, tt.finding)); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func find(t *testing.T, r doctor.Report, name string) doctor.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no finding %s", name)
	}
	return r.Findings[i]
}

// TestConfigIsBounded: neither a bomb nor a broken file is taken for a kernel
// without options.
func TestConfigIsBounded(t *testing.T) {
	whole := gzipped("CONFIG_NET_DROP_MONITOR=m\n" + strings.Repeat("# more\n", 1000))
	tests := map[string]struct{ file, want string }{
		"bomb":      {gzipped("CONFIG_NET_DROP_MONITOR=m\n" + strings.Repeat("#", 8<<20)), "longer than 4194304 bytes"},
		"truncated": {whole[:len(whole)-9], "unexpected EOF"},
		"corrupt":   {whole[:len(whole)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00", "gzip: invalid checksum"},
		"not gzip":  {"CONFIG_NET_DROP_MONITOR=m\n", "gzip: invalid header"},
		"empty":     {gzipped(""), "it has no options"},
	}
	for name, tt := range tests {
		f := find(t, patient{files: map[string]string{"proc/config.gz": tt.file, "proc/sys/kernel/osrelease": "6.1.0"}}.examine(), "config")
		if want := "/proc/config.gz: " + tt.want + ","; f.State != doctor.Unknown || !strings.Contains(f.Says, want) {
			t.Errorf("%s: %v, %s, want %s", name, f.State, f.Says, want)
		}
	}
}

func TestColor(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Name: "a", Says: "fine"},
		{Name: "b", State: doctor.Warning, Says: "\x1b[2J", Remedy: "do it"},
		{Name: "c", State: doctor.Wrong, Says: "bad", Remedy: "do it"},
		{Name: "d", State: doctor.Unknown, Says: "who knows"},
	}, Trace: true}
	var b strings.Builder
	if err := r.WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[32mok   \x1b[0m a         fine\n" +
		"\x1b[33mwarn \x1b[0m b         \\x1b[2J\n" +
		"                mend: do it\n" +
		"\x1b[31mwrong\x1b[0m c         bad\n" +
		"\x1b[2m-    \x1b[0m d         who knows\n" +
		"drops can be watched here: bpf: no, netdm: no, trace: yes\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestWriteError(t *testing.T) {
	if err := (doctor.Report{}).WriteText(full{}, false); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v, want %v", err, fs.ErrClosed)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestJSON(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Name: "module", State: doctor.Wrong, Says: "not\nloaded", Remedy: "sudo modprobe drop_monitor"},
		{Name: "trace", Says: "fine"},
		{Name: "bpf", State: doctor.Unknown, Says: "none"},
		{Name: "symbols", State: doctor.Warning, Says: "hidden"},
	}, Trace: true}
	got, err := r.JSON()
	want := `{"works":true,"sources":{"bpf":false,"netdm":false,"trace":true},"findings":[` +
		`{"name":"module","state":"wrong","says":"not\nloaded","remedy":"sudo modprobe drop_monitor"},` +
		`{"name":"trace","state":"ok","says":"fine"},` +
		`{"name":"bpf","state":"unknown","says":"none"},` +
		`{"name":"symbols","state":"warning","says":"hidden"}]}` + "\n"
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
		if err := (patient{files: with(debian, map[string]string{name: text})}).examine().WriteText(&b, false); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(b.String(), '\x1b') {
			t.Errorf("an escape of /%s came through:\n%q", name, b.String())
		}
	})
}

// TestHere examines this very host, whose kernel the report must know.
func TestHere(t *testing.T) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Skip("not on Linux: ", err)
	}
	r := doctor.Examine(doctor.Host{Root: os.DirFS("/"), Monitor: doctor.Dial, BPF: func() error { return nil }, Trace: func() error { return errPerf }})
	if f := find(t, r, "kernel"); !strings.HasPrefix(f.Says, strings.TrimSpace(string(release))+": ") {
		t.Errorf("kernel: %s", f.Says)
	}
	if f := find(t, r, "trace"); r.Trace || f.Says != fmt.Sprint(errPerf) {
		t.Errorf("trace: %v, %s", r.Trace, f.Says)
	}
}

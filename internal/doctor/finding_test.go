package doctor_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/doctor"
	"dropwatch/netlink"
)

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
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "4.19.0-27-amd64: no packets, no hardware drops (5.4) and no reasons (5.17)",
			},
		},
		{
			name: "before reasons", finding: "kernel",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "5.16.20\n"}),
			want:  doctor.Finding{State: doctor.Warning, Detail: "5.16.20: no reasons (5.17), unless backported as in RHEL 9"},
		},
		{
			name: "first with reasons", finding: "kernel",
			files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "5.17\n"}),
			want:  doctor.Finding{Detail: "5.17: packets, hardware drops (5.4) and reasons (5.17)"},
		},
		{
			name: "no version", finding: "kernel", files: with(debian, map[string]string{"proc/sys/kernel/osrelease": "../x"}),
			want: doctor.Finding{State: doctor.Unknown, Detail: "cannot read its version from /proc/sys/kernel/osrelease"},
		},
		{
			name: "config behind a module", finding: "config",
			files: with(debian, map[string]string{
				"boot/config-" + release: denied, "lib/modules/" + release + "/modules.dep": "kernel/kernel/configs.ko.xz:\n",
			}),
			want: doctor.Finding{
				State: doctor.Unknown,
				Detail: "cannot read the kernel's options: /proc/config.gz: file does not exist, /boot/config-" + release +
					": permission denied, /lib/modules/" + release + "/config: file does not exist",
				Fix: "sudo modprobe configs",
			},
		},
		{
			name: "config beside the modules", finding: "config",
			files: with(debian, map[string]string{
				"boot/config-" + release: denied, "lib/modules/" + release + "/config": "CONFIG_NET_DROP_MONITOR=y\n",
			}),
			want: doctor.Finding{
				Detail: "/lib/modules/" + release + "/config: has the options for netdm; bpf lacks CONFIG_BPF_SYSCALL; " +
					"trace lacks CONFIG_PERF_EVENTS, CONFIG_EVENT_TRACING",
			},
		},
		{
			name: "built in", finding: "module",
			files: with(debian, map[string]string{"lib/modules/" + release + "/modules.builtin": "kernel/net/core/drop_monitor.ko\n"}),
			want:  doctor.Finding{Detail: "drop_monitor is built into the kernel"},
		},
		{
			name: "modules are not shown", finding: "module", monitor: &fakeMonitor{},
			files: with(debian, map[string]string{"proc/modules": gone}),
			want:  doctor.Finding{Detail: "drop_monitor is available"},
		},
		{
			name: "loading failed", finding: "module", files: debian,
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "drop_monitor is installed, but the kernel failed to load it",
				Fix:    "sudo modprobe drop_monitor",
			},
		},
		{
			name: "loading failed, and nothing else works", finding: "module", files: debian, bpf: errBPF, trace: errPerf,
			want: doctor.Finding{
				State:  doctor.Failed,
				Detail: "drop_monitor is installed, but the kernel failed to load it",
				Fix:    "sudo modprobe drop_monitor",
			},
		},
		{
			name: "a module without its family", finding: "family", files: debian, bpf: errBPF, trace: errPerf, loads: true,
			want: doctor.Finding{State: doctor.Failed, Detail: "NET_DM is not available"},
		},
		{
			name: "loading is over", finding: "module",
			files: with(debian, map[string]string{"proc/sys/kernel/modules_disabled": "1\n"}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "drop_monitor is not loaded, and kernel.modules_disabled is 1: module loading is disabled until the next boot",
				Fix:    "echo drop_monitor | sudo tee /etc/modules-load.d/drop_monitor.conf && sudo reboot",
			},
		},
		{
			name: "loaded for another namespace", finding: "module", files: container, loads: true,
			want: doctor.Finding{Detail: "drop_monitor was loaded by this check, which costs nothing until monitoring starts"},
		},
		{
			name: "Debian lost it", finding: "module", files: with(debian, bare),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "drop_monitor is not installed in /lib/modules/" + release,
				Fix:    `sudo apt install --reinstall "linux-image-$(uname -r)"`,
			},
		},
		{
			name: "Ubuntu splits it", finding: "module",
			files: with(debian, bare, map[string]string{"etc/os-release": "ID=neon\nID_LIKE=\"ubuntu debian\"\n"}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "drop_monitor is not installed in /lib/modules/" + release,
				Fix:    `sudo apt install "linux-modules-extra-$(uname -r)"`,
			},
		},
		{
			name: "RHEL splits it", finding: "module",
			files: with(debian, bare, map[string]string{"etc/os-release": "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "drop_monitor is not installed in /lib/modules/" + release,
				Fix:    `sudo dnf install "/lib/modules/$(uname -r)/kernel/net/core/drop_monitor.ko*"`,
			},
		},
		{
			name: "an unknown distribution", finding: "module", files: with(debian, bare, map[string]string{"etc/os-release": gone}),
			want: doctor.Finding{State: doctor.Warning, Detail: "drop_monitor is not installed in /lib/modules/" + release},
		},
		{
			name: "updated since the boot", finding: "module",
			files: with(debian, map[string]string{
				"lib/modules/" + release + "/modules.dep": gone, "lib/modules/" + release + "/modules.builtin": gone,
			}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "/lib/modules/" + release + " is missing: was the kernel updated since the last boot?",
				Fix:    "sudo reboot",
			},
		},
		{
			name: "nothing to go by", finding: "module", files: nil,
			want: doctor.Finding{State: doctor.Unknown, Detail: "cannot read the options and the modules of this kernel"},
		},
		{
			name: "Raspberry Pi", finding: "module",
			files: with(debian, map[string]string{
				"proc/sys/kernel/osrelease":        "6.12.20+rpt-rpi-2712\n",
				"boot/config-6.12.20+rpt-rpi-2712": "CONFIG_NET=y\n",
			}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "not built for this kernel (CONFIG_NET_DROP_MONITOR is not set, as in all of Raspberry Pi's): " +
					"no action needed, the source bpf works",
			},
		},
		{
			name: "Alpine", finding: "module",
			files: with(debian, map[string]string{"etc/os-release": "ID=alpine\n", "boot/config-" + release: "CONFIG_NET=y\n"}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "not built for this kernel (CONFIG_NET_DROP_MONITOR is not set, as in Alpine's linux-lts and " +
					"linux-virt): no action needed, the source bpf works",
			},
		},
		{
			name: "namespace of ip netns", finding: "netns",
			files: with(debian, map[string]string{"proc/sys/net/core/netdev_max_backlog": gone}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "not the initial one, which alone has NET_DM",
				Fix:    "sudo nsenter -t 1 -n dropwatch watch",
			},
		},
		{
			name: "namespace cannot be checked", finding: "netns", files: nil,
			want: doctor.Finding{State: doctor.Unknown, Detail: "cannot check: /proc/sys/net is missing"},
		},
		{
			name: "old kernels let every user", finding: "start", files: user, monitor: &fakeMonitor{run: netlink.ErrUnsupported},
			want: doctor.Finding{Detail: "this kernel lets every user start monitoring"},
		},
		{
			name: "old kernels do not say", finding: "monitor", files: user, monitor: &fakeMonitor{run: netlink.ErrUnsupported},
			want: doctor.Finding{State: doctor.Unknown, Detail: "cannot check whether it is on: not supported by this kernel"},
		},
		{
			name: "listening for all", finding: "join", files: user, monitor: &fakeMonitor{},
			want: doctor.Finding{Detail: "can receive alerts: this kernel does not require CAP_SYS_ADMIN for that"},
		},
		{
			name: "listening fails", finding: "join", files: debian, monitor: &fakeMonitor{join: errors.New("no memory")},
			want: doctor.Finding{State: doctor.Warning, Detail: "cannot receive alerts: no memory"},
		},
		{
			name: "root of a user namespace", finding: "start",
			files:   with(debian, map[string]string{"proc/self/ns/user": "user:[4026532300]"}),
			monitor: &fakeMonitor{run: netlink.ErrConfigurePermission},
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "CAP_NET_ADMIN counts only in the host's user namespace, not in this one: cannot start monitoring",
			},
		},
		{
			name: "asking fails", finding: "start", files: debian, monitor: &fakeMonitor{run: errors.New("no memory")},
			want: doctor.Finding{State: doctor.Warning, Detail: "no memory"},
		},
		{
			name: "root of a service", finding: "start", files: with(debian, status("0", "0")),
			monitor: &fakeMonitor{run: netlink.ErrConfigurePermission},
			want:    doctor.Finding{State: doctor.Warning, Detail: "CAP_NET_ADMIN is missing: cannot start monitoring"},
		},
		{
			name: "its own session", finding: "monitor", monitor: &fakeMonitor{on: true},
			files: with(debian, listens(os.Getpid(), "dropwatch", false)),
			want:  doctor.Finding{Detail: "on, by this program"},
		},
		{
			name: "on by an unknown program", finding: "monitor", monitor: &fakeMonitor{on: true},
			files: with(debian, map[string]string{"proc/net/netlink": gone}),
			want: doctor.Finding{
				State:  doctor.Warning,
				Detail: "on, by an unknown program (find listeners: open proc/net/netlink: file does not exist)",
				Fix:    "sudo dropwatch watch --takeover",
			},
		},
		{
			name: "tracefs is mounted by dropwatch", finding: "tracefs",
			files: with(debian, map[string]string{"proc/self/mountinfo": gone}),
			want:  doctor.Finding{Detail: "not mounted: dropwatch mounts it for itself alone"},
		},
		{
			name: "tracefs is to be mounted", finding: "tracefs",
			files: with(debian, map[string]string{"proc/self/mountinfo": gone}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{State: doctor.Failed, Detail: "not mounted", Fix: "sudo mount -t tracefs tracefs /sys/kernel/tracing"},
		},
		{
			name: "no tracefs", finding: "tracefs",
			files: with(debian, map[string]string{"proc/self/mountinfo": gone, "proc/filesystems": "\text4\n"}),
			bpf:   errBPF, trace: errTracefs,
			want: doctor.Finding{State: doctor.Failed, Detail: "this kernel has none: it was built without CONFIG_TRACING"},
		},
		{
			name: "no event", finding: "tracefs", files: with(debian, map[string]string{tracefs: gone}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{
				State:  doctor.Failed,
				Detail: "/sys/kernel/tracing has no event skb:kfree_skb: the kernel was built without CONFIG_EVENT_TRACING",
			},
		},
		{
			name: "event without reasons", finding: "tracefs",
			files: with(debian, map[string]string{tracefs: "field:unsigned short protocol;\n"}),
			want:  doctor.Finding{Detail: "/sys/kernel/tracing has the event skb:kfree_skb, without reasons"},
		},
		{
			name: "no perf", finding: "perf", files: with(debian, map[string]string{"proc/sys/kernel/perf_event_paranoid": gone}),
			want: doctor.Finding{State: doctor.Warning, Detail: "this kernel has no perf events: it was built without CONFIG_PERF_EVENTS"},
		},
		{
			name: "perf for all", finding: "perf",
			files: with(user, map[string]string{"proc/sys/kernel/perf_event_paranoid": "-1\n"}), bpf: errBPF, trace: errTracefs,
			want: doctor.Finding{Detail: "kernel.perf_event_paranoid is -1, which permits tracing"},
		},
		{
			name: "perf before CAP_PERFMON", finding: "perf",
			files: with(user, map[string]string{"proc/sys/kernel/osrelease": "5.4.0\n", "proc/sys/kernel/perf_event_paranoid": "2\n"}),
			bpf:   errBPF, trace: errPerf,
			want: doctor.Finding{
				State:  doctor.Failed,
				Detail: "kernel.perf_event_paranoid is 2 and CAP_SYS_ADMIN is missing: the source trace cannot open its event",
				Fix:    "sudo dropwatch watch",
			},
		},
		{
			name: "perf with a strange level", finding: "perf",
			files: with(debian, map[string]string{"proc/sys/kernel/perf_event_paranoid": "\x1b"}),
			want:  doctor.Finding{State: doctor.Unknown, Detail: "cannot read kernel.perf_event_paranoid"},
		},
		{
			name: "CAP_PERFMON", finding: "perf", bpf: errBPF, trace: errTracefs,
			files: with(debian, status("1000", "0000004000000000"), map[string]string{"proc/sys/kernel/perf_event_paranoid": "2\n"}),
			want:  doctor.Finding{Detail: "kernel.perf_event_paranoid is 2, which permits tracing"},
		},
		{
			name: "no CAP_PERFMON", finding: "perf", bpf: errBPF, trace: errTracefs,
			files: with(user, map[string]string{"proc/sys/kernel/perf_event_paranoid": "0\n"}),
			want: doctor.Finding{
				State:  doctor.Failed,
				Detail: "kernel.perf_event_paranoid is 0 and CAP_PERFMON is missing: the source trace cannot open its event",
				Fix:    "sudo dropwatch watch",
			},
		},
		{
			name: "CAP_PERFMON on Ubuntu", finding: "perf", bpf: errBPF, trace: errPerf,
			files: with(debian, status("1000", "0000004000000000"), map[string]string{"proc/sys/kernel/perf_event_paranoid": "4\n"}),
			want: doctor.Finding{
				State:  doctor.Failed,
				Detail: "kernel.perf_event_paranoid is 4, for which CAP_PERFMON is not enough",
				Fix:    "sudo sysctl kernel.perf_event_paranoid=2",
			},
		},
		{
			name: "small rings", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         8192    65536  bytes\n"}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "kernel.perf_event_mlock_kb is 516 and CAP_IPC_LOCK is missing: trace needs 524 for each CPU, and " +
					"the rest exceeds ulimit -l",
				Fix: "sudo sysctl kernel.perf_event_mlock_kb=524",
			},
		},
		{
			name: "rings by ulimit", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         16384    65536  bytes\n"}),
			want:  doctor.Finding{Detail: "enough memory can be locked: kernel.perf_event_mlock_kb is 516, and ulimit -l adds the rest"},
		},
		{
			name: "rings without limit", finding: "rings", bpf: errBPF, trace: errPerf,
			files: with(user, map[string]string{"proc/self/limits": "Max locked memory         unlimited    unlimited  bytes\n"}),
			want:  doctor.Finding{Detail: "enough memory can be locked: kernel.perf_event_mlock_kb is 516, and ulimit -l adds the rest"},
		},
		{
			name: "processes of others", finding: "owners", files: with(debian, map[string]string{"proc/1/fd": denied}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "cannot read the sockets of all processes, so owners are marked ? as likely: " +
					"a security module such as AppArmor or SELinux forbids it: run it outside the profile that this shows",
				Fix: "cat /proc/self/attr/current",
			},
		},
		{
			name: "processes of others, as a user", finding: "owners", files: with(user, map[string]string{"proc/1/fd": denied}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "cannot read the sockets of all processes, so owners are marked ? as likely: " +
					"CAP_SYS_PTRACE is missing",
				Fix: "sudo dropwatch watch",
			},
		},
		{
			name: "processes of others, in a container", finding: "owners", files: with(container, map[string]string{"proc/1/fd": denied}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "cannot read the sockets of all processes, so owners are marked ? as likely: " +
					"CAP_SYS_PTRACE is missing",
				Fix: "docker run --cap-add SYS_PTRACE ...",
			},
		},
		{
			name: "processes of others, in a container with all capabilities", finding: "owners",
			files: with(container, status("0", "000001ffffffffff"), map[string]string{"proc/1/fd": denied}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "cannot read the sockets of all processes, so owners are marked ? as likely: " +
					"a security module such as AppArmor or SELinux forbids it",
				Fix: "docker run --security-opt apparmor=unconfined --security-opt label=disable ...",
			},
		},
		{
			name: "all processes", finding: "owners", files: with(debian, map[string]string{"proc/1/fd/0": ""}),
			want: doctor.Finding{Detail: "can read the sockets of all processes"},
		},
		{
			name: "no kallsyms", finding: "symbols", files: with(debian, map[string]string{"proc/kallsyms": denied}),
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "cannot read /proc/kallsyms: open proc/kallsyms: permission denied: locations are addresses where " +
					"the kernel does not name them",
			},
		},
		{
			name: "locked a little", finding: "lockdown",
			files: with(debian, map[string]string{"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}),
			want:  doctor.Finding{Detail: "integrity: does not affect any source, but modules must be signed"},
		},
		{
			name: "no lockdown", finding: "lockdown",
			files: with(debian, map[string]string{"sys/kernel/security/lockdown": gone, "sys/kernel/security/lsm": "capability"}),
			want:  doctor.Finding{Detail: "none"},
		},
		{
			name: "no BTF", finding: "btf", files: with(debian, map[string]string{"sys/kernel/btf/vmlinux": gone}), bpf: errBPF,
			want: doctor.Finding{
				State: doctor.Warning,
				Detail: "/sys/kernel/btf/vmlinux is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF, which the " +
					"source bpf needs",
			},
		},
		{
			name: "no CAP_PERFMON beside CAP_BPF", finding: "bpf", bpf: errBPF,
			files: with(user, status("1000", "0000008000000000")),
			want:  doctor.Finding{State: doctor.Warning, Detail: errBPF.Error(), Fix: "sudo dropwatch watch"},
		},
		{
			name: "all capabilities, and yet", finding: "bpf", files: debian, bpf: errBPF,
			want: doctor.Finding{State: doctor.Warning, Detail: errBPF.Error()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := subject{files: tt.files, monitor: tt.monitor, bpf: tt.bpf, trace: tt.trace, loads: tt.loads}.examine()
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

package systemd

import (
	"fmt"
	"strings"
)

// A Unit is a service that systemd is to run.
type Unit struct {
	Command      []string // the program by its path, and its arguments
	Capabilities []string // all that it has, as in CAP_BPF
	Writable     []string // what it may write below /sys; a path that is not there is ignored
}

// String returns the unit file. What it forbids beyond the defaults of systemd, it says in order of
// what is restricted: files, kernel, processes, system calls. Not restricted are /proc/kallsyms,
// which names locations, and the processes of others, which own packets.
func (u *Unit) String() string {
	words := make([]string, len(u.Command))
	for i, word := range u.Command {
		words[i] = quote(word)
	}
	writable := ""
	for _, path := range u.Writable {
		writable += "ReadWritePaths=" + quote("-"+path) + "\n"
	}
	return fmt.Sprintf(unit, strings.Join(words, " "), strings.Join(u.Capabilities, " "), writable)
}

// quote quotes a word of a command line, in which % and $ have a meaning (systemd.service(5)).
func quote(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(word) + `"`
}

// unit is the text, without the command, the capabilities and the paths. ProtectKernelTunables and
// ProtectKernelLogs are left out: the former hides /proc/kallsyms, the latter takes CAP_SYSLOG. ReadOnlyPaths
// has what the former protects from a service with CAP_DAC_OVERRIDE.
// LimitMEMLOCK is for BPF before Linux 5.11. A small system has a shell, which kills by itself, and no /bin/kill.
const unit = `[Unit]
Description=Records where and why this host drops packets
Documentation=man:dropwatch(8)

[Service]
Type=notify
ExecStart=%[1]s
ExecReload=/bin/sh -c "kill -HUP $MAINPID"
Restart=on-failure
RestartSec=5s
WatchdogSec=30s
LimitMEMLOCK=infinity

# It is no user that exists, and may write to /var/lib/dropwatch and /var/log/dropwatch.
DynamicUser=true
StateDirectory=dropwatch
StateDirectoryMode=0700
LogsDirectory=dropwatch
LogsDirectoryMode=0700
UMask=0077
ProtectSystem=strict
ProtectHome=true
PrivateTmp=true
PrivateDevices=true
PrivateMounts=true
ReadOnlyPaths=/proc/sys /sys -/proc/sysrq-trigger -/proc/irq -/proc/bus -/proc/acpi -/proc/fs -/proc/mtrr -/proc/scsi
%[3]s
CapabilityBoundingSet=%[2]s
AmbientCapabilities=%[2]s
NoNewPrivileges=true
RestrictSUIDSGID=true
ProtectKernelModules=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
ProtectProc=invisible
KeyringMode=private

RestrictNamespaces=true
RestrictRealtime=true
RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET AF_INET6
LockPersonality=true
MemoryDenyWriteExecute=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=bpf perf_event_open
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`

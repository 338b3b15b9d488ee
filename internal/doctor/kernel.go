package doctor

import (
	"io/fs"
	"strings"
)

// kernel tells what drops of this version come with.
func (e *exam) kernel() Finding {
	switch {
	case e.major == 0:
		return unknown("its version cannot be read from /proc/sys/kernel/osrelease")
	case e.before(5, 4):
		return warning("%s: no packets, no hardware drops (5.4) and no reasons (5.17)", e.release)
	case e.before(5, 17):
		return warning("%s: no reasons (5.17), unless it has them as RHEL 9 does", e.release)
	}
	return ok("%s: packets, hardware drops (5.4) and reasons (5.17)", e.release)
}

// needed are the options by which a source stands or falls.
var needed = []string{"NET_DROP_MONITOR", "PERF_EVENTS", "EVENT_TRACING"}

func (e *exam) config() Finding {
	if e.optionsErr != nil {
		f := unknown("options of the kernel cannot be read: %v", e.optionsErr)
		if !e.contained && e.hasModule(e.release, "dep", "configs") {
			f.Remedy = "sudo modprobe configs"
		}
		return f
	}
	var lacking, all []string
	for _, name := range needed {
		value := e.options.set(name)
		if value == "" {
			lacking, value = append(lacking, name), "n"
		}
		all = append(all, "CONFIG_"+name+"="+value)
	}
	f := ok("%s: %s", e.options.path, strings.Join(all, ", "))
	if len(lacking) > 0 {
		f.State = Warning
	}
	return f
}

// lockdown reads the level (security/lockdown/lockdown.c): confidentiality
// refuses perf and tracefs.
func (e *exam) lockdown() Finding {
	const file = "sys/kernel/security/lockdown"
	text, err := e.text(file)
	if err != nil {
		if entries, _ := fs.ReadDir(e.FS, "sys/kernel/security"); len(entries) == 0 {
			return unknown("securityfs is not mounted")
		}
		return ok("this kernel has none")
	}
	_, level, _ := strings.Cut(text, "[")
	level, _, _ = strings.Cut(level, "]")
	switch level {
	case "confidentiality":
		return wrong("confidentiality: the kernel refuses perf and tracefs until it is booted without lockdown=confidentiality")
	case "integrity":
		return ok("integrity: no matter for netdm and trace, but modules must be signed")
	}
	return ok("%s", level)
}

// bpf only informs.
func (e *exam) bpf() Finding {
	if !e.exists("sys/kernel/btf/vmlinux") {
		return unknown("no BTF in /sys/kernel/btf/vmlinux; no source needs it")
	}
	may := "CAP_BPF and CAP_PERFMON are there"
	if !e.caps.has(sysAdmin) && !(e.caps.has(bpf) && e.caps.has(perfmon)) {
		may = "CAP_BPF or CAP_PERFMON is missing"
	}
	disabled, err := e.sysctl("kernel/unprivileged_bpf_disabled")
	if err != nil {
		disabled = "unknown"
	}
	return ok("BTF is there, %s, kernel.unprivileged_bpf_disabled is %s; no source needs it", may, disabled)
}

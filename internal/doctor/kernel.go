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
// refuses BPF that reads the kernel's memory, perf and tracefs.
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
		return wrong("confidentiality: the kernel refuses BPF, perf and tracefs until it is booted without lockdown=confidentiality")
	case "integrity":
		return ok("integrity: no matter for any source, but modules must be signed")
	}
	return ok("%s", level)
}

// btf tells whether the kernel describes its own types, which bpf reads them by.
func (e *exam) btf() Finding {
	const file = "sys/kernel/btf/vmlinux"
	if !e.exists(file) {
		return wrong("/%s is not there: the kernel was built without CONFIG_DEBUG_INFO_BTF, which the source bpf needs", file)
	}
	return ok("/%s is there", file)
}

func (e *exam) bpf() Finding {
	f := wrong("%v", e.bpfErr)
	switch may := e.caps.has(sysAdmin) || e.caps.has(bpf) && e.caps.has(perfmon); {
	case e.bpfErr == nil:
		return ok("skb:kfree_skb can be traced with BPF")
	case !may && !e.caps.has(bpf):
		return f.mend(e.permit(bpf))
	case !may:
		return f.mend(e.permit(perfmon))
	}
	return f
}

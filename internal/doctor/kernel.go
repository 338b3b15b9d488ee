package doctor

import (
	"errors"
	"io/fs"
	"strings"

	"dropwatch/internal/host"
)

// kernel says what the source netdm can report on this version.
func (e *exam) kernel() Finding {
	switch v := e.version; {
	case v == host.Version{}:
		return unknown("cannot read its version from /proc/sys/kernel/osrelease")
	case v.Before(5, 4):
		return warning("%s: no packets, no hardware drops (5.4) and no reasons (5.17)", e.release)
	case v.Before(5, 17):
		return warning("%s: no reasons (5.17), unless backported as in RHEL 9", e.release)
	}
	return ok("%s: packets, hardware drops (5.4) and reasons (5.17)", e.release)
}

// config says which sources this kernel was built for. It fails only if there is
// none: the checks of a source say what that one lacks.
func (e *exam) config() Finding {
	if e.optionsErr != nil {
		f := unknown("cannot read the kernel's options: %v", e.optionsErr)
		if !e.contained && e.HasModule(e.release, "dep", "configs") {
			f.Fix = "sudo modprobe configs"
		}
		return f
	}
	var has, lacks []string
	for _, source := range []struct {
		name  string
		needs host.Requirements
	}{{"bpf", e.needs.bpf}, {"netdm", e.needs.netdm}, {"trace", e.needs.trace}} {
		if missing := source.needs.Missing(e.options); len(missing) > 0 {
			lacks = append(lacks, source.name+" lacks CONFIG_"+strings.Join(missing, ", CONFIG_"))
		} else {
			has = append(has, source.name)
		}
	}
	if len(has) == 0 {
		return failed("%s: %s", e.options.File, strings.Join(lacks, "; "))
	}
	all := append([]string{"has the options for " + strings.Join(has, ", ")}, lacks...)
	return ok("%s: %s", e.options.File, strings.Join(all, "; "))
}

// lockdown names the level. In confidentiality mode the kernel refuses BPF that
// reads its memory, perf events and tracefs (security/lockdown,
// LOCKDOWN_BPF_READ_KERNEL, LOCKDOWN_PERF, LOCKDOWN_TRACEFS).
func (e *exam) lockdown() Finding {
	switch level, err := e.Lockdown(); {
	case errors.Is(err, fs.ErrNotExist):
		return unknown("securityfs is not mounted")
	case err != nil:
		return unknown("%v", err)
	case level == host.LockdownConfidentiality:
		return failed("confidentiality: BPF, perf and tracefs are refused until the host is booted without lockdown=confidentiality")
	case level == host.LockdownIntegrity:
		return ok("integrity: does not affect any source, but modules must be signed")
	default:
		return ok("%s", level)
	}
}

// btf checks for the description of the kernel's own types, by which the BPF
// program finds their fields.
func (e *exam) btf() Finding {
	const file = "sys/kernel/btf/vmlinux"
	if !e.Exists(file) {
		return failed("/%s is missing: the kernel was built without CONFIG_DEBUG_INFO_BTF, which the source bpf needs", file)
	}
	return ok("/%s exists", file)
}

// bpf says whether the source bpf could be opened.
func (e *exam) bpf() Finding {
	if e.bpfErr == nil {
		return ok("can trace skb:kfree_skb with BPF")
	}
	f := failed("%v", e.bpfErr)
	if lacks := e.caps.Lacks(e.needs.bpf.Capabilities...); len(lacks) > 0 && !e.caps.Has(host.CapSysAdmin) {
		return f.fix(e.permit(lacks[0]))
	}
	return f
}

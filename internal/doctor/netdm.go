package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// netdmOption is the kernel's option for the module, without CONFIG_.
const netdmOption = "NET_DROP_MONITOR"

// module says where the module drop_monitor is, or why it is missing.
func (e *exam) module() Finding {
	switch value := e.options.Values[netdmOption]; {
	case value == "y" || e.HasModule(e.release, "builtin", "drop_monitor"):
		return ok("drop_monitor is built into the kernel")
	case e.wasLoaded:
		return ok("drop_monitor is loaded")
	case e.isLoaded:
		return ok("drop_monitor was loaded by this check, which costs nothing until monitoring starts")
	case e.dialErr == nil:
		return ok("drop_monitor is available")
	case e.optionsErr == nil && value == "":
		return failed("not built for this kernel (CONFIG_%s is not set%s): %s", netdmOption, e.vendor(), e.instead())
	}
	return e.unloaded()
}

// instead says what to do on a kernel without the module.
func (e *exam) instead() string {
	switch {
	case e.bpfErr == nil:
		return "no action needed, the source bpf works"
	case e.traceErr == nil:
		return "no action needed, the source trace works"
	}
	return "use another kernel, or what fixes bpf or trace"
}

// unloaded says why a module is not loaded that was built, or may have been.
func (e *exam) unloaded() Finding {
	const load = "sudo modprobe drop_monitor"
	disabled, _ := e.Sysctl("kernel/modules_disabled")
	switch installed := e.Exists("lib/modules/" + e.release); {
	case disabled == "1":
		return failed("drop_monitor is not loaded, and kernel.modules_disabled is 1: module loading is disabled until the next boot").
			fix("echo drop_monitor | sudo tee /etc/modules-load.d/drop_monitor.conf && sudo reboot")
	case e.contained:
		return failed("drop_monitor is not loaded, and a container cannot load it: load it on the host").fix(load)
	case installed && e.HasModule(e.release, "dep", "drop_monitor"):
		return failed("drop_monitor is installed, but the kernel failed to load it").fix(load)
	case installed:
		return failed("drop_monitor is not installed in /lib/modules/%s", e.release).fix(e.install())
	case e.optionsErr == nil:
		return failed("/lib/modules/%s is missing: was the kernel updated since the last boot?", e.release).fix("sudo reboot")
	}
	return unknown("cannot read the options and the modules of this kernel")
}

// install returns the command that installs the module, on distributions whose
// package of the kernel does not have it or whose images leave it out; empty for
// others.
func (e *exam) install() string {
	for _, name := range e.Distributions() {
		switch name {
		case "ubuntu":
			return `sudo apt install "linux-modules-extra-$(uname -r)"`
		case "debian":
			return `sudo apt install --reinstall "linux-image-$(uname -r)"`
		case "fedora", "rhel", "centos":
			return `sudo dnf install "/lib/modules/$(uname -r)/kernel/net/core/drop_monitor.ko*"`
		}
	}
	return ""
}

// vendor names a vendor that is known to build kernels without the module, as an
// addition to a sentence.
func (e *exam) vendor() string {
	switch {
	case strings.Contains(e.release, "-rpi"), strings.HasSuffix(e.release, "-v8+"):
		return ", as in all of Raspberry Pi's"
	case slices.Contains(e.Distributions(), "alpine"):
		return ", as in Alpine's linux-lts and linux-virt"
	}
	return ""
}

// netns checks whether this is the initial network namespace, the only one with
// NET_DM (genl_family.netnsok is not set). It can be recognized by its inode only
// since 6.18, and by /proc/1 only by the privileged.
func (e *exam) netns() Finding {
	switch initial, known := e.InInitialNetns(); {
	case e.dialErr == nil || initial:
		return ok("the initial one")
	case !known:
		return unknown("cannot check: /proc/sys/net is missing")
	case e.contained:
		return failed("a container's: NET_DM exists only in the host's").fix("docker run --network host ...")
	}
	return failed("not the initial one, which alone has NET_DM").fix("sudo nsenter -t 1 -n dropwatch watch")
}

// family checks for the generic netlink family, unless module or netns says why it
// is missing.
func (e *exam) family() Finding {
	switch {
	case e.dialErr == nil:
		return ok("NET_DM is available")
	case !errors.Is(e.dialErr, netlink.ErrNoFamily):
		return failed("%v", e.dialErr)
	case e.module().State == Failed || e.netns().State == Failed:
		return Finding{} // they say why
	}
	return failed("NET_DM is not available")
}

// start checks CAP_NET_ADMIN, which the configuring commands need
// (GENL_ADMIN_PERM).
func (e *exam) start() Finding {
	switch {
	case e.mayStart && errors.Is(e.runErr, netlink.ErrUnsupported):
		return ok("this kernel lets every user start monitoring")
	case e.mayStart:
		return ok("has CAP_NET_ADMIN: can configure, start and stop monitoring")
	case e.dialErr == nil && !errors.Is(e.runErr, netlink.ErrConfigurePermission):
		return failed("%v", e.runErr)
	}
	return failed("%s: cannot start monitoring", e.missing(host.CapNetAdmin)).fix(e.permit(host.CapNetAdmin))
}

// join checks whether alerts can be received. Since 6.7, and in stable kernels
// since December 2023, the multicast group needs CAP_SYS_ADMIN
// (GENL_MCAST_CAP_SYS_ADMIN).
func (e *exam) join() Finding {
	const need, admin = host.CapSysAdmin, "CAP_SYS_ADMIN"
	switch {
	case e.joinErr == nil && !e.caps.Has(need):
		return ok("can receive alerts: this kernel does not require %s for that", admin)
	case e.joinErr == nil:
		return ok("can receive alerts")
	case e.dialErr != nil && e.caps.Has(need):
		return ok("has %s: could receive alerts", admin)
	case e.dialErr != nil:
		return unknown("%s, which kernels since 6.7 and those of December 2023 require to receive alerts", e.missing(need)).
			fix(e.permit(need))
	case errors.Is(e.joinErr, netlink.ErrJoinPermission):
		return failed("%s, which this kernel requires to receive alerts", e.missing(need)).fix(e.permit(need))
	}
	return failed("cannot receive alerts: %v", e.joinErr)
}

// inUse checks whether another program has monitoring on. The kernel does not say
// which one: it is among those that receive alerts.
func (e *exam) inUse() Finding {
	switch {
	case e.dialErr != nil:
		return unknown("drop monitor not available")
	case e.runErr != nil:
		return unknown("cannot check whether it is on: %v", e.runErr)
	}
	const takeOver = "sudo dropwatch watch --takeover"
	users := e.users()
	switch {
	case !e.running:
		return ok("off")
	case slices.ContainsFunc(e.listeners, func(l host.Listener) bool { return l.PID == uint32(os.Getpid()) }):
		return ok("on, by this program")
	case e.listenersErr != nil:
		return warning("on, by an unknown program (%v)", e.listenersErr).fix(takeOver)
	case len(users) > 0:
		return warning("on, in use by %s: end it there, or take over", strings.Join(users, " and ")).fix(takeOver)
	}
	return warning("left on by a program that exited (nobody receives the alerts)").fix("echo stop | sudo dropwatch")
}

// users names the programs that receive alerts, escaped.
func (e *exam) users() (names []string) {
	for _, l := range e.listeners {
		names = append(names, fmt.Sprintf("%s (pid %d)", event.Quote(l.Comm), l.PID))
	}
	if e.hidden > 0 {
		names = append(names, "a program of another user")
	}
	return names
}

package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"dropwatch/netlink"
)

// module tells where drop_monitor is, or why it is not there.
func (e *exam) module() Finding {
	switch {
	case e.options.set("NET_DROP_MONITOR") == "y" || e.hasModule(e.release, "builtin", "drop_monitor"):
		return ok("drop_monitor is built into the kernel")
	case e.wasLoaded:
		return ok("drop_monitor is loaded")
	case e.isLoaded:
		return ok("drop_monitor was loaded by this look for it, which costs nothing until monitoring starts")
	case e.dialErr == nil:
		return ok("drop_monitor is there")
	case e.optionsErr == nil && e.options.set("NET_DROP_MONITOR") == "":
		return wrong("not built for this kernel (CONFIG_NET_DROP_MONITOR is not set%s): no command mends that, use another kernel or another source", e.vendor())
	}
	return e.unloaded()
}

// unloaded tells why a module that was, or may have been, built is not loaded.
func (e *exam) unloaded() Finding {
	const load = "sudo modprobe drop_monitor"
	disabled, _ := e.sysctl("kernel/modules_disabled")
	switch there := e.exists("lib/modules/" + e.release); {
	case disabled == "1":
		return wrong("drop_monitor is not loaded, and kernel.modules_disabled is 1: none can be until a boot").
			mend("echo drop_monitor | sudo tee /etc/modules-load.d/drop_monitor.conf && sudo reboot")
	case e.contained:
		return wrong("drop_monitor is not loaded, and a container cannot load it: on the host").mend(load)
	case there && e.hasModule(e.release, "dep", "drop_monitor"):
		return wrong("drop_monitor is installed, but the kernel could not load it when asked").mend(load)
	case there:
		return wrong("drop_monitor is not installed in /lib/modules/%s", e.release).mend(e.install())
	case e.optionsErr == nil:
		return wrong("/lib/modules/%s is not there: was the kernel updated since the boot?", e.release).mend("sudo reboot")
	}
	return unknown("neither options nor modules of this kernel can be read")
}

// install gives the command that installs the module where the distribution
// splits or loses it.
func (e *exam) install() string {
	for _, name := range e.distribution() {
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

// vendor names those who are known to build kernels without it.
func (e *exam) vendor() string {
	switch {
	case strings.Contains(e.release, "-rpi"), strings.HasSuffix(e.release, "-v8+"):
		return ", as in all of Raspberry Pi's"
	case slices.Contains(e.distribution(), "alpine"):
		return ", as in Alpine's linux-lts and linux-virt"
	}
	return ""
}

// netns tells whether this is the initial network namespace by what is only
// there since Linux 3.5: the host-wide ones of net.core's sysctls
// (net/core/sysctl_net_core.c net_core_table). Inodes tell it only since 6.18,
// and /proc/1 only to the privileged.
func (e *exam) netns() Finding {
	switch {
	case e.dialErr == nil || e.exists("proc/sys/net/core/netdev_max_backlog"):
		return ok("the initial one")
	case !e.exists("proc/sys/net/core/somaxconn"):
		return unknown("cannot be told: /proc/sys/net is not there")
	case e.contained:
		return wrong("a container's: NET_DM is only in the host's").mend("docker run --network host ...")
	}
	return wrong("not the initial one: NET_DM is only there").mend("sudo nsenter -t 1 -n dropwatch watch")
}

func (e *exam) family() Finding {
	switch {
	case e.dialErr == nil:
		return ok("NET_DM is there")
	case !errors.Is(e.dialErr, netlink.ErrNoFamily):
		return wrong("%v", e.dialErr)
	case e.module().State == Wrong || e.netns().State == Wrong:
		return Finding{} // they say so
	}
	return wrong("NET_DM is not there")
}

func (e *exam) start() Finding {
	switch {
	case e.mayStart && errors.Is(e.runErr, netlink.ErrUnsupported):
		return ok("this kernel lets everybody start monitoring")
	case e.mayStart:
		return ok("CAP_NET_ADMIN is there: monitoring can be set, started and stopped")
	case e.dialErr == nil && !errors.Is(e.runErr, netlink.ErrConfigurePermission):
		return wrong("%v", e.runErr)
	}
	return wrong("%s: monitoring cannot be started", e.missing(netAdmin)).mend(e.permit(netAdmin))
}

func (e *exam) join() Finding {
	switch {
	case e.joinErr == nil && !e.caps.has(sysAdmin):
		return ok("this kernel lets us listen without CAP_SYS_ADMIN")
	case e.joinErr == nil:
		return ok("alerts can be listened to")
	case e.dialErr != nil && e.caps.has(sysAdmin):
		return ok("CAP_SYS_ADMIN is there: alerts could be listened to")
	case e.dialErr != nil:
		return unknown("%s, which kernels since 6.7 and those of December 2023 ask of listeners", e.missing(sysAdmin)).mend(e.permit(sysAdmin))
	case errors.Is(e.joinErr, netlink.ErrJoinPermission):
		return wrong("%s, which this kernel asks of listeners", e.missing(sysAdmin)).mend(e.permit(sysAdmin))
	}
	return wrong("alerts cannot be listened to: %v", e.joinErr)
}

// inUse tells whether monitoring is on by another's hand.
func (e *exam) inUse() Finding {
	switch {
	case e.dialErr != nil:
		return unknown("there is none to ask")
	case e.runErr != nil:
		return unknown("whether it is on cannot be told: %v", e.runErr)
	}
	const takeOver = "sudo dropwatch watch --takeover"
	holders := e.holders()
	switch {
	case !e.running:
		return ok("off")
	case slices.ContainsFunc(e.peers, func(p netlink.Peer) bool { return p.PID == os.Getpid() }):
		return ok("on, and we listen")
	case e.peersErr != nil:
		return warning("on, by whom cannot be told (%v)", e.peersErr).mend(takeOver)
	case len(holders) > 0:
		return warning("on, in use by %s: end it there, or take over", strings.Join(holders, " and ")).mend(takeOver)
	}
	return warning("left on by a program that has ended (nobody listens)").mend("echo stop | sudo dropwatch")
}

// holders names who listens, which is who switched monitoring on as far as can
// be told.
func (e *exam) holders() (names []string) {
	for _, p := range e.peers {
		names = append(names, fmt.Sprintf("%s (pid %d)", p.Command, p.PID))
	}
	if e.hidden > 0 {
		names = append(names, "a program of another user")
	}
	return names
}

package app

import (
	"errors"
	"fmt"
	"syscall"

	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// advice says what to do about an error that people meet.
var advice = []struct {
	err  error
	text string
}{
	{netlink.ErrNoFamily, "try `modprobe drop_monitor`; it needs a kernel with CONFIG_NET_DROP_MONITOR, and the host's own network namespace, not a container's"},
	{netlink.ErrConfigurePermission, "run it as root (sudo), or give it CAP_NET_ADMIN in the host's user namespace"},
	{netlink.ErrJoinPermission, "run it as root (sudo), or give it CAP_SYS_ADMIN besides CAP_NET_ADMIN: this kernel asks for both"},
	{netlink.ErrUnsupported, "alert modes, truncation, queues and statistics need Linux 5.4 or later; hardware drops a kernel with devlink, without which `set hw false`, or dump -o sw, helps"},
	{netdm.ErrSwitchedOff, "start again when it is done; `status` says who listens"},
	{syscall.ENOSPC, "free space, or write elsewhere"},
	{syscall.EPIPE, "the reader has gone"},
}

// advise appends what to do to what failed and why.
func advise(err error) error {
	if err == nil {
		return nil
	}
	if inUse := (*netdm.InUseError)(nil); errors.As(err, &inUse) {
		return fmt.Errorf("%w: end it there, or take over: `set takeover true` in a session, --takeover on the command line; or watch beside it, with source trace", err)
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Errorf("%w: %s", err, a.text)
		}
	}
	return err
}

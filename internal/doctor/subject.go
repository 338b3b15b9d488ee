package doctor

import (
	"dropwatch/internal/host"
	"dropwatch/netlink"
)

// A Source is a source of drops that Examine tries.
type Source struct {
	Needs host.Requirements // to say what is missing when Try fails

	// Try opens the source and closes it again. Its error says why it cannot be
	// opened, and what to do.
	Try func() error
}

// A Subject is what Examine examines. All fields are required; tests bring a host
// of files.
type Subject struct {
	Host *host.Host

	// Monitor connects to NET_DM; [Dial] is the real one. The error wraps
	// [netlink.ErrNoFamily] where there is none.
	Monitor func() (Monitor, error)

	BPF, Trace Source            // which are opened and closed
	Netdm      host.Requirements // what the source netdm needs

	// Retrans tries the sources of what TCP sends again, as Try does. Source is the first that works, empty if
	// none does. The error says why those before it do not.
	Retrans func() (source string, err error)
}

// A Monitor is what can be read of NET_DM without changing it. Its errors are those
// of [netlink.Client].
type Monitor interface {
	Running() (bool, error)
	Join() error // joins the multicast group of the alerts, and leaves it again
	Group() uint32
	Close() error
}

// Dial connects to NET_DM of the running host, for which the kernel may load the
// module. The error is that of [netlink.Dial].
func Dial() (Monitor, error) {
	c, err := netlink.Dial()
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// client is a Monitor on a netlink.Client.
type client struct{ *netlink.Client }

// Join opens the socket that a run would receive alerts by, and closes it.
func (c client) Join() error {
	l, err := c.Listen(netlink.ListenConfig{})
	if err != nil {
		return err
	}
	return l.Close()
}

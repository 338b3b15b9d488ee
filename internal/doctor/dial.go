package doctor

import "dropwatch/netlink"

// Dial finds the host's own NET_DM. The error is that of [netlink.Dial].
func Dial() (Monitor, error) {
	c, err := netlink.Dial()
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

type client struct{ *netlink.Client }

func (c client) Join() error {
	l, err := c.Listen(netlink.ListenConfig{})
	if err != nil {
		return err
	}
	return l.Close()
}

func (c client) Peers() ([]netlink.Peer, int, error) { return netlink.Peers("/proc", c.Group()) }

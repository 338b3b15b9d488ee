// Package netlink is a client of NET_DM, the kernel's drop monitor: the
// generic netlink family that reports packets which the kernel frees instead
// of delivering (net/core/drop_monitor.c, include/uapi/linux/net_dropmon.h).
//
// A [Client] holds the control socket: it configures, starts, stops and
// queries the monitor. A [Listener], made by [Client.Listen], holds a socket
// of its own that has joined the "events" group and receives the alerts, so
// that a command never waits behind them. A [Decoder] turns the bytes of an
// alert into an [Alert].
//
// The monitor is one for the whole host, belongs to no socket and outlives
// the process that started it: whoever calls [Client.Start] must call
// [Client.Stop], and restore the [Config] that it found. Alerts are only sent
// to the initial network namespace, and to all that listen there.
//
// # Privileges
//
// Reading the configuration and the statistics needs none. Configuring,
// starting and stopping need CAP_NET_ADMIN in the initial user namespace.
// Listening needs CAP_SYS_ADMIN on kernels since 6.7, and on the stable
// kernels of December 2023 and later (commit e03781879a0d).
package netlink

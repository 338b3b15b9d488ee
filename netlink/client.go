package netlink

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/genetlink"
	nl "github.com/mdlayher/netlink"
)

// A Client is the control side of the drop monitor. It is safe for concurrent
// use. Errors of its methods are an [*Error] and match the sentinels that each
// method names; any request fails with [ErrNoFamily] once the drop_monitor
// module is unloaded, until [Client.Refresh].
type Client struct {
	conn *genetlink.Conn
	at   atomic.Pointer[address]
}

// An address is what the kernel numbered the family and its group. It changes when the
// module is loaded again.
type address struct {
	family  uint16
	group   uint32
	version uint8
}

// Dial opens the control socket and looks up the NET_DM family, which makes the kernel load
// its drop_monitor module if the host can load modules. The caller closes the Client. The
// error is [ErrNoFamily] if there is no such family.
func Dial() (*Client, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, newError("open a generic netlink socket", err, nil)
	}
	// Without it the kernel's errors come without words (before Linux 4.12).
	_ = conn.SetOption(nl.ExtendedAcknowledge, true)
	c, err := newClient(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// newClient looks up the family and its group by name over conn.
func newClient(conn *genetlink.Conn) (*Client, error) {
	c := &Client{conn: conn}
	if err := c.Refresh(); err != nil {
		return nil, err
	}
	return c, nil
}

// Refresh looks up the family again, after a request failed with [ErrNoFamily]: the
// drop_monitor module was unloaded, which also discards its configuration. That loads
// the module again, where the host can load modules; otherwise the error is
// [ErrNoFamily].
func (c *Client) Refresh() error {
	const op = "find the NET_DM family"
	family, err := c.conn.GetFamily(familyName)
	if errors.Is(err, os.ErrNotExist) {
		return &Error{Op: op, Err: syscall.ENOENT, kind: ErrNoFamily}
	}
	if err != nil {
		return newError(op, err, nil)
	}
	for _, g := range family.Groups {
		if g.Name == groupName {
			c.at.Store(&address{family.ID, g.ID, family.Version})
			return nil
		}
	}
	return &Error{Op: op, Err: fmt.Errorf("it has no group %q", groupName)}
}

// Close closes the control socket. The monitor stays as it is.
func (c *Client) Close() error { return c.conn.Close() }

// Group is the id of the multicast group of the alerts.
func (c *Client) Group() uint32 { return c.at.Load().group }

// A Config is the configuration of the kernel's monitor. It outlives the process that
// set it.
type Config struct {
	Mode     AlertMode // what an alert is: a summary, or a packet
	TruncLen uint32    // bytes of a packet that an alert carries at most; 0: all
	QueueLen uint32    // packets that may wait on each CPU; with 0 all are lost
}

// DefaultConfig is the configuration that the module begins with (net_dm_alert_mode,
// net_dm_trunc_len and net_dm_queue_len, net/core/drop_monitor.c).
var DefaultConfig = Config{Mode: ModeSummary, TruncLen: 0, QueueLen: 1000}

// Config reads the configuration. [ErrUnsupported] before Linux 5.4.
func (c *Client) Config() (cfg Config, err error) {
	err = c.query("read the configuration", cmdConfigGet, cmdConfigNew, func(ad *nl.AttributeDecoder) {
		switch ad.Type() {
		case attrAlertMode:
			cfg.Mode = AlertMode(ad.Uint8())
		case attrTruncLen:
			cfg.TruncLen = ad.Uint32()
		case attrQueueLen:
			cfg.QueueLen = ad.Uint32()
		}
	})
	return cfg, err
}

// SetConfig sets the whole configuration. [ErrMonitoring] while the monitor is
// on, [ErrConfigurePermission], [ErrUnsupported] before Linux 5.4.
func (c *Client) SetConfig(cfg Config) error {
	return c.configure("configure monitoring", func(ae *nl.AttributeEncoder) {
		ae.Uint8(attrAlertMode, uint8(cfg.Mode))
		ae.Uint32(attrTruncLen, cfg.TruncLen)
		ae.Uint32(attrQueueLen, cfg.QueueLen)
	})
}

// SetAlertMode sets Config.Mode alone; its errors are those of
// [Client.SetConfig].
func (c *Client) SetAlertMode(m AlertMode) error {
	return c.configure("set the alert mode", func(ae *nl.AttributeEncoder) {
		ae.Uint8(attrAlertMode, uint8(m))
	})
}

// SetTruncLen sets Config.TruncLen alone; its errors are those of
// [Client.SetConfig].
func (c *Client) SetTruncLen(n uint32) error {
	return c.configure("set the truncation length", func(ae *nl.AttributeEncoder) {
		ae.Uint32(attrTruncLen, n)
	})
}

// SetQueueLen sets Config.QueueLen alone; its errors are those of
// [Client.SetConfig].
func (c *Client) SetQueueLen(n uint32) error {
	return c.configure("set the queue length", func(ae *nl.AttributeEncoder) {
		ae.Uint32(attrQueueLen, n)
	})
}

// Stats are how many packets had no alert because the queue of their CPU was full, since
// the module was loaded. They are never reset: a reader takes the difference of two.
type Stats struct {
	Software, Hardware uint64 // packets, of all CPUs together
}

// Stats reads the statistics. [ErrUnsupported] before Linux 5.4.
func (c *Client) Stats() (s Stats, err error) {
	err = c.query("read the statistics", cmdStatsGet, cmdStatsNew, func(ad *nl.AttributeDecoder) {
		switch ad.Type() {
		case attrStats:
			ad.Nested(dropped(&s.Software))
		case attrHWStats:
			ad.Nested(dropped(&s.Hardware))
		}
	})
	return s, err
}

// dropped decodes the nest of NET_DM_ATTR_STATS into n.
func dropped(n *uint64) func(*nl.AttributeDecoder) error {
	return func(ad *nl.AttributeDecoder) error {
		for ad.Next() {
			if ad.Type() == attrStatsDropped {
				*n = ad.Uint64()
			}
		}
		return nil
	}
}

// Start switches monitoring on for the whole host. [ErrAlreadyOn] when one of
// origins is on already, in which case nothing changed;
// [ErrConfigurePermission]; [ErrUnsupported] for hardware on a kernel without
// devlink.
func (c *Client) Start(origins Origins) error {
	return c.monitor("start monitoring", cmdStart, origins)
}

// Stop switches monitoring off for the whole host, whoever switched it on, and
// discards the packets and counts that the kernel has not sent yet. If it is off already
// there is no error, except on old kernels: [ErrAlreadyOff].
func (c *Client) Stop(origins Origins) error {
	return c.monitor("stop monitoring", cmdStop, origins)
}

// Running reports whether monitoring is on, whoever switched it on. The kernel has no
// request for that: Running sends a CONFIG without attributes, which changes nothing and
// which the kernel refuses (EBUSY) exactly while monitoring is on (net_dm_cmd_config).
// [ErrConfigurePermission], and [ErrUnsupported] before Linux 5.4.
func (c *Client) Running() (bool, error) {
	err := c.configure("find out whether monitoring is on", func(*nl.AttributeEncoder) {})
	if errors.Is(err, ErrMonitoring) {
		return true, nil
	}
	return false, err
}

// FamilyMessage returns the netlink message, with its header, in which the kernel
// states the id of the NET_DM family. A reader of stored alerts needs it to recognise
// them: the id differs from boot to boot.
func (c *Client) FamilyMessage() ([]byte, error) {
	const op = "read the NET_DM family's description"
	ae := nl.NewAttributeEncoder()
	ae.String(ctrlAttrFamilyName, familyName)
	data, err := ae.Encode()
	if err != nil {
		return nil, newError(op, err, nil)
	}
	req := genetlink.Message{Header: genetlink.Header{Command: ctrlCmdGetFamily, Version: 1}, Data: data}
	msgs, err := c.conn.Execute(req, genlIDCtrl, nl.Request)
	if err != nil {
		return nil, newError(op, err, nil)
	}
	if len(msgs) != 1 {
		return nil, &Error{Op: op, Err: fmt.Errorf("the kernel answered %d messages, not one", len(msgs))}
	}
	body, err := msgs[0].MarshalBinary()
	if err != nil {
		return nil, newError(op, err, nil)
	}
	// genetlink does not return the header that came from the kernel: this one is equal.
	m := nl.Message{Header: nl.Header{Length: uint32(nlmsgHdrLen + len(body)), Type: genlIDCtrl}, Data: body}
	b, err := m.MarshalBinary()
	return b, newError(op, err, nil)
}

// Of the generic netlink controller, include/uapi/linux/genetlink.h.
const (
	genlIDCtrl         = 0x10 // GENL_ID_CTRL
	ctrlCmdGetFamily   = 3    // CTRL_CMD_GETFAMILY
	ctrlAttrFamilyName = 2    // CTRL_ATTR_FAMILY_NAME
)

// What errnos mean in the answer to each kind of request
// (net/core/drop_monitor.c, and net/netlink/genetlink.c for ENOENT, which comes
// once the module is unloaded, EPERM and EOPNOTSUPP).
var (
	configErrors = map[syscall.Errno]error{
		syscall.ENOENT:     ErrNoFamily,
		syscall.EBUSY:      ErrMonitoring,
		syscall.EPERM:      ErrConfigurePermission,
		syscall.EOPNOTSUPP: ErrUnsupported,
		errnoENOTSUPP:      ErrUnsupported,
	}
	startErrors = map[syscall.Errno]error{
		syscall.ENOENT:     ErrNoFamily,
		syscall.EAGAIN:     ErrAlreadyOn,
		syscall.EPERM:      ErrConfigurePermission,
		syscall.EOPNOTSUPP: ErrUnsupported,
	}
	stopErrors = map[syscall.Errno]error{
		syscall.ENOENT:     ErrNoFamily,
		syscall.EAGAIN:     ErrAlreadyOff,
		syscall.EPERM:      ErrConfigurePermission,
		syscall.EOPNOTSUPP: ErrUnsupported,
	}
	queryErrors = map[syscall.Errno]error{
		syscall.ENOENT:     ErrNoFamily,
		syscall.EOPNOTSUPP: ErrUnsupported,
	}
)

// errnoENOTSUPP is the kernel's internal ENOTSUPP, with which Linux before 5.4 refused
// CONFIG. Package syscall has no such constant.
const errnoENOTSUPP = syscall.Errno(524)

// configure sends a CONFIG with the attributes that encode adds, and waits for the answer.
func (c *Client) configure(op string, encode func(*nl.AttributeEncoder)) error {
	_, err := c.execute(op, cmdConfig, nl.Acknowledge, encode, configErrors)
	return err
}

// monitor sends START or STOP for origins.
func (c *Client) monitor(op string, cmd uint8, origins Origins) error {
	kinds := startErrors
	if cmd == cmdStop {
		kinds = stopErrors
	}
	_, err := c.execute(op, cmd, nl.Acknowledge, func(ae *nl.AttributeEncoder) {
		ae.Flag(attrSWDrops, origins&Software != 0)
		ae.Flag(attrHWDrops, origins&Hardware != 0)
	}, kinds)
	return err
}

// query sends a request without attributes, and calls decode for each attribute of the
// answer, whose command must be want.
func (c *Client) query(op string, cmd, want uint8, decode func(*nl.AttributeDecoder)) error {
	msgs, err := c.execute(op, cmd, 0, func(*nl.AttributeEncoder) {}, queryErrors)
	if err != nil {
		return err
	}
	if len(msgs) != 1 || msgs[0].Header.Command != want {
		return &Error{Op: op, Err: fmt.Errorf("the kernel answered %d messages, not one of command %d", len(msgs), want)}
	}
	ad, err := nl.NewAttributeDecoder(msgs[0].Data)
	if err != nil {
		return newError(op, err, nil)
	}
	for ad.Next() {
		decode(ad)
	}
	return newError(op, ad.Err(), nil)
}

// execute sends a request to the family and returns the answers. Kinds gives the sentinels
// of the errnos that the request may be refused with.
func (c *Client) execute(op string, cmd uint8, flags nl.HeaderFlags, encode func(*nl.AttributeEncoder),
	kinds map[syscall.Errno]error,
) ([]genetlink.Message, error) {
	ae := nl.NewAttributeEncoder()
	encode(ae)
	data, err := ae.Encode()
	if err != nil {
		return nil, newError(op, err, nil)
	}
	at := c.at.Load()
	req := genetlink.Message{Header: genetlink.Header{Command: cmd, Version: at.version}, Data: data}
	msgs, err := c.conn.Execute(req, at.family, nl.Request|flags)
	return msgs, newError(op, err, kinds)
}

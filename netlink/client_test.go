package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/genetlink/genltest"
	nl "github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
)

var testFamily = genetlink.Family{
	ID: 0x22, Version: 2, Name: "NET_DM",
	Groups: []genetlink.MulticastGroup{{ID: 9, Name: "other"}, {ID: 7, Name: "events"}},
}

// testClient gives a Client whose requests fn answers.
func testClient(t *testing.T, fn genltest.Func) *Client {
	t.Helper()
	c, err := newClient(genltest.Dial(genltest.ServeFamily(testFamily, fn)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// knownClient returns a Client that has found testFamily.
func knownClient(conn *genetlink.Conn) *Client {
	c := &Client{conn: conn}
	c.at.Store(&address{testFamily.ID, 7, testFamily.Version})
	return c
}

// A call is a method of Client, and the op that its errors begin with.
type call struct {
	op  string
	do  func(*Client) error
	cmd uint8
}

var calls = []call{
	{"read the configuration", func(c *Client) error { _, err := c.Config(); return err }, cmdConfigGet},
	{"read the statistics", func(c *Client) error { _, err := c.Stats(); return err }, cmdStatsGet},
	{"configure monitoring", func(c *Client) error { return c.SetConfig(Config{}) }, cmdConfig},
	{"set the alert mode", func(c *Client) error { return c.SetAlertMode(ModePacket) }, cmdConfig},
	{"set the truncation length", func(c *Client) error { return c.SetTruncLen(1) }, cmdConfig},
	{"set the queue length", func(c *Client) error { return c.SetQueueLen(1) }, cmdConfig},
	{"start monitoring", func(c *Client) error { return c.Start(Software) }, cmdStart},
	{"stop monitoring", func(c *Client) error { return c.Stop(Software) }, cmdStop},
	{"find out whether monitoring is on", func(c *Client) error { _, err := c.Running(); return err }, cmdConfig},
}

// TestRequests compares the bytes of every request.
func TestRequests(t *testing.T) {
	attr := func(typ uint16, data ...byte) nl.Attribute { return nl.Attribute{Type: typ, Data: data} }
	u32 := func(typ uint16, v uint32) nl.Attribute {
		return attr(typ, binary.NativeEndian.AppendUint32(nil, v)...)
	}
	start := func(o Origins) func(*Client) error { return func(c *Client) error { return c.Start(o) } }
	stop := func(o Origins) func(*Client) error { return func(c *Client) error { return c.Stop(o) } }
	all := Config{Mode: ModePacket, TruncLen: 1 << 20, QueueLen: 5}

	tests := map[string]struct {
		do    func(*Client) error
		cmd   uint8
		attrs []nl.Attribute
	}{
		"all":            {func(c *Client) error { return c.SetConfig(all) }, 2, []nl.Attribute{attr(1, 1), u32(9, 1<<20), u32(11, 5)}},
		"all zero":       {func(c *Client) error { return c.SetConfig(Config{}) }, 2, []nl.Attribute{attr(1, 0), u32(9, 0), u32(11, 0)}},
		"mode":           {func(c *Client) error { return c.SetAlertMode(ModePacket) }, 2, []nl.Attribute{attr(1, 1)}},
		"truncation":     {func(c *Client) error { return c.SetTruncLen(96) }, 2, []nl.Attribute{u32(9, 96)}},
		"queue":          {func(c *Client) error { return c.SetQueueLen(1<<32 - 1) }, 2, []nl.Attribute{u32(11, 1<<32-1)}},
		"running":        {func(c *Client) error { _, err := c.Running(); return err }, 2, nil},
		"start neither":  {start(0), 3, nil},
		"start software": {start(Software), 3, []nl.Attribute{attr(20)}},
		"start both":     {start(Software | Hardware), 3, []nl.Attribute{attr(20), attr(21)}},
		"stop hardware":  {stop(Hardware), 4, []nl.Attribute{attr(21)}},
		"stop both":      {stop(Software | Hardware), 4, []nl.Attribute{attr(20), attr(21)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := 0
			c := testClient(t, func(greq genetlink.Message, nreq nl.Message) ([]genetlink.Message, error) {
				n++
				want := genetlink.Message{Header: genetlink.Header{Command: tt.cmd, Version: 2},
					Data: nltest.MustMarshalAttributes(tt.attrs)}
				if diff := cmp.Diff(want, greq); diff != "" {
					t.Error("(-want +got)", diff)
				}
				if h := nreq.Header; h.Type != 0x22 || h.Flags != nl.Request|nl.Acknowledge {
					t.Errorf("header %+v", h)
				}
				return nil, genltest.Error(0)
			})
			if err := tt.do(c); err != nil || n != 1 {
				t.Errorf("%d requests, error %v", n, err)
			}
		})
	}
}

// answer makes a genltest.Func that checks a query and answers it.
func answer(t *testing.T, cmd uint8, replies ...genetlink.Message) genltest.Func {
	return func(greq genetlink.Message, nreq nl.Message) ([]genetlink.Message, error) {
		want := genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 2}, Data: []byte{}}
		if diff := cmp.Diff(want, greq); diff != "" || nreq.Header.Flags != nl.Request {
			t.Errorf("flags %v (-want +got) %s", nreq.Header.Flags, diff)
		}
		return replies, nil
	}
}

func reply(cmd uint8, encode func(*nl.AttributeEncoder)) genetlink.Message {
	ae := nl.NewAttributeEncoder()
	encode(ae)
	data, err := ae.Encode()
	if err != nil {
		panic(err)
	}
	return genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 2}, Data: data}
}

func TestConfig(t *testing.T) {
	c := testClient(t, answer(t, 6, reply(7, func(ae *nl.AttributeEncoder) {
		ae.Uint8(1, 1)
		ae.Uint32(9, 128)
		ae.Uint32(11, 1000)
		ae.Uint64(99, 1) // a newer kernel's
	})))
	got, err := c.Config()
	if want := (Config{Mode: ModePacket, TruncLen: 128, QueueLen: 1000}); got != want || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestStats(t *testing.T) {
	nest := func(n uint64) func(*nl.AttributeEncoder) error {
		return func(ae *nl.AttributeEncoder) error {
			ae.Uint32(1, 5) // a newer kernel's
			ae.Uint64(0, n)
			return nil
		}
	}
	c := testClient(t, answer(t, 8, reply(9, func(ae *nl.AttributeEncoder) {
		ae.Nested(12, nest(1<<40))
		ae.Nested(13, nest(3))
	})))
	got, err := c.Stats()
	if want := (Stats{Software: 1 << 40, Hardware: 3}); got != want || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// TestBadReplies gives both queries answers that they cannot take.
func TestBadReplies(t *testing.T) {
	good := reply(cmdConfigNew, func(*nl.AttributeEncoder) {})
	raw := func(cmd uint8, data ...byte) genetlink.Message {
		return genetlink.Message{Header: genetlink.Header{Command: cmd}, Data: data}
	}
	tests := map[string][]genetlink.Message{
		"none":            {},
		"two":             {good, good},
		"other command":   {reply(cmdAlert, func(*nl.AttributeEncoder) {})},
		"cut attribute":   {raw(cmdConfigNew, binary.NativeEndian.AppendUint16(nil, 12)...)},
		"short attribute": {reply(cmdConfigNew, func(ae *nl.AttributeEncoder) { ae.Uint8(attrTruncLen, 1) })},
	}
	for name, replies := range tests {
		c := testClient(t, func(genetlink.Message, nl.Message) ([]genetlink.Message, error) { return replies, nil })
		if cfg, err := c.Config(); err == nil || !strings.HasPrefix(err.Error(), "read the configuration: ") {
			t.Errorf("%s: %+v, error %v", name, cfg, err)
		}
	}
	c := testClient(t, answer(t, cmdStatsGet, reply(cmdStatsNew, func(ae *nl.AttributeEncoder) { ae.Uint32(attrStats, 1) })))
	if s, err := c.Stats(); err == nil || !strings.HasPrefix(err.Error(), "read the statistics: ") {
		t.Errorf("garbled nest: %+v, error %v", s, err)
	}
}

// TestErrors answers every call with every errno.
func TestErrors(t *testing.T) {
	sentinels := []error{
		ErrNoFamily, ErrConfigurePermission, ErrJoinPermission, ErrMonitoring, ErrAlreadyOn, ErrAlreadyOff, ErrUnsupported,
	}
	every := []uint8{cmdConfig, cmdStart, cmdStop, cmdConfigGet, cmdStatsGet}
	commands := every[:3]
	tests := []struct {
		errno syscall.Errno
		kind  error   // which it means to
		cmds  []uint8 // these, and no sentinel to others
	}{
		{syscall.ENOENT, ErrNoFamily, every},
		{syscall.EPERM, ErrConfigurePermission, commands},
		{syscall.EOPNOTSUPP, ErrUnsupported, every},
		{syscall.Errno(524), ErrUnsupported, []uint8{cmdConfig}},
		{syscall.EBUSY, ErrMonitoring, []uint8{cmdConfig}},
		{syscall.EAGAIN, ErrAlreadyOn, []uint8{cmdStart}},
		{syscall.EAGAIN, ErrAlreadyOff, []uint8{cmdStop}},
		{syscall.EINVAL, nil, nil},
		{syscall.EINPROGRESS, nil, nil},
	}
	for _, tt := range tests {
		for _, call := range calls {
			if call.op == "find out whether monitoring is on" && tt.errno == syscall.EBUSY {
				continue // TestRunning
			}
			if tt.errno == syscall.EAGAIN && !strings.Contains(string(tt.cmds), string(rune(call.cmd))) {
				continue // the other row of EAGAIN
			}
			t.Run(fmt.Sprintf("%s/%v", call.op, tt.errno), func(t *testing.T) {
				c := testClient(t, func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
					return nil, genltest.Error(int(tt.errno))
				})
				err := call.do(c)
				if e, ok := errors.AsType[*Error](err); !ok || e.Op != call.op || !errors.Is(err, tt.errno) {
					t.Fatalf("%#v", err)
				}
				if !strings.HasPrefix(err.Error(), call.op+": ") {
					t.Errorf("text %q", err)
				}
				for _, s := range sentinels {
					want := s == tt.kind && strings.Contains(string(tt.cmds), string(rune(call.cmd)))
					if errors.Is(err, s) != want {
						t.Errorf("%v: is %q: %v", err, s, !want)
					}
				}
			})
		}
	}
}

// TestErrorMessage: genltest cannot carry the kernel's own words, nltest can.
func TestErrorMessage(t *testing.T) {
	const words = "drop_monitor: Cannot configure drop monitor during monitoring"
	conn := genetlink.NewConn(nltest.Dial(func(reqs []nl.Message) ([]nl.Message, error) {
		req := reqs[0]
		errno := -int32(syscall.EBUSY)
		data := binary.NativeEndian.AppendUint32(nil, uint32(errno)) // struct nlmsgerr
		data = binary.NativeEndian.AppendUint32(data, 16)
		data = append(data, make([]byte, 12)...)
		data = append(data, nltest.MustMarshalAttributes([]nl.Attribute{{Type: 1, Data: []byte(words + "\x00")}})...)
		h := nl.Header{Type: nl.Error, Flags: nl.Capped | nl.AcknowledgeTLVs, Sequence: req.Header.Sequence, PID: req.Header.PID}
		return []nl.Message{{Header: h, Data: data}}, nil
	}))
	err := knownClient(conn).SetQueueLen(1)
	if want := "set the queue length: monitoring is on (kernel: " + words + ")"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != words {
		t.Errorf("%#v", err)
	}
}

func TestRunning(t *testing.T) {
	tests := map[string]struct {
		errno syscall.Errno
		on    bool
		err   error
	}{
		"on":            {syscall.EBUSY, true, nil},
		"off":           {0, false, nil},
		"not permitted": {syscall.EPERM, false, ErrConfigurePermission},
		"old kernel":    {syscall.EOPNOTSUPP, false, ErrUnsupported},
	}
	for name, tt := range tests {
		c := testClient(t, func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
			return nil, genltest.Error(int(tt.errno))
		})
		if on, err := c.Running(); on != tt.on || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v", name, on, err)
		}
	}
}

func TestNewClient(t *testing.T) {
	if c := testClient(t, nil); c.Group() != 7 {
		t.Errorf("group %d", c.Group())
	}
	refuse := func(errno syscall.Errno) genltest.Func {
		return func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
			return nil, genltest.Error(int(errno))
		}
	}
	_, err := newClient(genltest.Dial(refuse(syscall.ENOENT)))
	if !errors.Is(err, ErrNoFamily) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no family: %v", err)
	}
	if _, err = newClient(genltest.Dial(refuse(syscall.ENOMEM))); errors.Is(err, ErrNoFamily) || !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("other error: %v", err)
	}
	groupless := genetlink.Family{ID: 1, Version: 2, Name: "NET_DM"}
	_, err = newClient(genltest.Dial(genltest.ServeFamily(groupless, nil)))
	if err == nil || err.Error() != `find the NET_DM family: it has no group "events"` {
		t.Errorf("no group: %v", err)
	}
}

// TestRefresh: the module was loaded again, and the family has another id.
func TestRefresh(t *testing.T) {
	again := testFamily
	again.ID, again.Version, again.Groups = 0x33, 3, []genetlink.MulticastGroup{{ID: 5, Name: "events"}}
	var sent []nl.Header
	conn := genltest.Dial(genltest.ServeFamily(again, func(_ genetlink.Message, m nl.Message) ([]genetlink.Message, error) {
		sent = append(sent, m.Header)
		return nil, nil
	}))
	c := knownClient(conn)
	if err := c.Refresh(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetQueueLen(1); err != nil || len(sent) == 0 || sent[0].Type != 0x33 {
		t.Errorf("sent %+v, %v", sent, err)
	}
	if c.Group() != 5 {
		t.Errorf("group %d, want 5", c.Group())
	}
}

// TestFamilyMessage gives the message to genetlink's own parser.
func TestFamilyMessage(t *testing.T) {
	msg, err := testClient(t, nil).FamilyMessage()
	if err != nil {
		t.Fatal(err)
	}
	var m nl.Message
	if err := m.UnmarshalBinary(msg); err != nil {
		t.Fatal(err)
	}
	if m.Header.Type != 0x10 || int(m.Header.Length) != len(msg) {
		t.Errorf("header %+v of %d bytes", m.Header, len(msg))
	}
	var g genetlink.Message
	if err := g.UnmarshalBinary(m.Data); err != nil {
		t.Fatal(err)
	}
	conn := genltest.Dial(func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
		return []genetlink.Message{g}, nil
	})
	got, err := conn.GetFamily("NET_DM")
	if diff := cmp.Diff(testFamily, got); diff != "" || err != nil {
		t.Error(err, "(-want +got)", diff)
	}
}

func TestFamilyMessageErrors(t *testing.T) {
	one := genetlink.Message{Header: genetlink.Header{Command: 1}}
	odd := genetlink.Message{Data: []byte{1}}
	tests := map[string]func(genetlink.Message, nl.Message) ([]genetlink.Message, error){
		"refused": func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
			return nil, genltest.Error(int(syscall.ENOENT))
		},
		"two": func(genetlink.Message, nl.Message) ([]genetlink.Message, error) {
			return []genetlink.Message{one, one}, nil
		},
		"odd": func(genetlink.Message, nl.Message) ([]genetlink.Message, error) { return []genetlink.Message{odd}, nil },
	}
	for name, fn := range tests {
		if msg, err := knownClient(genltest.Dial(fn)).FamilyMessage(); err == nil ||
			!strings.HasPrefix(err.Error(), "read the NET_DM family's description: ") {
			t.Errorf("%s: %x, error %v", name, msg, err)
		}
	}
}

func TestModeNames(t *testing.T) {
	got := fmt.Sprint(ModeSummary, ModePacket, AlertMode(2))
	if want := "summary packet invalid alert mode"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package netlink

// The names below are those of include/uapi/linux/net_dropmon.h, which
// golang.org/x/sys/unix does not have.
const (
	familyName = "NET_DM"
	groupName  = "events" // NET_DM_GRP_ALERT
)

// Commands, enum net_dm (anonymous in the header).
const (
	cmdAlert       = 1 // NET_DM_CMD_ALERT
	cmdConfig      = 2 // NET_DM_CMD_CONFIG
	cmdStart       = 3 // NET_DM_CMD_START
	cmdStop        = 4 // NET_DM_CMD_STOP
	cmdPacketAlert = 5 // NET_DM_CMD_PACKET_ALERT, since 5.4
	cmdConfigGet   = 6 // NET_DM_CMD_CONFIG_GET, since 5.4
	cmdConfigNew   = 7 // NET_DM_CMD_CONFIG_NEW, since 5.4
	cmdStatsGet    = 8 // NET_DM_CMD_STATS_GET, since 5.4
	cmdStatsNew    = 9 // NET_DM_CMD_STATS_NEW, since 5.4
)

// An Attr names an attribute of an alert, enum net_dm_attr.
type Attr uint16

// The attributes that an [Alert] may carry, and, unexported, those of requests, of answers
// and of nests, which number their own.
const (
	AttrSummary      Attr = 0  // the points of a summary; no name in the header
	AttrPC           Attr = 2  // NET_DM_ATTR_PC
	AttrSymbol       Attr = 3  // NET_DM_ATTR_SYMBOL
	AttrPort         Attr = 4  // NET_DM_ATTR_IN_PORT
	AttrTimestamp    Attr = 5  // NET_DM_ATTR_TIMESTAMP
	AttrProto        Attr = 6  // NET_DM_ATTR_PROTO
	AttrPayload      Attr = 7  // NET_DM_ATTR_PAYLOAD
	AttrOrigLen      Attr = 10 // NET_DM_ATTR_ORIG_LEN
	AttrOrigin       Attr = 14 // NET_DM_ATTR_ORIGIN
	AttrTrapGroup    Attr = 15 // NET_DM_ATTR_HW_TRAP_GROUP_NAME
	AttrTrapName     Attr = 16 // NET_DM_ATTR_HW_TRAP_NAME
	AttrHWEntries    Attr = 17 // NET_DM_ATTR_HW_ENTRIES
	AttrCookie       Attr = 22 // NET_DM_ATTR_FLOW_ACTION_COOKIE, since 5.7
	AttrReason       Attr = 23 // NET_DM_ATTR_REASON, since 5.18
	attrAlertMode         = 1  // NET_DM_ATTR_ALERT_MODE
	attrTruncLen          = 9  // NET_DM_ATTR_TRUNC_LEN
	attrQueueLen          = 11 // NET_DM_ATTR_QUEUE_LEN
	attrStats             = 12 // NET_DM_ATTR_STATS
	attrHWStats           = 13 // NET_DM_ATTR_HW_STATS
	attrHWEntry           = 18 // NET_DM_ATTR_HW_ENTRY
	attrHWTrapCount       = 19 // NET_DM_ATTR_HW_TRAP_COUNT
	attrSWDrops           = 20 // NET_DM_ATTR_SW_DROPS
	attrHWDrops           = 21 // NET_DM_ATTR_HW_DROPS
	attrPortIfIndex       = 0  // NET_DM_ATTR_PORT_NETDEV_IFINDEX
	attrPortName          = 1  // NET_DM_ATTR_PORT_NETDEV_NAME
	attrStatsDropped      = 0  // NET_DM_ATTR_STATS_DROPPED
)

// Sizes of struct net_dm_alert_msg without its points, and of struct
// net_dm_drop_point, which is packed by its own layout: pc[8] and a u32.
const (
	alertMsgSize  = 4
	dropPointSize = 12
)

// MaxPoints is the number of distinct locations that one summary alert can hold
// (dm_hit_limit). Drops at a further location in the same second of the same CPU
// are counted nowhere.
const MaxPoints = 64

// An AlertMode says what the kernel sends for a drop, enum net_dm_alert_mode.
type AlertMode uint8

const (
	ModeSummary AlertMode = 0 // counts by location, about once a second
	ModePacket  AlertMode = 1 // one alert a packet, since 5.4
)

// String names the mode as the commands of dropwatch do.
func (m AlertMode) String() string {
	switch m {
	case ModeSummary:
		return "summary"
	case ModePacket:
		return "packet"
	}
	return "invalid alert mode"
}

// An Origin says who dropped a packet, enum net_dm_origin.
type Origin uint16

const (
	OriginSoftware Origin = 0 // the kernel
	OriginHardware Origin = 1 // a device, which trapped the packet to the kernel
)

// Origins is a set of [Origin], as START and STOP take it. The kernel reads
// the empty set as software.
type Origins uint8

const (
	Software Origins = 1 << iota // NET_DM_ATTR_SW_DROPS
	Hardware                     // NET_DM_ATTR_HW_DROPS
)

package capture

import (
	"errors"
	"strings"

	"dropwatch/netlink"
)

// ParseOrigins parses sw, hw, or both separated by a comma.
func ParseOrigins(text string) (o netlink.Origins, err error) {
	for name := range strings.SplitSeq(text, ",") {
		switch name {
		case "sw":
			o |= netlink.Software
		case "hw":
			o |= netlink.Hardware
		default:
			return 0, errors.New("give sw, hw or sw,hw")
		}
	}
	return o, nil
}

// OriginNames formats origins as ParseOrigins reads them. The zero value is
// software.
func OriginNames(o netlink.Origins) string {
	switch o {
	case netlink.Hardware:
		return "hw"
	case netlink.Software | netlink.Hardware:
		return "sw,hw"
	}
	return "sw"
}

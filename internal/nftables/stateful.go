package nftables

import (
	"encoding/binary"
	"fmt"
	"strings"

	"dropwatch/internal/kernel"
)

// Values of the attributes of expressions that count or look something up, of include/uapi/linux/netfilter/nf_tables.h.
const (
	limitRate, limitUnit, limitBurst, limitType, limitFlags = 1, 2, 3, 4, 5

	limitOfBytes = 1 // NFT_LIMIT_PKT_BYTES
	inverted     = 1 // NFT_LIMIT_F_INV, NFT_CONNLIMIT_F_INV, NFT_QUOTA_F_INV: it matches what is over it

	quotaConsumed = 4 // NFTA_QUOTA_CONSUMED, in bytes

	usualBurst = 5 // packets; nft does not write it

	fibOIF, fibOIFName, fibType = 1, 2, 3 // NFT_FIB_RESULT_*
	fibPresent                  = 1 << 5  // NFTA_FIB_F_PRESENT
)

// over is the word of what matches beyond a number, by its flags.
func over(flags []byte) string {
	if kernel.BigEndian32(flags)&inverted != 0 {
		return "over "
	}
	return ""
}

// number64 is an attribute of eight bytes, 0 if it is none.
func number64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// limit matches up to a rate of packets or bytes, or what is over it. A burst of no bytes and the usual one of packets go
// without saying.
func (t *ruleText) limit(data []byte) {
	unit, known := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}[number64(
		kernel.Attribute(data, limitUnit))]
	if !known {
		unit = fmt.Sprintf("%d seconds", number64(kernel.Attribute(data, limitUnit)))
	}
	rate, burst := number64(kernel.Attribute(data, limitRate)), uint64(kernel.BigEndian32(kernel.Attribute(data, limitBurst)))
	text := "limit rate " + over(kernel.Attribute(data, limitFlags))
	switch ofBytes := kernel.BigEndian32(kernel.Attribute(data, limitType)) == limitOfBytes; {
	case ofBytes && burst == 0:
		text += fmt.Sprintf("%s/%s", bytesText(rate), unit)
	case ofBytes:
		text += fmt.Sprintf("%s/%s burst %s", bytesText(rate), unit, bytesText(burst))
	case burst == 0 || burst == usualBurst:
		text += fmt.Sprintf("%d/%s", rate, unit)
	default:
		text += fmt.Sprintf("%d/%s burst %d packets", rate, unit, burst)
	}
	t.add(text)
}

// bytesText is a number of bytes in the largest unit of nft that leaves no rest: "10 mbytes".
func bytesText(n uint64) string {
	unit := 0
	units := []string{"bytes", "kbytes", "mbytes"}
	for unit < len(units)-1 && n > 0 && n%1024 == 0 {
		n, unit = n/1024, unit+1
	}
	return fmt.Sprintf("%d %s", n, units[unit])
}

// connlimit matches up to a number of connections, or what is over it.
func (t *ruleText) connlimit(data []byte) {
	t.add(fmt.Sprintf("ct count %s%d", over(kernel.Attribute(data, nftaSecond)), kernel.BigEndian32(kernel.Attribute(data, nftaFirst))))
}

// quota matches up to a number of bytes in all, or what is over it.
func (t *ruleText) quota(data []byte) {
	text := "quota " + over(kernel.Attribute(data, nftaSecond)) + bytesText(number64(kernel.Attribute(data, nftaFirst)))
	if used := number64(kernel.Attribute(data, quotaConsumed)); used > 0 {
		text += " used " + bytesText(used)
	}
	t.add(text)
}

// fib loads what a look-up of a route finds.
func (t *ruleText) fib(data []byte) {
	flags := kernel.BigEndian32(kernel.Attribute(data, nftaThird))
	var by []string
	for i, name := range []string{"saddr", "daddr", "mark", "iif", "oif"} {
		if flags&(1<<i) != 0 {
			by = append(by, name)
		}
	}
	name := "fib " + strings.Join(by, " . ")
	var f field
	switch result := kernel.BigEndian32(kernel.Attribute(data, nftaSecond)); {
	case result == fibOIF && flags&fibPresent != 0, result == fibOIFName && flags&fibPresent != 0:
		f = field{name: name + " oif", kind: presence}
	case result == fibOIF:
		f = field{name: name + " oif", kind: hostNumber}
	case result == fibOIFName:
		f = field{name: name + " oifname", kind: interfaceName}
	case result == fibType:
		f = field{name: name + " type", kind: addressType}
	}
	t.load(kernel.Attribute(data, nftaFirst), f)
}

// addressTypes are the texts of RTN_* (include/uapi/linux/rtnetlink.h) as nft has them.
var addressTypes = []string{
	"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit",
}

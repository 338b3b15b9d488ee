package iptables

import (
	"encoding/binary"
	"strings"
)

// KernelMatches returns the conditions of a rule as [Rule] has them, from the memory of the kernel: size is that of its
// entry, of which b is the beginning. Ok is false if b is too short for any, or damaged. What is behind the end of b is
// "...".
func (f *Family) KernelMatches(b []byte, size int) (matches string, ok bool) {
	if len(b) < f.Head {
		return "", false
	}
	target := int(binary.NativeEndian.Uint16(b[f.Offsets:]))
	if target < f.Head || int(binary.NativeEndian.Uint16(b[f.Offsets+2:])) != size || target > size {
		return "", false
	}
	e := entry{rule: b[:f.Head], matches: b[f.Head:min(target, len(b))]}
	matches = f.matches(&e, kernelExtension)
	if target > len(b) {
		matches = strings.TrimSpace(matches + " ...")
	}
	return matches, true
}

// knownMatches are those whose names the kernel does not keep whole: it has a pointer in place of all but the first bytes.
var knownMatches = strings.Fields(`addrtype cgroup cluster comment connbytes connlabel connlimit connmark conntrack devgroup
	hashlimit helper ipcomp iprange ipv6header length multiport nfacct physdev pkttype policy rateest recent
	rpfilter socket statistic string tcpmss`)

// keptName is how many bytes of a name the kernel keeps (struct xt_entry_match).
const keptName = 6

// kernelExtension is extension for a match in the memory of the kernel. A name that is not known is its beginning.
func kernelExtension(b []byte) (name string, data []byte) {
	name = text(b[2 : 2+keptName])
	if len(name) == keptName {
		for _, known := range knownMatches {
			if strings.HasPrefix(known, name) {
				name = known
				break
			}
		}
	}
	return name, b[sizeofHeader:]
}

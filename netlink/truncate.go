package netlink

import "encoding/binary"

// TruncatePayload returns the packet alert msg with at most n bytes of payload, as if
// the kernel had been configured so. It overwrites msg. Any other message is returned
// unchanged.
func TruncatePayload(msg []byte, n int) []byte {
	cmd, attrs, err := splitHeaders(msg)
	if err != nil || cmd != cmdPacketAlert || n < 0 {
		return msg
	}
	for at := 0; at+attrHdrLen <= len(attrs); {
		size := int(binary.NativeEndian.Uint16(attrs[at:]))
		if size < attrHdrLen || at+size > len(attrs) {
			return msg
		}
		next := min(at+align(size), len(attrs))
		if attr := Attr(binary.NativeEndian.Uint16(attrs[at+2:])); attr != AttrPayload || size <= attrHdrLen+n {
			at = next
			continue
		}
		binary.NativeEndian.PutUint16(attrs[at:], uint16(attrHdrLen+n))
		end := min(at+align(attrHdrLen+n), next)
		clear(attrs[at+attrHdrLen+n : end])
		end += copy(attrs[end:], attrs[next:])
		binary.NativeEndian.PutUint32(msg, uint32(headersLen+end))
		return msg[:headersLen+end]
	}
	return msg
}

// align rounds up to where the next attribute begins (NLA_ALIGN).
func align(n int) int { return (n + 3) &^ 3 }

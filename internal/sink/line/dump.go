package line

import (
	"encoding/hex"
	"strconv"
)

// appendDump appends bytes as tcpdump -XX does, 16 per line:
//
//	0x0000:  0200 5e00 5302 0200 5e00 5301 0800 4500  ..^.S...^.S...E.
func appendDump(b, data []byte) []byte {
	for at := 0; at < len(data); at += 16 {
		b = appendBytes(b, at, data[at:min(at+16, len(data))])
	}
	return b
}

// digits are those of all hexadecimal numbers in a line.
const digits = "0123456789abcdef"

// appendBytes appends one line of up to 16 bytes, which begin at offset at.
func appendBytes(b []byte, at int, line []byte) []byte {
	b = append(b, "    0x"...)
	if at > 0xffff {
		b = strconv.AppendUint(b, uint64(at>>16), 16)
	}
	b = append(b, digits[at>>12&15], digits[at>>8&15], digits[at>>4&15], digits[at&15], ':', ' ')
	const width = 8 * len(" 0000")
	start := len(b)
	for i := range line {
		if i%2 == 0 {
			b = append(b, ' ')
		}
		b = hex.AppendEncode(b, line[i:i+1])
	}
	b = append(pad(b, len(b)-start, width), ' ')
	for _, c := range line {
		if c < ' ' || c > '~' {
			c = '.'
		}
		b = append(b, c)
	}
	return append(b, '\n')
}

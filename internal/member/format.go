package member

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
)

// Format returns a value of the expression as it is displayed. A string is as the kernel has it:
// escape it for a terminal. A value that is not known gives an empty text.
func (e *Expr) Format(v Value) string {
	switch {
	case !v.Known:
		return ""
	case e.Root.Type().Size == 0:
		return e.formatBytes(v.Bytes)
	}
	return e.formatNumber(v.Number)
}

// formatBytes returns a string or an address; other bytes in hexadecimal.
func (e *Expr) formatBytes(b []byte) string {
	switch e.Show {
	case Text:
		return string(b)
	case MAC:
		return net.HardwareAddr(b).String()
	case IPv4, IPv6:
		if ip, ok := netip.AddrFromSlice(b); ok {
			return ip.String()
		}
	}
	return hex.EncodeToString(b)
}

// formatNumber returns an integer; one of an enum that has no name for it as a number.
func (e *Expr) formatNumber(n uint64) string {
	typ := e.Root.Type()
	unsigned := normal(n, Int{Size: typ.Size})
	switch e.Show {
	case Hex, Pointer, Symbol:
		return hexadecimal(unsigned)
	case NetworkHex:
		return hexadecimal(swap(unsigned, typ.Size))
	case Port:
		return strconv.FormatUint(swap(unsigned, typ.Size), 10)
	case Bool:
		return strconv.FormatBool(n != 0)
	case IPv4:
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(n))
		return netip.AddrFrom4(b).String()
	case Enum:
		if name := e.enum[n]; name != "" {
			return name
		}
	}
	if typ.Signed {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(n, 10)
}

func hexadecimal(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

package nftables

import (
	"bytes"
	"encoding/binary"
	"slices"

	"dropwatch/internal/kernel"
)

// A truth is whether something holds: no, perhaps (what is known of a packet does not
// say), or yes. They are ordered.
type truth uint8

const (
	no      truth = iota
	perhaps       // what decides is not known
	yes
)

// truthOf is yes or no.
func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// not is the opposite.
func (t truth) not() truth { return yes - t }

// A registerFile is what the registers of nftables hold (struct nft_regs), and of which
// bytes that is known.
type registerFile struct {
	data  [80]byte
	known [80]bool
}

// registerAt gives the offset of a register of n bytes (nft_parse_register), -1 if there
// is no room.
func registerAt(register []byte, n int) int {
	at := offsetOf(kernel.BigEndian32(register))
	if len(register) != 4 || at == 0 || at > len(registerFile{}.data)-n || n > len(registerFile{}.data) {
		return -1
	}
	return at
}

// offsetOf is where a register begins, by its number. Those of four bytes lie within those of sixteen.
func offsetOf(number uint32) int {
	if number >= 8 { // NFT_REG32_00
		return 4 * (int(number) - 4)
	}
	return 16 * int(number)
}

// set stores a value, with the bytes that fill its last word of four.
func (r *registerFile) set(register, value []byte) {
	n := (len(value) + 3) &^ 3
	at := registerAt(register, n)
	if at < 0 {
		return
	}
	clear(r.data[at : at+n])
	copy(r.data[at:], value)
	for i := range n {
		r.known[at+i] = true
	}
}

// forget notes that n bytes are not known; 0 is as many as a register has.
func (r *registerFile) forget(register []byte, n int) {
	if n == 0 {
		n = 16
	}
	at := registerAt(register, 0)
	if at < 0 {
		return
	}
	clear(r.known[at:min(at+(n+3)&^3, len(r.known))])
}

// get returns the value of n bytes, and of which bytes it is known. Without a register
// it is empty.
func (r *registerFile) get(register []byte, n int) value {
	at := registerAt(register, n)
	if at < 0 {
		return value{}
	}
	return value{slices.Clone(r.data[at : at+n]), slices.Clone(r.known[at : at+n])}
}

// A value is what a register holds.
type value struct {
	data  []byte
	known []bool
}

func (v value) whole() bool { return len(v.data) > 0 && !slices.Contains(v.known, false) }

// equal compares the value with another: one byte that differs is enough.
func (v value) equal(b []byte) truth {
	if len(v.data) != len(b) || len(b) == 0 {
		return perhaps
	}
	for i := range b {
		if v.known[i] && v.data[i] != b[i] {
			return no
		}
	}
	if v.whole() {
		return yes
	}
	return perhaps
}

// between reports whether the value lies between two.
func (v value) between(from, to []byte) truth {
	if !v.whole() || len(from) != len(v.data) || len(to) != len(v.data) {
		return perhaps
	}
	return truthOf(bytes.Compare(v.data, from) >= 0 && bytes.Compare(v.data, to) <= 0)
}

// compare is nft_cmp_eval (NFT_CMP_EQ, NEQ, LT, LTE, GT, GTE).
func (v value) compare(op uint32, b []byte) truth {
	switch {
	case op == 0:
		return v.equal(b)
	case op == 1:
		return v.equal(b).not()
	case !v.whole() || len(b) != len(v.data) || op > 5:
		return perhaps
	}
	order := bytes.Compare(v.data, b)
	return truthOf([]bool{order < 0, order <= 0, order > 0, order >= 0}[op-2])
}

// masked is nft_bitwise_eval_mask_xor: a bit that the mask leaves out is known to be 0.
func (v value) masked(mask, xor []byte) value {
	if len(mask) != len(v.data) || len(xor) != len(v.data) {
		return value{v.data, make([]bool, len(v.data))}
	}
	for i := range v.data {
		v.known[i] = v.known[i] || mask[i] == 0
		v.data[i] = v.data[i]&mask[i] ^ xor[i]
	}
	return v
}

// swapped turns around each number of size bytes where this host is little-endian, as
// nft_byteorder_eval does.
func (v value) swapped(size int) value {
	if size == 0 || len(v.data)%size != 0 {
		return value{v.data, make([]bool, len(v.data))}
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		for at := 0; at < len(v.data); at += size {
			slices.Reverse(v.data[at : at+size])
			slices.Reverse(v.known[at : at+size])
		}
	}
	return v
}

// store stores a value, of which part may not be known.
func (r *registerFile) store(register []byte, v value) {
	r.set(register, v.data)
	if at := registerAt(register, len(v.data)); at >= 0 {
		copy(r.known[at:], v.known)
	}
}

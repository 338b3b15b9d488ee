package jsonl

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"dropwatch/internal/event"
)

// Each member of an object and each element of an array is followed by a comma. The function end
// removes the last one.

// appendKey appends a key, which needs no escape, and a colon.
func appendKey(b []byte, key string) []byte {
	b = append(b, '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

// begin begins an object or an array: bracket is { or [.
func begin(b []byte, key string, bracket byte) []byte { return append(appendKey(b, key), bracket) }

// end ends the object or array that began last: bracket is } or ].
func end(b []byte, bracket byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b = b[:last]
	}
	return append(b, bracket, ',')
}

// appendNumber appends a number as JSON has it, all 64 bits: a reader that keeps numbers as doubles rounds those from 2^53 on.
func appendNumber(b []byte, key string, n uint64) []byte {
	return append(strconv.AppendUint(appendKey(b, key), n, 10), ',')
}

// appendNonzero appends a number unless it is 0, which then means that it is not known or that there is none.
func appendNonzero(b []byte, key string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return appendNumber(b, key, n)
}

func appendBool(b []byte, key string, v bool) []byte {
	return append(strconv.AppendBool(appendKey(b, key), v), ',')
}

// appendIfTrue appends true, or nothing.
func appendIfTrue(b []byte, key string, v bool) []byte {
	if !v {
		return b
	}
	return appendBool(b, key, true)
}

// appendWord appends a word of dropwatch itself, which needs no escape.
func appendWord(b []byte, key, word string) []byte { return appendElement(appendKey(b, key), word) }

// appendElement appends a word to an array.
func appendElement(b []byte, word string) []byte {
	b = append(b, '"')
	b = append(b, word...)
	return append(b, '"', ',')
}

// appendText appends a text that dropwatch did not choose. What is not printable is
// escaped, so that a terminal interprets nothing. Bytes that are not UTF-8, which JSON
// cannot have, become \x9b and the like, as in event.Escape.
func appendText(b []byte, key, text string) []byte {
	return append(appendString(appendKey(b, key), text), ',')
}

// appendString appends a text with its quotes.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	plain := 0 // where what needs no escape began
	for i := 0; i < len(text); {
		if c := text[i]; ' ' <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, text[plain:i]...)
		r, size := utf8.DecodeRuneInString(text[i:])
		b = appendRune(b, r, text[i:i+size])
		i += size
		plain = i
	}
	b = append(b, text[plain:]...)
	return append(b, '"')
}

// appendIfAny appends a text unless it is empty.
func appendIfAny(b []byte, key, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(b, key, text)
}

// appendRune appends a character that may need an escape; bytes is its UTF-8.
func appendRune(b []byte, r rune, bytes string) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(b, '\\', bytes[0])
	case r == utf8.RuneError && len(bytes) == 1:
		return appendHexadecimal(append(b, `\\x`...), uint64(bytes[0]), 2)
	case unicode.IsPrint(r):
		return append(b, bytes...)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		b = appendHexadecimal(append(b, `\u`...), uint64(high), 4)
		return appendHexadecimal(append(b, `\u`...), uint64(low), 4)
	}
	return appendHexadecimal(append(b, `\u`...), uint64(r), 4)
}

const digits = "0123456789abcdef"

// appendHexadecimal appends the lower n hexadecimal digits of v.
func appendHexadecimal(b []byte, v uint64, n int) []byte {
	for shift := 4 * (n - 1); shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&0xf])
	}
	return b
}

// appendHex appends bytes as a string of hexadecimal digits.
func appendHex(b []byte, key string, data []byte) []byte {
	b = append(appendKey(b, key), '"')
	return append(hex.AppendEncode(b, data), '"', ',')
}

// appendAddress appends an address as a string, because 64 bits are more than the numbers of many JSON
// readers have.
func appendAddress(b []byte, key string, pc uint64) []byte {
	b = append(appendKey(b, key), `"0x`...)
	return append(strconv.AppendUint(b, pc, 16), '"', ',')
}

// appendQuoted appends a number as a string, where other values have names.
func appendQuoted(b []byte, key string, n uint64) []byte {
	b = append(appendKey(b, key), '"')
	return append(strconv.AppendUint(b, n, 10), '"', ',')
}

// appendEtherType appends the name of an ethertype that is an event.Layer, and otherwise a number such
// as 0x88cc.
func appendEtherType(b []byte, key string, t uint16) []byte {
	if l := event.NetworkLayer(t); l != event.NoLayer {
		return appendWord(b, key, l.String())
	}
	b = append(appendKey(b, key), `"0x`...)
	return append(appendHexadecimal(b, uint64(t), 4), '"', ',')
}

func appendAddr(b []byte, key string, a netip.Addr) []byte {
	return append(a.AppendTo(append(appendKey(b, key), '"')), '"', ',')
}

// appendMAC appends an Ethernet address in the form 02:00:5e:00:53:01.
func appendMAC(b []byte, key string, m event.MAC) []byte {
	b = append(appendKey(b, key), '"')
	for _, octet := range m {
		b = append(b, digits[octet>>4], digits[octet&0xf], ':')
	}
	b[len(b)-1] = '"'
	return append(b, ',')
}

// A clock formats times. It caches the text of the last second, as most times are in the same one.
type clock struct {
	second int64
	text   []byte
}

// appendTime appends a time in UTC with nanoseconds, as in RFC 3339. Its digits are always
// as many, so that texts of times sort as the times do.
func (c *clock) appendTime(b []byte, t time.Time) []byte { return c.appendTo(b, "time", t) }

// appendTo is appendTime for another key.
func (c *clock) appendTo(b []byte, key string, t time.Time) []byte {
	if s := t.Unix(); c.text == nil || s != c.second {
		c.second, c.text = s, t.UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
	}
	b = append(appendKey(b, key), '"')
	b = append(b, c.text...)
	point := len(b)
	b = strconv.AppendInt(b, 1e9+int64(t.Nanosecond()), 10) // all nine digits, behind a 1
	b[point] = '.'
	return append(b, 'Z', '"', ',')
}

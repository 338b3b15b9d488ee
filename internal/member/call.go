package member

import (
	"maps"
	"slices"
	"strings"
)

// byteOrder are the functions between the byte orders of host and network, and the size of what
// they take.
var byteOrder = map[string]int{"ntohs": 2, "htons": 2, "ntohl": 4, "htonl": 4}

// upcasts are inline functions of the kernel that only cast a pointer, and the struct that theirs
// points to.
var upcasts = map[string]string{
	"inet_sk": "inet_sock", "inet_csk": "inet_connection_sock", "tcp_sk": "tcp_sock", "udp_sk": "udp_sock", "raw_sk": "raw_sock",
	"unix_sk": "unix_sock", "inet_rsk": "inet_request_sock", "tcp_rsk": "tcp_request_sock", "inet_twsk": "inet_timewait_sock",
}

// call applies a function: C's for the byte order, or one of the kernel that is a cast.
func (c *compiler) call(s *syntax) (operand, error) {
	if name, ok := upcasts[s.text]; ok {
		as := *s
		as.text, as.stars = "struct "+name, 1
		return c.cast(&as)
	}
	size, ok := byteOrder[s.text]
	if !ok {
		names := slices.Sorted(maps.Keys(byteOrder))
		names = append(names, slices.Sorted(maps.Keys(upcasts))...)
		return operand{}, c.fault(s, "there is no function %s here: use a member, or one of %s", s.text, strings.Join(names, ", "))
	}
	x, err := c.integerOf(s.x)
	if err != nil {
		return operand{}, err
	}
	typ := Int{size, false}
	return operand{node: fold(&Unary{Int: typ, Op: Swap, X: convert(x, typ)})}, nil
}

package kernel

import (
	"bytes"
	"testing"

	"github.com/mdlayher/netlink"
)

// TestCheckSize: a message is as long as its header at least.
func TestCheckSize(t *testing.T) {
	const want = "the kernel's message about a route has 3 bytes, and should have 4"
	if err := CheckSize(make([]byte, 3), 4, "a route"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := CheckSize(make([]byte, 4), 4, "a route"); err != nil {
		t.Error(err)
	}
}

// TestAttribute: the first of a type, also within another, and nil for what is not there or cut
// short.
func TestAttribute(t *testing.T) {
	e := netlink.NewAttributeEncoder()
	e.Bytes(1, []byte("odd"))
	e.Nested(2, func(e *netlink.AttributeEncoder) error {
		e.Bytes(1, []byte("in"))
		e.Bytes(1, []byte("second"))
		return nil
	})
	whole, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		attributes []byte
		types      []uint16
		want       []byte
	}{
		{whole, []uint16{1}, []byte("odd")},
		{whole, []uint16{2, 1}, []byte("in")},
		{whole, []uint16{3, 1}, nil},
		{whole, []uint16{2, 3}, nil},
		{whole[:len(whole)-1], []uint16{2}, nil},
		{whole[:3], []uint16{1}, nil},
		{nil, []uint16{1}, nil},
	} {
		if got := Attribute(test.attributes, test.types...); !bytes.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%v of %x: %q, want %q", test.types, test.attributes, got, test.want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Attribute(whole, 2, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

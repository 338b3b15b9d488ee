package kernel_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"dropwatch/internal/kernel"
)

// Messages of include/uapi/linux/rtnetlink.h, and struct ifinfomsg.
const (
	getLink         = 18
	sizeofIfInfomsg = 16
)

// TestAsk: the kernel answers in one message or in many, or says why not.
func TestAsk(t *testing.T) {
	loopback := 0
	count := func(m []byte) error {
		if len(m) >= sizeofIfInfomsg && binary.NativeEndian.Uint32(m[4:]) == 1 {
			loopback++
		}
		return nil
	}
	one := make([]byte, sizeofIfInfomsg)
	one[4] = 1
	if err := errors.Join(
		kernel.Dump(kernel.Route, getLink, make([]byte, sizeofIfInfomsg), count), kernel.Get(kernel.Route, getLink, one, count),
	); err != nil || loopback != 2 {
		t.Errorf("lo is there %d times, error %v", loopback, err)
	}
	one[5] = 0xff // no such interface
	if err := kernel.Get(kernel.Route, getLink, one, count); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("error %v", err)
	}
}

// TestDumpGeneric: every kernel has the family that lists the others.
func TestDumpGeneric(t *testing.T) {
	const listFamilies, familyName = 3, 2
	found := false
	err := kernel.DumpGeneric("nlctrl", listFamilies, nil, func(attributes []byte) error {
		found = found || string(kernel.Attribute(attributes, familyName)) == "nlctrl\x00"
		return nil
	})
	if err != nil || !found {
		t.Errorf("found %t, error %v", found, err)
	}
	if err := kernel.DumpGeneric("no such one", 1, nil, func([]byte) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no family: %v", err)
	}
	if err := kernel.DumpGeneric("nlctrl", 200, nil, func([]byte) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no command: %v", err)
	}
}

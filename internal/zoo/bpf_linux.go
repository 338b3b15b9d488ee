package zoo

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"

	"dropwatch/internal/vmtest/drops"
)

// Commands, types and flags of the system call bpf (include/uapi/linux/bpf.h).
const (
	sysBPF = 321 // on amd64

	progLoad, progAttach, linkCreate = 5, 8, 28

	cgroupProgram            = 8        // BPF_PROG_TYPE_CGROUP_SKB
	ingress, egress          = 0, 1     // BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS
	xdpProgram, xdp, skbMode = 6, 37, 2 // BPF_PROG_TYPE_XDP, BPF_XDP, XDP_FLAGS_SKB_MODE
)

// bpf runs a command.
func bpf(command uintptr, attr ...uint32) (fd int, err error) {
	n, _, errno := syscall.Syscall(sysBPF, command, uintptr(unsafe.Pointer(&attr[0])), uintptr(4*len(attr)))
	if errno != 0 {
		return 0, fmt.Errorf("bpf command %d: %w", command, errno)
	}
	return int(n), nil
}

// Programs, in the words of their instructions (include/uapi/linux/bpf.h).
var (
	refuse  = []uint32{0xb7, 0, 0x95, 0}                                            // return 0
	aborts  = refuse                                                                // return XDP_ABORTED
	xdpDrop = []uint32{0xb7, 1, 0x95, 0}                                            // return XDP_DROP
	nowhere = []uint32{0x1b7, noInterface, 0x2b7, 0, 0x85, redirectHelper, 0x95, 0} // return bpf_redirect(noInterface, 0)
)

const noInterface, redirectHelper = 12345, 23 // BPF_FUNC_redirect

// load loads a program.
func load(kind uint32, code []uint32) (fd int, err error) {
	license := []byte("GPL\x00")
	attr := struct {
		kind, count   uint32
		code, license unsafe.Pointer
	}{kind, uint32(len(code) / 2), unsafe.Pointer(&code[0]), unsafe.Pointer(&license[0])}
	return bpf(progLoad, (*[6]uint32)(unsafe.Pointer(&attr))[:]...)
}

// runXDP has a program at the interface far, to which datagrams come.
func runXDP(code []uint32, flags uint32) func(*drops.Namespace, int) func() {
	return func(ns *drops.Namespace, n int) func() {
		lose := arrive(datagram("10.0.0.1", drops.UDPHeader(0)))(ns, n)
		ns.Do(func() error {
			link, err := net.InterfaceByName("far")
			if err != nil {
				return err
			}
			program, err := load(xdpProgram, code)
			if err != nil {
				return err
			}
			attached, err := bpf(linkCreate, uint32(program), uint32(link.Index), xdp, flags)
			ns.Cleanup(func() error { return errors.Join(syscall.Close(program), syscall.Close(attached)) })
			return err
		})
		return lose
	}
}

// cgroupEgress sends by a socket that was made in a control group whose program refuses
// what is sent.
func cgroupEgress(ns *drops.Namespace, n int) func() {
	ns.Peer()
	return inCgroup(ns, "zoo-egress", egress, func() func() { return refusedToSend(ns, n) })
}

// cgroupIngress sends to a socket that was made in a control group whose program refuses what is received.
func cgroupIngress(ns *drops.Namespace, n int) func() {
	return inCgroup(ns, "zoo-ingress", ingress, func() func() {
		ns.Listen(syscall.SOCK_DGRAM)
		return func() { ns.SendUDP(n) }
	})
}

// inCgroup calls prepare in a control group, which then has a program that refuses all packets of a direction, and returns
// what prepare does.
func inCgroup(ns *drops.Namespace, name string, direction uint32, prepare func() func()) (lose func()) {
	top := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, "unified")); err == nil {
		top = filepath.Join(top, "unified")
	}
	group := filepath.Join(top, name)
	move := func(to string) error {
		return os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
	}
	ns.Do(func() error {
		ns.Cleanup(func() error { return os.Remove(group) })
		return errors.Join(os.MkdirAll(group, 0o755), move(group))
	})
	lose = prepare()
	ns.Do(func() error {
		if err := move(top); err != nil {
			return err
		}
		dir, err := os.Open(group)
		if err != nil {
			return err
		}
		defer dir.Close()
		program, err := load(cgroupProgram, refuse)
		if err != nil {
			return err
		}
		_, err = bpf(progAttach, uint32(dir.Fd()), uint32(program), direction, 0)
		return errors.Join(err, syscall.Close(program))
	})
	return lose
}

package drops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
)

// What a program of NFQUEUE says over netlink (linux/netfilter/nfnetlink_queue.h).
const (
	queuePacket  = 3 << 8 // NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET: from the kernel
	queueVerdict = 3<<8 | 1
	queueConfig  = 3<<8 | 2

	configCommand, configParams, configMaxLen = 1, 2, 3 // NFQA_CFG_CMD, _PARAMS, _QUEUE_MAXLEN
	packetHeader, verdictHeader               = 1, 2    // NFQA_PACKET_HDR, NFQA_VERDICT_HDR
)

// nfqueue passes datagrams to Port to queue 0, which need not have a program: by nftables or, where that lacks its queue, by
// iptables.
func nfqueue(ns *Namespace, n int) func() {
	ns.Run("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }")
	if !ns.Has("nft add rule ip t c udp dport 9 queue num 0") {
		ns.Run("iptables-legacy", "-w", "-A", "INPUT", "-p", "udp", "--dport", "9", "-j", "NFQUEUE", "--queue-num", "0")
	}
	return func() { ns.SendUDP(n) }
}

// verdicts has a program that refuses each packet.
func verdicts(ns *Namespace, n int) func() {
	send, fd := nfqueue(ns, n), ns.queueProgram()
	return func() {
		send()
		for range n {
			ns.refuse(fd)
		}
	}
}

// fullProgramQueue has a program that says nothing, and a queue for one packet.
func fullProgramQueue(ns *Namespace, n int) func() {
	send, fd := nfqueue(ns, n), ns.queueProgram()
	ns.configureQueue(fd, configMaxLen, []byte{0, 0, 0, 1})
	ns.SendUDP(1)
	return send
}

// fullProgramBuffer has a program that reads nothing, with little room.
func fullProgramBuffer(ns *Namespace, n int) func() {
	send, fd := nfqueue(ns, n), ns.queueProgram()
	ns.Do(func() error { return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0) })
	ns.SendUDP(20)
	return send
}

// queueProgram opens a socket that queue 0 sends packets to.
func (ns *Namespace) queueProgram() (fd int) {
	ns.t.Helper()
	ns.Do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_NETFILTER)
		if err == nil {
			err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5})
		}
		return err
	})
	ns.t.Cleanup(func() { syscall.Close(fd) })
	ns.configureQueue(fd, configCommand, []byte{1, 0, 0, syscall.AF_INET}) // NFQNL_CFG_CMD_BIND
	ns.configureQueue(fd, configParams, []byte{0, 0, 0xff, 0xff, 2})       // NFQNL_COPY_PACKET
	return fd
}

// configureQueue sets one thing of queue 0.
func (ns *Namespace) configureQueue(fd int, attribute uint16, value []byte) {
	ns.t.Helper()
	ns.Do(func() error {
		if err := sendQueue(fd, queueConfig, syscall.NLM_F_ACK, attribute, value); err != nil {
			return err
		}
		b := make([]byte, 4096)
		n, err := syscall.Read(fd, b)
		if err != nil || n < 20 {
			return fmt.Errorf("configure a queue: %d bytes of answer: %w", n, err)
		}
		if errno := -int32(binary.NativeEndian.Uint32(b[16:])); errno != 0 {
			return fmt.Errorf("configure a queue: %w", syscall.Errno(errno))
		}
		return nil
	})
}

// refuse reads the message about one packet, and drops that.
func (ns *Namespace) refuse(fd int) {
	ns.t.Helper()
	ns.Do(func() error {
		b := make([]byte, 4096)
		n, err := syscall.Read(fd, b)
		if err != nil || n < 28 || binary.NativeEndian.Uint16(b[4:]) != queuePacket || b[22] != packetHeader {
			return errors.Join(err, fmt.Errorf("read a packet of a queue: %d bytes: % x", n, b[:max(n, 0)]))
		}
		verdict := append([]byte{0, 0, 0, 0}, b[24:28]...) // NF_DROP, and the packet's number
		return sendQueue(fd, queueVerdict, 0, verdictHeader, verdict)
	})
}

// sendQueue sends a message with one attribute about queue 0.
func sendQueue(fd int, kind, flags, attribute uint16, value []byte) error {
	b := make([]byte, 24, 64)
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], syscall.NLM_F_REQUEST|flags)
	binary.NativeEndian.PutUint16(b[20:], uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[22:], attribute)
	b = append(b, value...)
	b = append(b, make([]byte, -len(b)&3)...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return syscall.Sendto(fd, b, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
}

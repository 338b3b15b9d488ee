package syslog

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendJournal sends an entry. One that is too large for a datagram is passed as a sealed file in memory.
func sendJournal(conn *net.UnixConn, entry []byte) error {
	_, err := conn.Write(entry)
	if !errors.Is(err, unix.EMSGSIZE) && !errors.Is(err, unix.ENOBUFS) {
		return err
	}
	fd, err := unix.MemfdCreate("dropwatch-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "journal entry")
	defer file.Close()
	if _, err := file.Write(entry); err != nil {
		return err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return os.NewSyscallError("seal", err)
	}
	return passFile(conn, file)
}

// passFile sends a datagram that has a file and nothing else. WriteMsgUnix does not send on a socket that is connected.
func passFile(conn *net.UnixConn, file *os.File) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	rights := unix.UnixRights(int(file.Fd()))
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), nil, rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, os.NewSyscallError("sendmsg", sent))
}

//go:build !linux

package syslog

import (
	"errors"
	"net"
)

// sendJournal fails: only Linux has a journal.
func sendJournal(*net.UnixConn, []byte) error { return errors.ErrUnsupported }

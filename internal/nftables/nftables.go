// Package nftables reads the rules of nf_tables in a network namespace, and says which of
// them may drop a packet. [EachCounter] gives those that count; a [Ruleset] has all, with the
// sets that they name, and [Ruleset.Suspects] takes the headers of a [Packet] through those at
// a hook, as the kernel does (net/netfilter/nf_tables_core.c nft_do_chain). What the headers do
// not say, such as the state of a connection, leaves it open.
package nftables

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"dropwatch/internal/kernel"
)

// subsystem is NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h).
const subsystem = 10

// dump calls use with what nf_tables has of a type in the namespace of the calling thread, for
// all families (struct nfgenmsg).
func dump(get uint16, use func(message []byte) error) error {
	return dumpOf(get, make([]byte, sizeofNfgenmsg), use)
}

// dumpElements calls use with the messages that hold the elements of a set.
func dumpElements(s *set, use func(message []byte) error) error {
	body, err := elementsOf(s)
	if err != nil {
		return err
	}
	return dumpOf(getSetElement, body, use)
}

// dumpOf calls use with each message of a dump of nf_tables (NFT_MSG_GET*); it must not keep it. The error is
// fs.ErrNotExist if the kernel has no nf_tables, and syscall.EPERM without CAP_NET_ADMIN.
func dumpOf(get uint16, body []byte, use func(message []byte) error) error {
	err := kernel.Dump(kernel.Netfilter, subsystem<<8|get, body, use)
	if errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EINVAL) { // a kernel without nfnetlink, or without nf_tables
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

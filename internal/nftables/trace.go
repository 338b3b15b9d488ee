package nftables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Messages and attributes of include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h that make a rule.
const (
	beginBatch, endBatch = 0x10, 0x11

	newTable = 0 // NFT_MSG_NEWTABLE
	newChain = 3 // NFT_MSG_NEWCHAIN
	newRule  = 6 // NFT_MSG_NEWRULE

	nftaTableName  = 1  // NFTA_TABLE_NAME
	nftaDataValue  = 1  // NFTA_DATA_VALUE
	nftMetaNFTrace = 12 // NFT_META_NFTRACE
)

// EnableTracing has nf_tables call its functions for traces (net/netfilter/nf_tables_trace.c) at each verdict, in all
// network namespaces: it does so while there is a rule that may ask for a trace. It makes one in the network namespace of
// the calling thread, which should be one of its own: that and the rule are there until what it returns is closed, and
// no longer than the process. No packet comes to the rule, so that none is traced.
func EnableTracing() (io.Closer, error) {
	const name = "dropwatch"
	table, err1 := body(func(a *netlink.AttributeEncoder) { a.String(nftaTableName, name) })
	chain, err2 := body(func(a *netlink.AttributeEncoder) { a.String(nftaTable, name); a.String(nftaChainName, name) })
	rule, err3 := body(func(a *netlink.AttributeEncoder) {
		a.String(nftaTable, name)
		a.String(nftaRuleChain, name)
		a.Nested(nftaRuleExprs, setTrace)
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	batch := []byte{0, 0, 0, subsystem} // struct nfgenmsg
	tracing, err := kernel.Change(kernel.Netfilter,
		kernel.Message{Type: beginBatch, Body: batch},
		kernel.Message{Type: subsystem<<8 | newTable, Flags: kernel.Create, Body: table},
		kernel.Message{Type: subsystem<<8 | newChain, Flags: kernel.Create, Body: chain},
		kernel.Message{Type: subsystem<<8 | newRule, Flags: kernel.Create | kernel.Acknowledge, Body: rule},
		kernel.Message{Type: endBatch, Body: batch})
	if err != nil {
		return nil, fmt.Errorf("make a rule of nftables that traces: %w", err)
	}
	return tracing, nil
}

// body is a message about a table of IPv4.
func body(write func(*netlink.AttributeEncoder)) ([]byte, error) {
	a := netlink.NewAttributeEncoder()
	a.ByteOrder = binary.BigEndian
	write(a)
	attributes, err := a.Encode()
	return append([]byte{nfprotoIPv4, 0, 0, 0}, attributes...), err
}

// setTrace writes the expressions of "meta nftrace set 1".
func setTrace(a *netlink.AttributeEncoder) error {
	const register = 1
	expression(a, "immediate", func(a *netlink.AttributeEncoder) error {
		a.Uint32(nftaFirst, register)
		a.Nested(nftaSecond, func(a *netlink.AttributeEncoder) error {
			a.Bytes(nftaDataValue, []byte{1})
			return nil
		})
		return nil
	})
	expression(a, "meta", func(a *netlink.AttributeEncoder) error {
		a.Uint32(nftaSecond, nftMetaNFTrace)
		a.Uint32(nftaThird, register)
		return nil
	})
	return nil
}

// expression writes one of a rule.
func expression(a *netlink.AttributeEncoder, name string, data func(*netlink.AttributeEncoder) error) {
	a.Nested(nftaListElem, func(a *netlink.AttributeEncoder) error {
		a.String(nftaExprName, name)
		a.Nested(nftaExprData, data)
		return nil
	})
}

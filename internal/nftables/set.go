package nftables

import (
	"bytes"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// Messages, attributes and flags of sets, of include/uapi/linux/netfilter/nf_tables.h.
const (
	getSet        = 10 // NFT_MSG_GETSET
	getSetElement = 13 // NFT_MSG_GETSETELEM

	nftaSetName   = 2 // NFTA_SET_NAME
	nftaSetFlags  = 3 // NFTA_SET_FLAGS
	nftaSetKeyLen = 5 // NFTA_SET_KEY_LEN
	nftaSetDesc   = 9 // NFTA_SET_DESC

	nftaSetDescConcat = 2 // NFTA_SET_DESC_CONCAT
	nftaListElem      = 1 // NFTA_LIST_ELEM
	nftaFieldLen      = 1 // NFTA_SET_FIELD_LEN

	nftaElemList      = 3  // of a message about elements
	nftaElemListTable = 1  // NFTA_SET_ELEM_LIST_TABLE
	nftaElemListSet   = 2  // NFTA_SET_ELEM_LIST_SET
	nftaElemKey       = 1  // NFTA_SET_ELEM_KEY
	nftaElemData      = 2  // NFTA_SET_ELEM_DATA
	nftaElemFlags     = 3  // NFTA_SET_ELEM_FLAGS
	nftaElemExpr      = 7  // NFTA_SET_ELEM_EXPR
	nftaElemKeyEnd    = 10 // NFTA_SET_ELEM_KEY_END, from Linux 5.6 on
	nftaElemExprs     = 11 // NFTA_SET_ELEM_EXPRESSIONS
	elemIntervalEnd   = 1  // NFT_SET_ELEM_INTERVAL_END
	elemCatchall      = 2  // NFT_SET_ELEM_CATCHALL

	setAnonymous = 0x1  // NFT_SET_ANONYMOUS: it is written in the rule
	setConstant  = 0x2  // NFT_SET_CONSTANT
	setInterval  = 0x4  // NFT_SET_INTERVAL
	setTimeout   = 0x10 // NFT_SET_TIMEOUT
	setEval      = 0x20 // NFT_SET_EVAL: rules add to it
)

// A set is a set or a map.
type set struct {
	family   byte
	table    string // without its family
	name     string
	flags    uint32       // NFT_SET_*
	keyLen   int          // bytes of a key
	fields   []int        // bytes of each part of the keys, if they are concatenated
	elements []setElement // with intervals: sorted
}

// A setElement is an element of a set. Of an interval that has no keyEnd it is one of
// the two ends.
type setElement struct {
	key, keyEnd []byte
	data        []byte // attributes of a map's value
	end         bool   // the end of an interval, which is not in it
	catchall    bool
	conditional bool // an expression decides whether it matches
}

// parseSet reads a message about a set (nf_tables_fill_set).
func parseSet(message []byte) (s set, err error) {
	family, attributes, err := parseNfgenmsg(message)
	if err != nil || family == "" {
		return s, err
	}
	s.family = message[0]
	err = kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			s.table = a.String()
		case nftaSetName:
			s.name = a.String()
		case nftaSetFlags:
			s.flags = kernel.BigEndian32(a.Bytes())
		case nftaSetKeyLen:
			s.keyLen = int(kernel.BigEndian32(a.Bytes()))
		case nftaSetDesc:
			eachNested(kernel.Attribute(a.Bytes(), nftaSetDescConcat), func(field []byte) {
				s.fields = append(s.fields, int(kernel.BigEndian32(kernel.Attribute(field, nftaFieldLen))))
			})
		}
	})
	return s, err
}

// eachNested calls use with each element of a list, until it is cut short.
func eachNested(list []byte, use func(element []byte)) {
	_ = kernel.EachAttribute(list, func(a *netlink.AttributeDecoder) {
		if a.Type() == nftaListElem {
			use(a.Bytes())
		}
	})
}

// addElements adds those of a message (nf_tables_dump_set).
func (s *set) addElements(message []byte) error {
	_, attributes, err := parseNfgenmsg(message)
	if err != nil {
		return err
	}
	eachNested(kernel.Attribute(attributes, nftaElemList), func(b []byte) {
		flags := kernel.BigEndian32(kernel.Attribute(b, nftaElemFlags))
		e := setElement{
			key: kernel.Attribute(b, nftaElemKey, nftaFirst), keyEnd: kernel.Attribute(b, nftaElemKeyEnd, nftaFirst),
			data: kernel.Attribute(b, nftaElemData), end: flags&elemIntervalEnd != 0, catchall: flags&elemCatchall != 0,
		}
		harmless := func(expression []byte) {
			name := nlenc.String(kernel.Attribute(expression, nftaExprName))
			e.conditional = e.conditional || name != "counter" && name != "last"
		}
		if expression := kernel.Attribute(b, nftaElemExpr); expression != nil {
			harmless(expression)
		}
		eachNested(kernel.Attribute(b, nftaElemExprs), harmless)
		s.elements = append(s.elements, e)
	})
	return nil
}

// sort puts the ends of intervals in their order: where one ends and another begins, the
// end is the first.
func (s *set) sort() {
	if s.flags&setInterval == 0 {
		return
	}
	slices.SortStableFunc(s.elements, func(a, b setElement) int {
		if order := bytes.Compare(a.key, b.key); order != 0 || a.end == b.end {
			return order
		}
		if a.end {
			return -1
		}
		return 1
	})
}

// A hit is an element that a key matches, or may match.
type hit struct {
	element *setElement
	sure    truth
}

// find returns the elements that a key may match. If one matches for certain there is no
// other. Whether an element was there when the packet came is not certain where elements
// come and go by themselves.
func (s *set) find(key value) (hits []hit) {
	simple := !slices.ContainsFunc(s.elements, func(e setElement) bool { return e.keyEnd != nil })
	switch {
	case s.flags&setInterval != 0 && simple && !key.whole():
		for i := range s.elements {
			if !s.elements[i].end && !s.elements[i].catchall {
				hits = append(hits, hit{&s.elements[i], perhaps})
			}
		}
	case s.flags&setInterval != 0 && simple:
		hits = s.findInterval(key.data)
	default:
		hits = s.findEach(key)
	}
	for i := range hits {
		if hits[i].element.conditional || s.flags&(setTimeout|setEval) != 0 {
			hits[i].sure = perhaps
		}
	}
	return s.orCatchall(hits)
}

// orCatchall adds the element that matches what no other does.
func (s *set) orCatchall(hits []hit) []hit {
	sure := yes
	for _, h := range hits {
		sure = min(sure, h.sure.not())
	}
	for i := range s.elements {
		if s.elements[i].catchall && sure > no {
			return append(hits, hit{&s.elements[i], sure})
		}
	}
	return hits
}

// findInterval finds the last end of an interval that is not above the key.
func (s *set) findInterval(key []byte) []hit {
	var last *setElement
	for i := range s.elements {
		if e := &s.elements[i]; !e.catchall && bytes.Compare(e.key, key) <= 0 {
			last = e
		}
	}
	if last == nil || last.end {
		return nil
	}
	return []hit{{last, yes}}
}

// findEach looks at each element, as a key that is known only in part may match several. An element that matches for
// certain is the only hit.
func (s *set) findEach(key value) (hits []hit) {
	for i := range s.elements {
		e := &s.elements[i]
		if e.catchall || e.end {
			continue
		}
		switch sure := s.matches(e, key); sure {
		case yes:
			return []hit{{e, yes}}
		case perhaps:
			hits = append(hits, hit{e, perhaps})
		case no:
		}
	}
	return hits
}

// matches compares a key with an element: part by part with the range of each part, if
// it is concatenated (struct nft_pipapo).
func (s *set) matches(e *setElement, key value) truth {
	if e.keyEnd == nil {
		return key.equal(e.key)
	}
	fields := s.fields
	if len(fields) == 0 {
		fields = []int{len(key.data)}
	}
	all, at := yes, 0
	for _, n := range fields {
		if n < 0 || at+n > len(key.data) || len(e.key) < at+n || len(e.keyEnd) < at+n {
			return perhaps
		}
		all = min(all, value{key.data[at : at+n], key.known[at : at+n]}.between(e.key[at:at+n], e.keyEnd[at:at+n]))
		at += (n + 3) &^ 3
	}
	return all
}

// membership is whether a key that may match these elements is in the set.
func (s *set) membership(hits []hit) truth {
	in := no
	for _, h := range hits {
		in = max(in, h.sure)
	}
	if in == no && s.flags&(setTimeout|setEval) != 0 { // it may have been
		return perhaps
	}
	return in
}

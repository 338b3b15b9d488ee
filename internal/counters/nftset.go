package counters

import (
	"bytes"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"
)

// Messages, attributes and flags of sets, of include/uapi/linux/netfilter/nf_tables.h.
const (
	nftGetSet        = 10
	nftGetSetElement = 13

	nftaSetName   = 2
	nftaSetFlags  = 3
	nftaSetKeyLen = 5
	nftaSetDesc   = 9

	nftaSetDescConcat = 2
	nftaListElem      = 1
	nftaFieldLen      = 1

	nftaElemList       = 3 // of a message about elements
	nftaElemListTable  = 1
	nftaElemListSet    = 2
	nftaElemKey        = 1
	nftaElemData       = 2
	nftaElemFlags      = 3
	nftaElemExpr       = 7
	nftaElemKeyEnd     = 10
	nftaElemExprs      = 11
	nftElemIntervalEnd = 1
	nftElemCatchall    = 2

	nftSetInterval = 0x4
	nftSetTimeout  = 0x10
	nftSetEval     = 0x20
)

// An nftSet is a set or a map.
type nftSet struct {
	family   byte
	table    string // without its family
	name     string
	flags    uint32
	keyLen   int
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
func parseSet(message []byte) (s nftSet, err error) {
	family, attributes, err := parseNfgenmsg(message)
	if err != nil || family == "" {
		return s, err
	}
	s.family = message[0]
	err = eachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			s.table = a.String()
		case nftaSetName:
			s.name = a.String()
		case nftaSetFlags:
			s.flags = bigEndian32(a.Bytes())
		case nftaSetKeyLen:
			s.keyLen = int(bigEndian32(a.Bytes()))
		case nftaSetDesc:
			eachNested(attribute(a.Bytes(), nftaSetDescConcat), func(field []byte) {
				s.fields = append(s.fields, int(bigEndian32(attribute(field, nftaFieldLen))))
			})
		}
	})
	return s, err
}

// eachNested calls use with each element of a list, until it is cut short.
func eachNested(list []byte, use func(element []byte)) {
	_ = eachAttribute(list, func(a *netlink.AttributeDecoder) {
		if a.Type() == nftaListElem {
			use(a.Bytes())
		}
	})
}

// addElements adds those of a message (nf_tables_dump_set).
func (s *nftSet) addElements(message []byte) error {
	_, attributes, err := parseNfgenmsg(message)
	if err != nil {
		return err
	}
	eachNested(attribute(attributes, nftaElemList), func(b []byte) {
		flags := bigEndian32(attribute(b, nftaElemFlags))
		e := setElement{
			key: attribute(attribute(b, nftaElemKey), nftaFirst), keyEnd: attribute(attribute(b, nftaElemKeyEnd), nftaFirst),
			data: attribute(b, nftaElemData), end: flags&nftElemIntervalEnd != 0, catchall: flags&nftElemCatchall != 0,
		}
		harmless := func(expression []byte) {
			name := nlenc.String(attribute(expression, nftaExprName))
			e.conditional = e.conditional || name != "counter" && name != "last"
		}
		if expression := attribute(b, nftaElemExpr); expression != nil {
			harmless(expression)
		}
		eachNested(attribute(b, nftaElemExprs), harmless)
		s.elements = append(s.elements, e)
	})
	return nil
}

// sort puts the ends of intervals in their order: where one ends and another begins, the
// end is the first.
func (s *nftSet) sort() {
	if s.flags&nftSetInterval == 0 {
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
func (s *nftSet) find(key value) (hits []hit) {
	simple := !slices.ContainsFunc(s.elements, func(e setElement) bool { return e.keyEnd != nil })
	switch {
	case s.flags&nftSetInterval != 0 && simple && !key.whole():
		for i := range s.elements {
			if !s.elements[i].end && !s.elements[i].catchall {
				hits = append(hits, hit{&s.elements[i], perhaps})
			}
		}
	case s.flags&nftSetInterval != 0 && simple:
		hits = s.findInterval(key.data)
	default:
		hits = s.findEach(key)
	}
	for i := range hits {
		if hits[i].element.conditional || s.flags&(nftSetTimeout|nftSetEval) != 0 {
			hits[i].sure = perhaps
		}
	}
	return s.orCatchall(hits)
}

// orCatchall adds the element that matches what no other does.
func (s *nftSet) orCatchall(hits []hit) []hit {
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
func (s *nftSet) findInterval(key []byte) []hit {
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

func (s *nftSet) findEach(key value) (hits []hit) {
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
func (s *nftSet) matches(e *setElement, key value) truth {
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

// membership is whether the key is in the set.
func (s *nftSet) membership(key value) truth {
	in := no
	for _, h := range s.find(key) {
		in = max(in, h.sure)
	}
	if in == no && s.flags&(nftSetTimeout|nftSetEval) != 0 { // it may have been
		return perhaps
	}
	return in
}

package nftables

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// TestQueues: the queues of a rule are read from the expression of nftables and from the target of iptables in each of its
// revisions, and written as the tools write them.
func TestQueues(t *testing.T) {
	u16 := func(numbers ...uint16) (b []byte) {
		for _, n := range numbers {
			b = binary.NativeEndian.AppendUint16(b, n)
		}
		return b
	}
	target := func(info []byte) func(*netlink.AttributeEncoder) {
		return func(a *netlink.AttributeEncoder) {
			a.Nested(nftaListElem, func(a *netlink.AttributeEncoder) error {
				a.String(nftaExprName, "target")
				a.Nested(nftaExprData, func(a *netlink.AttributeEncoder) error {
					a.String(nftaFirst, "NFQUEUE")
					a.Bytes(nftaThird, info)
					return nil
				})
				return nil
			})
		}
	}
	queue := func(numbers ...uint16) func(*netlink.AttributeEncoder) {
		return func(a *netlink.AttributeEncoder) {
			a.Nested(nftaListElem, func(a *netlink.AttributeEncoder) error {
				a.String(nftaExprName, "queue")
				a.Nested(nftaExprData, func(a *netlink.AttributeEncoder) error {
					for i, n := range numbers {
						a.Bytes(uint16(nftaFirst+i), binary.BigEndian.AppendUint16(nil, n))
					}
					return nil
				})
				return nil
			})
		}
	}
	for name, test := range map[string]struct {
		expression func(*netlink.AttributeEncoder)
		text       string
		queues     *Queues
	}{
		"one":                 {queue(3), "queue to 3", &Queues{First: 3, Last: 3}},
		"several":             {queue(0, 4, 2), "queue to 0-3", &Queues{First: 0, Last: 3}},
		"with bypass":         {queue(7, 1, 3), "queue flags bypass to 7", &Queues{First: 7, Last: 7, Bypass: true}},
		"by a map":            {queue(), "queue", nil},
		"iptables":            {target(u16(3, 0, 0, 0)), `xt target "NFQUEUE" --queue-num 3`, &Queues{First: 3, Last: 3}},
		"iptables, balanced":  {target(u16(4, 3, 1, 0)), `xt target "NFQUEUE" --queue-balance 4:6 --queue-bypass`, &Queues{4, 6, true}},
		"iptables, CPU":       {target(u16(4, 3, 2, 0)), `xt target "NFQUEUE" --queue-balance 4:6`, &Queues{First: 4, Last: 6}},
		"iptables, cut short": {target([]byte{1}), `xt target "NFQUEUE"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			message, err := body(func(a *netlink.AttributeEncoder) {
				a.String(nftaTable, "t")
				a.String(nftaRuleChain, "c")
				a.Nested(nftaRuleExprs, func(a *netlink.AttributeEncoder) error {
					test.expression(a)
					return nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			r, err := parseRule(message)
			if err != nil || r.text != test.text {
				t.Errorf("the rule is %q, %v, want %q", r.text, err, test.text)
			}
			w := walk{rules: newRuleset(), packet: new(Packet)}
			e := w.evaluate(&r, tableName{family: "ip", name: "t"})
			if len(e.verdicts) != 1 || e.verdicts[0].code != verdictQueue || (e.queues == nil) != (test.queues == nil) ||
				e.queues != nil && *e.queues != *test.queues {
				t.Errorf("verdicts %v, queues %v, want %v", e.verdicts, e.queues, test.queues)
			}
		})
	}
	if q := queuesOf(kernel.Attribute([]byte{8, 0, 1, 0, 0, 0, 0, 9}, nftaFirst)); q != nil {
		t.Errorf("a number of four bytes gives %v", q)
	}
}

package nftables

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// Queues are the queues (NFQUEUE) to which a rule passes packets.
type Queues struct {
	First  uint16 `json:"first"`
	Last   uint16 `json:"last"`
	Bypass bool   `json:"bypass,omitempty"` // packets go on where no program reads them
}

// String is the queues as nft has them: "3", "0-3".
func (q *Queues) String() string {
	if q.First == q.Last {
		return fmt.Sprint(q.First)
	}
	return fmt.Sprintf("%d-%d", q.First, q.Last)
}

// Queueing returns the rules that may pass a packet to a queue at a hook, as [Ruleset.Suspects] does those that may drop it. A
// rule whose queues are not known is left out.
func (r *Ruleset) Queueing(hook string, p *Packet) ([]Suspect, error) {
	all, err := r.AllSuspects(hook, p)
	return slices.DeleteFunc(all, func(s Suspect) bool { return s.Queues == nil }), err
}

// queuesOf reads the expression queue (net/netfilter/nft_queue.c), nil if the number is in a register.
func queuesOf(data []byte) *Queues {
	number, total, flags := kernel.Attribute(data, nftaFirst), kernel.Attribute(data, nftaSecond), kernel.Attribute(data, nftaThird)
	if len(number) != 2 {
		return nil
	}
	const bypass = 1 // NFT_QUEUE_FLAG_BYPASS
	u16 := func(b []byte) uint16 {
		if len(b) != 2 {
			return 0
		}
		return binary.BigEndian.Uint16(b)
	}
	first := u16(number)
	return &Queues{First: first, Last: first + max(u16(total), 1) - 1, Bypass: u16(flags)&bypass != 0}
}

// TargetQueues reads what the target NFQUEUE of iptables has (include/uapi/linux/netfilter/xt_NFQUEUE.h), nil if it has too
// little. What its first revisions lack is 0 in their memory, as it is aligned.
func TargetQueues(info []byte) *Queues {
	if len(info) < 2 {
		return nil
	}
	u16 := func(at int) uint16 {
		if len(info) < at+2 {
			return 0
		}
		return binary.NativeEndian.Uint16(info[at:])
	}
	first := u16(0)
	return &Queues{First: first, Last: first + max(u16(2), 1) - 1, Bypass: u16(4)&1 != 0}
}

// Options are the queues as iptables -S writes them.
func (q *Queues) Options() string {
	text := "--queue-num " + q.String()
	if q.First != q.Last {
		text = fmt.Sprintf("--queue-balance %d:%d", q.First, q.Last)
	}
	if q.Bypass {
		text += " --queue-bypass"
	}
	return text
}

// queue passes the packet to a program, which may drop it, as the kernel does without one.
func (e *evaluation) queue(data []byte) {
	e.queues = queuesOf(data)
	e.decide(verdictQueue)
}

// queue is the statement as nft has it.
func (t *ruleText) queue(data []byte) {
	words := []string{"queue"}
	q := queuesOf(data)
	if q == nil {
		t.add("queue")
		return
	}
	if q.Bypass {
		words = append(words, "flags bypass")
	}
	t.add(strings.Join(append(words, "to", q.String()), " "))
}

// nfqueueOf returns the queues of a target of iptables; ok is false of another target.
func nfqueueOf(data []byte) (q *Queues, ok bool) {
	if nlenc.String(kernel.Attribute(data, nftaFirst)) != "NFQUEUE" {
		return nil, false
	}
	return TargetQueues(kernel.Attribute(data, nftaThird)), true
}

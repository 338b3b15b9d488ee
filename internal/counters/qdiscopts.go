package counters

import (
	"encoding/binary"
	"fmt"
	"strings"

	"dropwatch/internal/kernel"
)

// optionAt is where a number among the options of a queueing discipline is: in a struct, or in an
// attribute of it (include/uapi/linux/pkt_sched.h).
type optionAt struct {
	name   string
	attr   uint16 // 0: the options are a struct
	offset int
	unit   string // "b" are bytes and "p" packets, as tc shows them
}

// queueOptions are the numbers that limit a queue, by the kind of its discipline.
var queueOptions = map[string][]optionAt{
	"pfifo": {{"limit", 0, 0, "p"}}, "bfifo": {{"limit", 0, 0, "b"}}, "pfifo_head_drop": {{"limit", 0, 0, "p"}},
	"netem": {{"limit", 0, 4, "p"}}, "sfq": {{"limit", 0, 8, "p"}},
	"fq": {{"limit", 1, 0, "p"}, {"flow_limit", 2, 0, "p"}}, "fq_codel": {{"limit", 2, 0, "p"}}, "codel": {{"limit", 2, 0, "p"}},
	"pie": {{"limit", 2, 0, "p"}}, "fq_pie": {{"limit", 1, 0, "p"}},
}

// limits are the options of the discipline that say when it drops, as tc has them: "rate 1Mbit burst
// 3000b limit 6000b". They are empty if its kind has none, or is not known.
func (q *qdisc) limits() string {
	if q.kind == "tbf" {
		return tbfLimits(q.options)
	}
	var words []string
	for _, o := range queueOptions[q.kind] {
		data := q.options
		if o.attr != 0 {
			data = kernel.Attribute(data, o.attr)
		}
		if len(data) >= o.offset+4 {
			words = append(words, fmt.Sprintf("%s %d%s", o.name, binary.NativeEndian.Uint32(data[o.offset:]), o.unit))
		}
	}
	return strings.Join(words, " ")
}

// tbfLimits reads TCA_TBF_PARMS (struct tc_tbf_qopt) and TCA_TBF_RATE64. The kernel keeps the burst as
// the time that it takes at the rate, in ticks of 64 ns (include/net/pkt_sched.h PSCHED_SHIFT).
func tbfLimits(options []byte) string {
	const (
		parms, rate64       = 1, 4 // attributes
		rate, limit, buffer = 8, 24, 28
		tick                = 64
	)
	p := kernel.Attribute(options, parms)
	if len(p) < buffer+4 {
		return ""
	}
	number := binary.NativeEndian.Uint32
	bytes := uint64(number(p[rate:])) // a second
	if big := kernel.Attribute(options, rate64); len(big) == 8 {
		bytes = binary.NativeEndian.Uint64(big)
	}
	burst := float64(number(p[buffer:])) * tick / 1e9 * float64(bytes)
	return fmt.Sprintf("rate %s burst %.0fb limit %db", bitRate(bytes), burst, number(p[limit:]))
}

// bitRate is a rate in bytes a second as tc has it: "1Mbit".
func bitRate(bytes uint64) string {
	bits, unit := 8*bytes, ""
	for _, larger := range []string{"K", "M", "G"} {
		if bits == 0 || bits%1000 != 0 {
			break
		}
		bits, unit = bits/1000, larger
	}
	return fmt.Sprintf("%d%sbit", bits, unit)
}

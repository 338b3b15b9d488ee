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
	name   string // as tc shows it
	attr   uint16 // 0: the options are a struct
	offset int    // in bytes, in the struct or the attribute
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
	switch read := classLimits[q.kind]; {
	case q.class:
		return read(q.options)
	case q.kind == "tbf":
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
	bytes := rateOf(options, rate64, p[rate:])
	burst := float64(number(p[buffer:])) * tick / 1e9 * float64(bytes)
	return fmt.Sprintf("rate %s burst %.0fb limit %db", bitRate(bytes), burst, number(p[limit:]))
}

// classLimits read the options of a class, as tc class change takes them, by the kinds of
// disciplines whose classes have rates.
var classLimits = map[string]func(options []byte) string{"htb": htbLimits, "hfsc": hfscLimits}

// htbLimits reads TCA_HTB_PARMS (struct tc_htb_opt), TCA_HTB_RATE64 and TCA_HTB_CEIL64.
func htbLimits(options []byte) string {
	const (
		parms, rate64, ceil64 = 1, 6, 7 // attributes
		rate, ceil            = 8, 20
	)
	p := kernel.Attribute(options, parms)
	if len(p) < ceil+4 {
		return ""
	}
	return "rate " + bitRate(rateOf(options, rate64, p[rate:])) + " ceil " + bitRate(rateOf(options, ceil64, p[ceil:]))
}

// hfscLimits reads the curves of a class (struct tc_service_curve): of real time, of link sharing,
// and the upper limit.
func hfscLimits(options []byte) string {
	const m1, d, m2 = 0, 4, 8 // a rate, how many microseconds, and the rate after them
	var words []string
	for attr, name := range []string{1: "rt", 2: "ls", 3: "ul"} { // TCA_HFSC_RSC, FSC, USC
		c := kernel.Attribute(options, uint16(attr))
		if name == "" || len(c) < m2+4 {
			continue
		}
		number := binary.NativeEndian.Uint32
		words = append(words, fmt.Sprintf("%s m1 %s d %dus m2 %s", name,
			bitRate(uint64(number(c[m1:]))), number(c[d:]), bitRate(uint64(number(c[m2:])))))
	}
	return strings.Join(words, " ")
}

// rateOf is a rate in bytes a second: of the attribute for those that 32 bits do not hold, if it
// is there, or else what rate begins with.
func rateOf(options []byte, attr64 uint16, rate []byte) uint64 {
	if big := kernel.Attribute(options, attr64); len(big) == 8 {
		return binary.NativeEndian.Uint64(big)
	}
	return uint64(binary.NativeEndian.Uint32(rate))
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

package trace

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCPUs is more than a kernel can have (NR_CPUS).
const maxCPUs = 1 << 16

// parseCPUs reads a list as in /sys/devices/system/cpu/online: "0-3,8".
func parseCPUs(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, several := strings.Cut(part, "-")
		if !several {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= maxCPUs {
			return nil, fmt.Errorf("list of CPUs %q: no numbers and ranges", list)
		}
		for ; from <= to; from++ {
			cpus = append(cpus, from)
		}
	}
	return cpus, nil
}

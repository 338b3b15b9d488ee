package host

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// maxCPUs is more than a kernel can have (NR_CPUS).
const maxCPUs = 1 << 16

// OnlineCPUs returns the numbers of the CPUs that are online, in order.
func (h *Host) OnlineCPUs() ([]int, error) {
	text, err := h.Text("sys/devices/system/cpu/online")
	if err != nil {
		return nil, fmt.Errorf("find the CPUs: %w", err)
	}
	return ParseCPUList(text)
}

// ParseCPUList reads a list of CPUs as sysfs has them, such as 0-3,8.
func ParseCPUList(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, several := strings.Cut(part, "-")
		if !several {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= maxCPUs {
			return nil, fmt.Errorf("invalid list of CPUs %q: give numbers and ranges such as 0-3,8", list)
		}
		for ; from <= to; from++ {
			cpus = append(cpus, from)
		}
	}
	return cpus, nil
}

// PageSize returns the size of a page of memory in bytes, from the auxiliary vector of this
// process.
func (h *Host) PageSize() int {
	aux, _ := h.ReadFile("proc/self/auxv")
	if size := ParsePageSize(aux); size > 0 {
		return size
	}
	return os.Getpagesize()
}

// ParsePageSize returns AT_PAGESZ of an auxiliary vector (getauxval(3)), or 0 if it has none.
func ParsePageSize(aux []byte) int {
	const pageSize, word = 6, strconv.IntSize / 8
	for ; len(aux) >= 2*word; aux = aux[2*word:] {
		if key := readWord(aux); key == pageSize {
			return int(readWord(aux[word:]))
		}
	}
	return 0
}

// readWord reads an unsigned long of this process.
func readWord(b []byte) uint64 {
	if strconv.IntSize == 32 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

// LockLimit returns how many bytes this process may lock in memory (RLIMIT_MEMLOCK);
// [math.MaxInt] if there is no limit, 0 if it cannot be read.
func (h *Host) LockLimit() int {
	text, _ := h.ReadFile("proc/self/limits")
	return ParseLockLimit(string(text))
}

// ParseLockLimit reads the soft limit of locked memory from proc_pid_limits(5). It returns
// what [Host.LockLimit] does.
func ParseLockLimit(text string) int {
	_, rest, _ := strings.Cut(text, "Max locked memory")
	soft, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if soft == "unlimited" {
		return math.MaxInt
	}
	n, _ := strconv.Atoi(soft)
	return n
}

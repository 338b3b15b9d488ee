package counters

import (
	"fmt"
	"strconv"
	"strings"
)

// softnetColumns are those of /proc/net/softnet_stat (net/core/net-procfs.c
// softnet_seq_show). Columns that are always 0 have no name.
var softnetColumns = []string{
	0: "processed", 1: "dropped", 2: "time_squeeze", 8: "cpu_collision", 9: "received_rps", 10: "flow_limit_count",
	11: "backlog_len", 12: "", 13: "input_qlen", 14: "process_qlen",
}

// softnetGauges are the columns that are present lengths of a CPU's backlog, which
// drops at netdev_max_backlog.
var softnetGauges = map[string]bool{"backlog_len": true, "input_qlen": true, "process_qlen": true}

// softnet reads what each CPU counts on its way from the device to the protocols.
func (r *reading) softnet() error {
	text, err := r.host.ReadFile(netFile("softnet_stat"))
	if err != nil {
		return err
	}
	limit, row := r.limit("net/core/netdev_max_backlog"), 0
	for line := range strings.Lines(string(text)) {
		values, err := hexFields(line)
		if err != nil {
			return fmt.Errorf("softnet_stat: %w", err)
		}
		r.softnetRow(values, row, limit)
		row++
	}
	return nil
}

// softnetRow adds the counters of one CPU. Lines are those of online CPUs; column 12,
// since Linux 5.10, is the CPU's number.
func (r *reading) softnetRow(values []uint64, row int, limit uint64) {
	cpu := uint64(row)
	if len(values) > 12 {
		cpu = values[12]
	}
	object := fmt.Sprintf("cpu %d", cpu)
	for i, name := range softnetColumns {
		if name == "" || i >= len(values) {
			continue
		}
		c := Counter{Key: Key{Object: object, Name: name}, Value: values[i], Bits: 32, Gauge: softnetGauges[name]}
		if c.Gauge {
			c.Limit = limit
		}
		r.add(c)
	}
}

// hexFields reads the hexadecimal numbers of a line of softnet_stat. How many there are depends on the kernel
// (net/core/net-procfs.c softnet_seq_show).
func hexFields(line string) (values []uint64, err error) {
	for _, f := range strings.Fields(line) {
		v, err := strconv.ParseUint(f, 16, 64)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

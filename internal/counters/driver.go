package counters

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Sizes of include/uapi/linux/ethtool.h.
const (
	sizeofGstrings = 12 // struct ethtool_gstrings, before the names
	sizeofGstats   = 8  // struct ethtool_stats, before the values
	sizeofStatName = 32
)

// driverStats are the statistics that a driver keeps of one interface, as ethtool -S
// shows them.
type driverStats struct {
	ifname, driver string // the driver as ethtool -i names it
	names          []statName
	values         []uint64 // as many as names
}

// A statName is the name of a statistic, with what it says.
type statName struct {
	name string

	// Object is the turn of the second and later ones of a name, which some drivers give to
	// each of their queues.
	object string
	level  bool
	part   bool // of one of all queues
}

// driver reads the statistics of each interface that has any, its rings and its pause
// frames.
func (r *reading) driver() error {
	names, err := r.linkNames()
	if err != nil {
		return err
	}
	return errors.Join(ifThere(eachDriver(names, r.driverStats)), ifThere(r.rings()), ifThere(r.pause()))
}

// ifThere takes the error of a kernel that has no such counters for none.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// driverLevels are the statistics that are present levels, not totals.
var driverLevels = map[string]bool{
	"conntrack_allowance_available": true, "outbound_pci_stalled_rd": true, "outbound_pci_stalled_wr": true, "peer_ifindex": true,
}

// driverStats adds the counters of one interface.
func (r *reading) driverStats(s *driverStats) {
	for i := range s.names {
		n := &s.names[i]
		r.add(Counter{
			Key: Key{IfName: s.ifname, Object: n.object, Name: n.name}, Value: s.values[i], Gauge: n.level, About: s.driver, Part: n.part,
		})
	}
}

// statNames are those of the statistics of an interface, in their order.
func statNames(all []string) []statName {
	turns := make(map[string]int, len(all))
	for _, name := range all {
		turns[name] = 0
	}
	names := make([]statName, len(all))
	for i, name := range all {
		names[i] = statName{name: name, level: driverLevels[name], part: isPart(name, turns)}
		if turns[name]++; turns[name] > 1 {
			names[i].object = fmt.Sprintf("number %d", turns[name])
		}
	}
	return names
}

// ofQueue matches what drivers put before or after the name of a total for that of a
// queue: rx0_drops and rx_queue_0_drops (rx_drops), queue_0_rx_drops, [0]: rx_drops,
// rx_drops[0].
var ofQueue = regexp.MustCompile(`^([rt]x)(?:-|_queue_)?\d+[._]|^(?:queue_\d+_|\[\d+\]: )([rt]x)_|^([rt]x)_(\w+)\[\d+\]$`)

// isPart reports whether a statistic is a queue's, and that of all queues is there, too.
func isPart(name string, names map[string]int) bool {
	if !ofQueue.MatchString(name) {
		return false
	}
	all := ofQueue.ReplaceAllString(name, "$1$2${3}_$4")
	_, there := names[all]
	_, total := names[strings.Replace(all, "x_", "x_total_", 1)] // as bnxt has them
	return there || total
}

// parseStatNames reads the kernel's answer to ETHTOOL_GSTRINGS (struct ethtool_gstrings).
// A name that the driver left empty is its number.
func parseStatNames(data []byte) []string {
	if len(data) < sizeofGstrings {
		return nil
	}
	n := binary.NativeEndian.Uint32(data[8:12])
	names := make([]string, 0, len(data)/sizeofStatName)
	for rest := data[sizeofGstrings:]; n > 0 && len(rest) >= sizeofStatName; n, rest = n-1, rest[sizeofStatName:] {
		name, _, _ := bytes.Cut(rest[:sizeofStatName], []byte{0})
		names = append(names, cmp.Or(string(bytes.TrimSpace(name)), fmt.Sprintf("[%d]", len(names))))
	}
	return names
}

// parseStatValues reads the kernel's answer to ETHTOOL_GSTATS (struct ethtool_stats).
func parseStatValues(data []byte) []uint64 {
	if len(data) < sizeofGstats {
		return nil
	}
	n := binary.NativeEndian.Uint32(data[4:8])
	values := make([]uint64, 0, len(data)/8)
	for rest := data[sizeofGstats:]; n > 0 && len(rest) >= 8; n, rest = n-1, rest[8:] {
		values = append(values, binary.NativeEndian.Uint64(rest[:8]))
	}
	return values
}

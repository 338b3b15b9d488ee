package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eachDriver calls use with the statistics of each interface of the thread's network
// namespace that has any; names are those of all, by index. An interface that is removed
// meanwhile is left out.
func eachDriver(names map[uint32]string, use func(*driverStats)) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	var all []error
	for _, index := range slices.Sorted(maps.Keys(names)) {
		s, err := readDriverStats(fd, names[index])
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENODEV) {
			continue
		}
		if err != nil {
			all = append(all, fmt.Errorf("ask the driver of %s: %w", names[index], err))
			continue
		}
		use(s)
	}
	return errors.Join(all...)
}

// statsSet is ETH_SS_STATS of include/uapi/linux/ethtool.h.
const statsSet = 1

// spare is room for statistics that come into being between the question of how many
// there are and the answer: kernels before 6.18 write as many as there are then.
const spare = 256

// readDriverStats asks for the number of an interface's statistics, their names and
// their values: none if their number changes in between, EOPNOTSUPP if there are none.
func readDriverStats(fd int, ifname string) (*driverStats, error) {
	count := make([]byte, 20) // struct ethtool_sset_info for one set
	binary.NativeEndian.PutUint32(count[0:4], unix.ETHTOOL_GSSET_INFO)
	binary.NativeEndian.PutUint64(count[8:16], 1<<statsSet)
	if err := ethtool(fd, ifname, count); err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(count[16:20])
	if n == 0 {
		return nil, unix.EOPNOTSUPP
	}
	names := make([]byte, sizeofGstrings+sizeofStatName*(n+spare))
	binary.NativeEndian.PutUint32(names[0:4], unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(names[4:8], statsSet)
	binary.NativeEndian.PutUint32(names[8:12], n)
	values := make([]byte, sizeofGstats+8*(n+spare))
	binary.NativeEndian.PutUint32(values[0:4], unix.ETHTOOL_GSTATS)
	binary.NativeEndian.PutUint32(values[4:8], n)
	if err := errors.Join(ethtool(fd, ifname, names), ethtool(fd, ifname, values)); err != nil {
		return nil, err
	}
	s := &driverStats{ifname: ifname, names: parseStatNames(names), values: parseStatValues(values)}
	if info, err := unix.IoctlGetEthtoolDrvinfo(fd, ifname); err == nil {
		s.driver = unix.ByteSliceToString(info.Driver[:])
	}
	if len(s.names) != len(s.values) {
		s.names, s.values = nil, nil
	}
	return s, nil
}

// ethtool asks the driver of an interface (SIOCETHTOOL). Data begins with the command,
// and has room for the answer.
func ethtool(fd int, ifname string, data []byte) error {
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of struct ifreq
	}{data: unsafe.Pointer(&data[0])}
	copy(request.name[:unix.IFNAMSIZ-1], ifname)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

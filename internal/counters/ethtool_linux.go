package counters

import (
	"bytes"
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
	reader := driverReader{fd: fd}
	var all []error
	for _, index := range slices.Sorted(maps.Keys(names)) {
		s, err := reader.read(names[index])
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

// A driverReader reads the statistics of one interface after the other. Most have the names
// of the one before, as hosts have many of one driver.
type driverReader struct {
	fd            int    // of any socket, to which the requests are made (SIOCETHTOOL)
	names, values []byte // answers of the kernel
	last          []byte // names as the kernel wrote them, of which known are
	known         []statName
}

// read asks for the number of an interface's statistics, their names and their values: none
// if their number changes in between, EOPNOTSUPP if there are none.
func (d *driverReader) read(ifname string) (*driverStats, error) {
	count := make([]byte, 20) // struct ethtool_sset_info for one set
	binary.NativeEndian.PutUint32(count[0:4], unix.ETHTOOL_GSSET_INFO)
	binary.NativeEndian.PutUint64(count[8:16], 1<<statsSet)
	if err := ethtool(d.fd, ifname, count); err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(count[16:20])
	if n == 0 {
		return nil, unix.EOPNOTSUPP
	}
	d.names = cleared(d.names, sizeofGstrings+sizeofStatName*(n+spare))
	binary.NativeEndian.PutUint32(d.names[0:4], unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(d.names[4:8], statsSet)
	binary.NativeEndian.PutUint32(d.names[8:12], n)
	d.values = cleared(d.values, sizeofGstats+8*(n+spare))
	binary.NativeEndian.PutUint32(d.values[0:4], unix.ETHTOOL_GSTATS)
	binary.NativeEndian.PutUint32(d.values[4:8], n)
	if err := errors.Join(ethtool(d.fd, ifname, d.names), ethtool(d.fd, ifname, d.values)); err != nil {
		return nil, err
	}
	if !bytes.Equal(d.names, d.last) {
		d.last, d.known = slices.Clone(d.names), statNames(parseStatNames(d.names))
	}
	s := &driverStats{ifname: ifname, names: d.known, values: parseStatValues(d.values)}
	if info, err := unix.IoctlGetEthtoolDrvinfo(d.fd, ifname); err == nil {
		s.driver = unix.ByteSliceToString(info.Driver[:])
	}
	if len(s.names) != len(s.values) {
		s.names, s.values = nil, nil
	}
	return s, nil
}

// cleared returns so many bytes of 0, of a buffer if it has as many.
func cleared(buffer []byte, size uint32) []byte {
	if uint32(cap(buffer)) < size {
		return make([]byte, size)
	}
	buffer = buffer[:size]
	clear(buffer)
	return buffer
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

// flagLRO is ETH_FLAG_LRO of include/uapi/linux/ethtool.h.
const flagLRO = 1 << 15

// readFeatures asks which features of interfaces are on. One that is removed meanwhile has none.
func readFeatures(devices []Device) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	for i := range devices {
		get := func(command uint32) uint32 { // struct ethtool_value
			value := make([]byte, 8)
			binary.NativeEndian.PutUint32(value, command)
			if ethtool(fd, devices[i].IfName, value) != nil {
				return 0
			}
			return binary.NativeEndian.Uint32(value[4:])
		}
		d := &devices[i]
		d.GRO, d.TxChecksum = get(unix.ETHTOOL_GGRO) != 0, get(unix.ETHTOOL_GTXCSUM) != 0
		d.LRO = get(unix.ETHTOOL_GFLAGS)&flagLRO != 0
	}
	return nil
}

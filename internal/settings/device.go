package settings

import (
	"fmt"
	"strings"

	"dropwatch/internal/counters"
)

// devicePrefix begins the names of the settings of devices, which are no sysctls.
const devicePrefix = "device."

// devices are the interfaces of a network namespace, by their names.
type devices struct {
	sorted []counters.Device // by their names
	byName map[string]*counters.Device
	cpus   int // that are online
}

// A device is an interface, with what its settings depend on.
type device struct {
	*counters.Device
	in  *devices // to look up the bond or bridge that it is part of
	rps string   // see Reader.rps

	forwards bool // IPv4 packets that arrive by it
}

// deviceTable has the settings of devices that decide whether packets are dropped. Each is read
// from a device: its value, empty if the device has none, and whether that needs attention.
var deviceTable = []About{
	{
		Name: "device.{ifname}.ring_rx", Counters: []string{
			"interface.rx_missed_errors", "interface.rx_fifo_errors", "interface.rx_over_errors", "queue.rx-hw-drop-overruns",
		},
		Command: "ethtool -G ",
		Loses:   "The device drops frames when this many wait until the kernel takes them.",
		Advice:  "Enlarge the ring against bursts (ethtool -G); if the CPU is too slow, more queues help and a ring does not.",
		read:    func(d *device) (string, bool) { return sizeOf(d.Rings["ring_rx"]), false },
	},
	{
		Name:   "device.{ifname}.ring_tx",
		Loses:  "None: when this many frames wait to be sent, further ones wait in the queueing discipline.",
		Advice: "Leave it as it is.",
		read:   func(d *device) (string, bool) { return sizeOf(d.Rings["ring_tx"]), false },
	},
	{
		Name: "device.{ifname}.queues", Counters: []string{"softnet.dropped", "interface.rx_missed_errors"}, Command: "ethtool -L ",
		Loses:  "With fewer queues than CPUs, some CPUs take no packets of the device, and others may be overloaded.",
		Advice: "Use as many as there are CPUs (ethtool -L), or RPS if the device has no more.",
		read:   readQueues,
	},
	{
		Name: "device.{ifname}.rps", Counters: []string{"softnet.dropped"},
		Loses: "Without RPS, the CPU that takes a packet from a queue handles it whole; what it cannot handle is dropped in the ring " +
			"or in its backlog.",
		Advice: "Set rps_cpus of the queues if one CPU is overloaded and the device has no more queues. Of little use for a single flow.",
		read:   func(d *device) (string, bool) { return d.rps, false },
	},
	{
		Name: "device.{ifname}.txqueuelen", Counters: []string{"interface.tx_dropped"}, AtLeast: 1, Command: " txqueuelen ",
		Loses: "A tun or tap device drops what waits for its program beyond this many packets, and so do pfifo and pfifo_fast what " +
			"waits for the device.",
		Advice: "Make the program behind the device faster. A longer queue helps against bursts only, and adds delay.",
		read:   func(d *device) (string, bool) { return fmt.Sprint(d.Queue), d.Queue == 0 },
	},
	{
		Name: "device.{ifname}.mtu", Counters: []string{"IpFragFails", "Ip6FragFails"},
		Loses: "Packets that are longer are not sent: routed ones are answered with an ICMP error, bridged ones vanish.",
		Advice: "Give all ports of a bridge the same MTU, and a tunnel that of the path less its own headers. Where ICMP errors " +
			"are lost, clamp the MSS.",
		read: readMTU,
	},
	{
		Name:   "device.{ifname}.gro",
		Loses:  "None: off, each packet costs more CPU. It may be on where this host forwards.",
		Advice: "Leave it on.",
		read:   func(d *device) (string, bool) { return onOff(d.GRO), false },
	},
	{
		Name:   "device.{ifname}.lro",
		Loses:  "On, packets that the device merged cannot be forwarded or bridged, and are dropped.",
		Advice: "ethtool -K DEV lro off, wherever this host forwards. GRO is as good and harmless.",
		read: func(d *device) (string, bool) {
			master := d.in.byName[d.Master]
			return onOff(d.LRO), d.LRO && (d.forwards || master != nil && master.Kind == "bridge")
		},
	},
	{
		Name: "device.{ifname}.tx_checksum",
		Loses: "On for a tunnel, some devices and virtual machines send a wrong outer checksum, mostly after NAT; the receiver drops " +
			"that (UdpInCsumErrors there), and nothing counts it here.",
		Advice: "If receivers count such errors of packets of this host: ethtool -K DEV tx-checksum-ip-generic off.",
		read: func(d *device) (string, bool) {
			if d.Inside == 0 { // no tunnel
				return "", false
			}
			return onOff(d.TxChecksum), false
		},
	},
}

// sizeOf is "256 of 4096", empty for what a device does not have.
func sizeOf(s counters.Size) string {
	if s.Most == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", s.Now, s.Most)
}

// onOff is how ethtool prints a switch.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// readQueues compares the queues that receive with the CPUs. Of a virtual device they decide
// nothing.
func readQueues(d *device) (string, bool) {
	if d.Receive.Most == 0 || d.Kind != "" {
		return "", false
	}
	fewer := int(d.Receive.Now) < min(int(d.Receive.Most), d.in.cpus)
	return fmt.Sprintf("%s, for %d CPUs", sizeOf(d.Receive), d.in.cpus), fewer
}

// readMTU compares the MTU with that of what carries the packets, and with those of the other
// ports of a bridge or a bond.
func readMTU(d *device) (string, bool) {
	if lower := d.in.byName[d.Lower]; lower != nil && d.MTU+d.Inside > lower.MTU {
		what := "it has room"
		if d.Inside > 0 {
			what = fmt.Sprintf("with headers of %d it has room", d.Inside)
		}
		return fmt.Sprintf("%d over %s: %s for %d", d.MTU, d.Lower, what, lower.MTU-min(lower.MTU, d.Inside)), true
	}
	most, of := d.MTU, ""
	master := d.in.byName[d.Master]
	if master == nil || master.Kind != "bridge" && master.Kind != "bond" && master.Kind != "team" {
		return fmt.Sprint(d.MTU), false
	}
	for i := range d.in.sorted {
		other := &d.in.sorted[i]
		if (other == master || other.Master == d.Master) && other.MTU > most {
			most, of = other.MTU, other.IfName
		}
	}
	if of == "" {
		return fmt.Sprint(d.MTU), false
	}
	return fmt.Sprintf("%d in %s, of which %s has %d", d.MTU, d.Master, of, most), true
}

// deviceSetting reads a setting of a device. It returns false if the device has no such one.
func (r *Reader) deviceSetting(about *About, d *device) (Setting, bool) {
	value, deviates := about.read(d)
	name := strings.Replace(about.Name, "{ifname}", strings.ReplaceAll(d.IfName, ".", "/"), 1)
	return Setting{Name: name, Value: value, About: about, deviates: deviates}, value != ""
}

// device is the interface of a name in the network namespace of the thread, nil if there is none.
func (r *Reader) device(ifname string) *device {
	in := r.devices()
	d := in.byName[ifname]
	if d == nil {
		return nil
	}
	forwarding, _ := r.Read("net.ipv4.conf.{ifname}.forwarding", ifname)
	return &device{d, in, r.rps(ifname), forwarding.Value == "1"}
}

// devices reads those of the network namespace of the thread once. What cannot be read is none.
func (r *Reader) devices() *devices {
	if known := r.known[r.inside]; known != nil {
		return known
	}
	in := &devices{byName: make(map[string]*counters.Device)}
	in.sorted, _ = r.readDevices()
	cpus, _ := r.host.OnlineCPUs()
	in.cpus = len(cpus)
	for i := range in.sorted {
		in.byName[in.sorted[i].IfName] = &in.sorted[i]
	}
	if r.known == nil {
		r.known = make(map[uint32]*devices)
	}
	r.known[r.inside] = in
	return in
}

// rps is on how many queues of an interface other CPUs may handle packets (RPS): "on 0 of 1
// queues". It is empty if that is not known, as in another network namespace, whose interfaces
// are not in /sys here.
func (r *Reader) rps(ifname string) string {
	dir := "sys/class/net/" + ifname + "/queues"
	names, _ := r.host.Names(dir)
	on, all := 0, 0
	for _, name := range names {
		mask, err := r.host.Text(dir + "/" + name + "/rps_cpus")
		if r.inside != 0 || err != nil { // a queue that sends has no such file
			continue
		}
		if all++; strings.Trim(mask, "0,") != "" {
			on++
		}
	}
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("on %d of %d queues", on, all)
}

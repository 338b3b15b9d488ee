package settings

import "dropwatch/internal/counters"

// OtherRelease reports whether a setting is of some kernels only.
func OtherRelease(name string) bool {
	about, _ := Find(name)
	return about.Until != "" || about.Since != ""
}

// SetDevices replaces the devices of the running kernel.
func (r *Reader) SetDevices(all []counters.Device) {
	r.readDevices = func() ([]counters.Device, error) { return all, nil }
}

package settings

// OtherRelease reports whether a setting is of some kernels only.
func OtherRelease(name string) bool {
	about, _ := Find(name)
	return about.Until != "" || about.Since != ""
}

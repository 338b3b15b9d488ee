package settings

// Until is the release that removed a setting.
func Until(name string) string {
	about, _ := Find(name)
	return about.Until
}

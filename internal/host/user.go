package host

import (
	"bytes"
	"strconv"
	"strings"
)

// Home returns the home directory, relative to the root, and the name of a user, from
// /etc/passwd. Both are empty if it has no such user.
func (h *Host) Home(uid uint32) (dir, name string) {
	text, _ := h.ReadFile("etc/passwd")
	dir, name = parseHome(text, uid)
	return strings.TrimPrefix(dir, "/"), name
}

// parseHome returns the home directory and the name of a user from passwd(5).
func parseHome(text []byte, uid uint32) (dir, name string) {
	const user, id, home, fields = 0, 2, 5, 7
	for line := range bytes.Lines(text) {
		f := strings.Split(strings.TrimSuffix(string(line), "\n"), ":")
		if len(f) == fields && f[id] == strconv.FormatUint(uint64(uid), 10) {
			return f[home], f[user]
		}
	}
	return "", ""
}

// IsUser reports whether the user ID id belongs to the user uid: it is the same, or one that
// the user may use in user namespaces (subuid(5)), as rootless containers do.
func (h *Host) IsUser(id, uid uint32) bool {
	if id == uid {
		return true
	}
	_, name := h.Home(uid)
	text, _ := h.ReadFile("etc/subuid")
	return parseSubordinate(text, name, uid, id)
}

// parseSubordinate reports whether subuid(5) assigns id to a user, by name or by number.
func parseSubordinate(text []byte, name string, uid, id uint32) bool {
	const user, first, count, fields = 0, 1, 2, 3
	for line := range bytes.Lines(text) {
		f := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(f) != fields || f[user] != strconv.FormatUint(uint64(uid), 10) && (name == "" || f[user] != name) {
			continue
		}
		from, err := strconv.ParseUint(f[first], 10, 32)
		n, err2 := strconv.ParseUint(f[count], 10, 32)
		if err == nil && err2 == nil && id != 0 && uint64(id) >= from && uint64(id)-from < n {
			return true
		}
	}
	return false
}

package vmtest

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript string

// passwd is the /etc/passwd of guests: root, who runs the tests, and a user without privileges.
const passwd = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
`

// baseImage returns the file with the part of the guest's root that is the same in every boot of k.
// It is made once and kept in the cache, under a name that depends on its contents.
func baseImage(k Kernel) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	userland := filepath.Join(cache, "userland")
	key, err := baseKey(k, userland)
	if err != nil {
		return "", err
	}
	name := filepath.Join(cache, "images", k.Name+"-"+key+".cpio")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	if err := removeAll(filepath.Join(filepath.Dir(name), k.Name+"-*.cpio")); err != nil {
		return "", err
	}
	return name, writeFile(name, func(a *archive) error {
		a.text("init", 0o100755, initScript)
		a.text("etc/passwd", 0o100644, passwd)
		for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
			a.link(dir, "usr/"+dir)
		}
		a.tree("", userland)
		a.link("usr/bin/sh", "busybox")
		return addModules(a, k)
	})
}

// baseKey returns a text that differs for different contents of the base image.
func baseKey(k Kernel, userland string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, initScript, passwd, wantedModules, k.Release)
	for _, name := range []string{userland, k.Modules} {
		info, err := os.Stat(name)
		if err != nil {
			return "", fmt.Errorf("looking for the guests' programs: %w: %w", err, errSetup)
		}
		fmt.Fprintln(h, info.ModTime().UnixNano())
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// removeAll removes the files with these names: base images of an older content.
func removeAll(pattern string) error {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// writeFile writes an archive to a file, which is whole or does not exist.
func writeFile(name string, fill func(*archive) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	a := newArchive(tmp)
	if err := fill(a); err != nil {
		return err
	}
	if err := a.close(); err != nil {
		return fmt.Errorf("making a guest's root: %w", err)
	}
	return os.Rename(tmp.Name(), name)
}

// writeRoot makes the whole root of a guest: the base, then what is its own.
// The kernel unpacks archives that follow each other one over the other.
func writeRoot(name string, g Guest) error {
	base, err := baseImage(g.Kernel)
	if err != nil {
		return err
	}
	in, err := os.Open(base)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("copying %s: %w", base, err)
	}
	a := newArchive(out)
	a.text("vmtest-command", 0o100644, g.Command+"\n")
	for guest, host := range g.Files {
		a.file(realPath(guest), host)
	}
	if err := a.close(); err != nil {
		return fmt.Errorf("making a guest's root: %w", err)
	}
	return out.Close()
}

// realPath returns the name of a guest's file without links: unpacking a directory bin would replace
// the link /bin.
func realPath(name string) string {
	name = strings.TrimPrefix(name, "/")
	for _, dir := range []string{"bin/", "sbin/", "lib/", "lib64/"} {
		if strings.HasPrefix(name, dir) {
			return "usr/" + name
		}
	}
	return name
}

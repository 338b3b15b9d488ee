package vmtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// errSetup ends every error that running setup.sh fixes.
var errSetup = errors.New("run internal/vmtest/setup.sh")

// A Kernel is one of the kernels in the cache.
type Kernel struct {
	Name    string // major and minor version: "6.1"
	Release string // as uname -r prints it
	Image   string // the bootable image
	Modules string // directory of its modules, with modules.dep and modules.alias
}

// Kernels returns the kernels in the cache, oldest first.
func Kernels() ([]Kernel, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	images, err := filepath.Glob(filepath.Join(cache, "kernels", "*", "vmlinuz"))
	if err != nil || len(images) == 0 {
		return nil, fmt.Errorf("looking for kernels: none in %s: %w", cache, errSetup)
	}
	kernels := make([]Kernel, len(images))
	for i, image := range images {
		if kernels[i], err = openKernel(image); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(kernels, func(a, b Kernel) int { return compareVersions(a.Name, b.Name) })
	return kernels, nil
}

// AtLeast reports whether the kernel is of this version or a newer one.
func (k Kernel) AtLeast(major, minor int) bool {
	return compareVersions(k.Name, fmt.Sprintf("%d.%d", major, minor)) >= 0
}

// openKernel returns the kernel with this image.
func openKernel(image string) (Kernel, error) {
	dir := filepath.Dir(image)
	modules, err := filepath.Glob(filepath.Join(dir, "lib", "modules", "*"))
	if err != nil || len(modules) != 1 {
		return Kernel{}, fmt.Errorf("reading %s: not one tree of modules: remove it and %w", dir, errSetup)
	}
	return Kernel{
		Name:    filepath.Base(dir),
		Release: filepath.Base(modules[0]),
		Image:   image,
		Modules: modules[0],
	}, nil
}

// compareVersions compares versions such as 6.1.
func compareVersions(a, b string) int {
	var aMajor, aMinor, bMajor, bMinor int
	fmt.Sscanf(a, "%d.%d", &aMajor, &aMinor)
	fmt.Sscanf(b, "%d.%d", &bMajor, &bMinor)
	return cmp.Or(cmp.Compare(aMajor, bMajor), cmp.Compare(aMinor, bMinor))
}

// cacheDir returns the directory in which setup.sh keeps what it fetches.
func cacheDir() (string, error) {
	if dir := os.Getenv("DROPWATCH_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for the cache: %w: set DROPWATCH_CACHE", err)
	}
	return filepath.Join(dir, "dropwatch"), nil
}

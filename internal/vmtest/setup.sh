#!/bin/bash
# setup.sh prepares a Debian machine for the tests that boot real kernels.
#
# It installs what the host needs, and fills a cache outside the source tree:
#
#   kernels/VERSION/   vmlinuz, config, lib/modules: the newest cloud kernel of
#                      each Debian release named below
#   userland/          dropwatch and dwdump (the C programs our output is held
#                      against), busybox, ip, tc, devlink, nft, iptables and so
#                      on, with every library they need: the guest's root file
#                      system. It is made once more when this list changes.
#
# What is there already is kept, so a second run costs nothing. To get newer
# kernels, remove the cache. DROPWATCH_CACHE says where it is.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod and chroot, where a user's PATH has no sbin

releases="bullseye bookworm trixie forky"
userland_release=forky
userland_packages="dropwatch busybox-static iproute2 nftables iptables bsdutils coreutils"
userland="bin/dropwatch bin/dwdump bin/busybox sbin/ip sbin/devlink sbin/tc sbin/bridge sbin/nft sbin/iptables-legacy sbin/iptables-nft
	lib/x86_64-linux-gnu/xtables/libxt_udp.so lib/x86_64-linux-gnu/xtables/libxt_standard.so
	bin/script bin/stdbuf libexec/coreutils/libstdbuf.so"
host_packages="qemu-system-x86 cpio xz-utils kmod tshark debian-archive-keyring gcc libc6-dev mandoc groff zsh fish
	iproute2 nftables iptables"
compiler="clang-14 llvm-14" # that made the BPF objects: bookworm has it

cache=${DROPWATCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dropwatch}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "setup.sh: $*" >&2; }
die() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_host_packages() {
	install_packages $host_packages ||
		die "installing what the tests need: apt-get failed, see above; install it by hand and run this again: $host_packages"
	install_packages $compiler || say "without $compiler the BPF objects are not compared with their source"
}

install_packages() {
	local missing=()
	for p in "$@"; do
		[ "$(dpkg-query -Wf '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} = 0 ] && return
	say "installing ${missing[*]}"
	{ as_root apt-get -qq update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >&2
}

# mirror prints the address that this machine's own apt has for its release.
mirror() {
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' 'Component: main' |
		awk -v c="$codename" '$1 == c { print $2; exit }'
}

# release_apt RELEASE TOOL ARGS...: run apt-get or apt-cache on that release
# alone, as if nothing were installed, beside the machine's own apt.
release_apt() {
	local dir=$work/$1 tool=$2
	shift 2
	"$tool" -qq -c "$dir/apt.conf" "$@"
}

# open_release RELEASE: make release_apt work for it. The packages' signatures
# are checked unless the keyring of this machine is too old to know the key.
open_release() {
	local release=$1 dir=$work/$1 uri
	[ -e "$dir/ready" ] && return
	uri=$(mirror)
	[ -n "$uri" ] || die "looking for a Debian mirror: none in this machine's apt sources; add one for this release"
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	cat >"$dir/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Sandbox::User "$(id -un)";
		Acquire::Check-Valid-Until "false";
		Debug::NoLocking "true";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear Acquire::IndexTargets::deb::DEP-11;
	EOF
	echo "deb [signed-by=$keyring] $uri $release main" >"$dir/sources.list"
	if ! release_apt "$release" apt-get update 2>"$dir/errors"; then
		grep -q NO_PUBKEY "$dir/errors" || die "reading Debian $release: $(tail -n 1 "$dir/errors")"
		say "debian-archive-keyring has no key for $release: its signatures are NOT checked"
		echo "deb [trusted=yes] $uri $release main" >"$dir/sources.list"
		release_apt "$release" apt-get update || die "reading Debian $release: apt-get update failed, see above"
	fi
	touch "$dir/ready"
}

# unpack RELEASE DIR PACKAGES...: download just these and unpack them in DIR.
unpack() {
	local release=$1 dir=$2
	shift 2
	mkdir -p "$dir" "$dir.debs"
	(cd "$dir.debs" && release_apt "$release" apt-get download "$@") >&2 ||
		die "downloading $* from $release: apt-get failed, see above"
	for deb in "$dir.debs"/*.deb; do dpkg -x "$deb" "$dir"; done
}

# unpack_all RELEASE DIR PACKAGES...: the same with all that they depend on.
unpack_all() {
	local release=$1 dir=$2
	shift 2
	mkdir -p "$dir"
	rm -f "$work/$release/archives"/*.deb
	release_apt "$release" apt-get install --download-only -y --no-install-recommends "$@" >"$work/log" 2>&1 ||
		die "downloading $* from $release: $(tail -n 1 "$work/log")"
	for deb in "$work/$release/archives"/*.deb; do dpkg -x "$deb" "$dir"; done
}

# add_kernel RELEASE: the packages that the newest cloud kernel is made of are
# found through the metapackage, as their names change with every version.
add_kernel() {
	local release=$1 dir=$work/kernel-$1 image version modules packages
	[ -e "$cache/kernels/.$release" ] && return
	say "fetching the kernel of Debian $release"
	open_release "$release"
	packages=$(release_apt "$release" apt-cache depends --recurse --important linux-image-cloud-amd64 | grep '^linux-.*[0-9]') ||
		die "looking for the kernel of Debian $release: linux-image-cloud-amd64 has no versioned dependency"
	unpack "$release" "$dir" $packages
	image=$(find "$dir" -name 'vmlinuz*' -print -quit)
	modules=$(find "$dir" -path '*/lib/modules/*' -prune -print -quit)
	[ -n "$image" ] && [ -n "$modules" ] || die "unpacking $packages: no vmlinuz or no modules in them"
	version=$(basename "$modules" | grep -oE '^[0-9]+\.[0-9]+')

	local new=$work/new-$release
	mkdir -p "$new/lib/modules"
	mv "$image" "$new/vmlinuz"
	mv "$(find "$dir" -name config-\* -o -name config -type f | head -n 1)" "$new/config"
	mv "$modules" "$new/lib/modules/"
	find "$new" -name '*.ko.xz' -print0 | xargs -0 -r -P 2 -n 50 xz -d
	add_netdevsim "$release" "$version" "$new"
	depmod -b "$new" "$(basename "$modules")"
	mkdir -p "$cache/kernels"
	rm -rf "$cache/kernels/$version"
	mv "$new" "$cache/kernels/$version"
	touch "$cache/kernels/.$release"
}

# add_netdevsim RELEASE VERSION DIR: build the simulated switch, which Debian
# leaves out, from Debian's own source with Debian's own compiler in a chroot.
add_netdevsim() {
	local release=$1 version=$2 dir=$3 root=$work/build-$1 kernel
	kernel=$(basename "$dir"/lib/modules/*)
	say "building netdevsim for $kernel"
	for d in bin sbin lib lib64; do mkdir -p "$root/usr/$d" && ln -s "usr/$d" "$root/$d"; done
	unpack_all "$release" "$root" bash coreutils dash sed grep mawk make gcc "linux-headers-$kernel" "linux-source-$version"
	tar -C "$root" -xJf "$root/usr/src/linux-source-$version.tar.xz" "linux-source-$version/drivers/net/netdevsim"
	ln -sf mawk "$root/usr/bin/awk"
	mkdir -p "$root/tmp" "$root/dev" "$root/proc"
	as_root mknod -m 666 "$root/dev/null" c 1 3
	as_root unshare --fork --pid --mount-proc="$root/proc" chroot "$root" make -s -C "/lib/modules/$kernel/build" CONFIG_NETDEVSIM=m \
		M="/linux-source-$version/drivers/net/netdevsim" modules >"$work/log" 2>&1 ||
		die "building netdevsim for $kernel: $(tail -n 5 "$work/log")"
	mkdir -p "$dir/lib/modules/$kernel/extra"
	mv "$root/linux-source-$version/drivers/net/netdevsim/netdevsim.ko" "$dir/lib/modules/$kernel/extra/"
}

# add_userland: of the packages only the programs that tests use are kept, with
# the libraries that the loader says they need, as every boot has to copy them.
add_userland() {
	local list="$userland_release $userland_packages $userland"
	[ -e "$cache/userland" ] && [ "$list" = "$(cat "$cache/.userland" 2>/dev/null)" ] && return
	say "fetching the guests' programs"
	open_release "$userland_release"
	local all=$work/all new=$work/userland libs=usr/lib/x86_64-linux-gnu loader=usr/lib64/ld-linux-x86-64.so.2 lib
	unpack_all "$userland_release" "$all" $userland_packages
	mkdir -p "$new/usr/sbin" "$new/$libs" "$new/usr/lib64"
	cp "$all/$loader" "$new/usr/lib64/"
	for program in $userland; do
		install -D "$all/usr/$program" "$new/usr/$program" || die "unpacking $userland_packages: no $program in them"
		for lib in $("$all/$loader" --library-path "$all/$libs" --list "$all/usr/$program" | grep -o "$all/$libs/[^ ]*"); do
			cp "$lib" "$new/$libs/"
		done
	done
	rm -rf "$cache/userland"
	mv "$new" "$cache/userland"
	echo "$list" >"$cache/.userland"
}

install_host_packages
mkdir -p "$cache"
work=$(mktemp -d "$cache/setup.XXXXXX")
trap 'as_root rm -rf "$work"' EXIT
add_userland
for release in $releases; do add_kernel "$release"; done

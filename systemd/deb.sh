#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# deb.sh VERSION BUILD: one binary package of what `make install` installs, in BUILD/. Dependencies are
# read off the programs. Starts nothing: the administrator enables the unit.
set -eu
version=$1 build=$2
architecture=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

make --no-print-directory install DESTDIR="$root/package" >/dev/null
find "$root/package/usr/share/man" -type f -exec gzip -9n {} +
mkdir -p "$root/package/DEBIAN" "$root/debian" "$root/package/usr/share/doc/outbind"
install -m 644 README.md docs/design.md LICENSE "$root/package/usr/share/doc/outbind/"
strip --strip-unneeded "$root/package/usr/sbin/outbindd" "$root/package/usr/sbin/outbind-relay" \
	"$root/package/usr/bin/outbindctl"
printf 'Source: outbind\n\nPackage: outbind\nArchitecture: any\n' >"$root/debian/control"
depends=$(cd "$root" && dpkg-shlibdeps -O package/usr/sbin/outbindd package/usr/sbin/outbind-relay \
	package/usr/bin/outbindctl)

cat >"$root/package/DEBIAN/control" <<EOF
Package: outbind
Version: $version
Architecture: $architecture
Maintainer: outbind maintainers <maintainers@outbind.invalid>
Section: net
Priority: optional
Installed-Size: $(du -sk "$root/package/usr" | cut -f1)
Depends: ${depends#shlibs:Depends=}
Description: gives every sender on a host its own source address
 An agent compiles bindings (named source addresses) and policy (which cgroup,
 user, group, marked socket or forwarded prefix uses which) into one nftables
 table, and the kernel rewrites the source. A connection leaves from the address
 its policy assigns, or it does not leave at all. A small SMTP relay tags each
 connection with the binding that the message calls for.
EOF
echo /etc/outbind/outbind.conf >"$root/package/DEBIAN/conffiles"
cat >"$root/package/DEBIAN/postinst" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers outbind.conf
	else
		getent group outbind >/dev/null || groupadd --system outbind
		getent passwd outbind-relay >/dev/null || useradd --system --user-group \
			--home-dir /nonexistent --shell /usr/sbin/nologin outbind-relay
	fi
	[ ! -d /run/systemd/system ] || systemctl daemon-reload
	ldconfig
fi
EOF
cat >"$root/package/DEBIAN/prerm" <<'EOF'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now outbind-relay.socket outbind-relay.service || true
	systemctl disable --now outbindd.service || true
fi
EOF
chmod 755 "$root/package/DEBIAN/postinst" "$root/package/DEBIAN/prerm"
dpkg-deb --build --root-owner-group "$root/package" "$build/outbind_${version}_$architecture.deb"

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/peers.sh DIRECTORY NAME...: fetch programs that tests and benchmarks talk to, and unpack them there.
#
# NAME is a Debian package, or npm:PACKAGE. They are unpacked and never installed: no service starts, no user
# is made, and a mail program that this machine has is not replaced. What cannot be had is said, and its
# tests skip. What is there already is left alone.
set -u
umask 022
mkdir -p "$1" && cd "$1" || exit 1
shift

unpack()
{
	local name=$1 work

	work=$(mktemp -d) && (cd "$work" && apt-get download "$name" >/dev/null 2>&1) &&
		dpkg-deb -x "$work"/*.deb "$name.part" && mv "$name.part" "$name"
	rm -rf "$work" "$name.part"
}

from_npm()
{
	local name=$1

	command -v npm >/dev/null && mkdir -p "$name.part" &&
		timeout 180 npm install --prefix "$name.part" --no-audit --no-fund --ignore-scripts --loglevel=error \
			"$name" >/dev/null 2>&1 && mv "$name.part" "$name"
	rm -rf "$name.part"
}

for name; do
	plain=${name#npm:}
	test -e "$plain" && continue
	echo "  FETCH $plain"
	if [[ $name == npm:* ]]; then from_npm "$plain"; else unpack "$plain"; fi
	test -e "$plain" || echo "        $plain cannot be had here: its tests will skip"
done
exit 0

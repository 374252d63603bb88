# SPDX-License-Identifier: GPL-2.0-or-later
"""unbound as a resolver in a namespace, with zones of the test: it resolves, as it does for anybody, but asks nobody
but its own copies of the zones. Unpacked below build/peers by tests/peers.sh, never installed."""

import contextlib
import ipaddress
import os
import socket

from mail_programs import peer
from place import wait_for

CONF = """
server:
	directory: "{dir}"
	chroot: ""
	username: ""
	pidfile: ""
	logfile: "{dir}/unbound.log"
	use-syslog: no
	do-daemonize: no
	interface: {address}@{port}
	access-control: 0.0.0.0/0 allow
	module-config: "iterator"
	do-not-query-localhost: no
	so-rcvbuf: 0
	# answers for addresses of documentation are made up unless it is told not to
	local-zone: "2.0.192.in-addr.arpa." nodefault
	local-zone: "100.51.198.in-addr.arpa." nodefault
	local-zone: "113.0.203.in-addr.arpa." nodefault
	local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
	local-zone: "10.in-addr.arpa." nodefault
remote-control:
	control-enable: no
{zones}
"""
ZONE = """
auth-zone:
	name: "{name}"
	zonefile: "{file}"
	for-downstream: no
	for-upstream: yes
	fallback-enabled: no
"""
FORWARD = """
forward-zone:
	name: "{name}"
	forward-addr: {address}
"""


def reverse(address):
    """Where the name of an address is."""
    return ipaddress.ip_address(address).reverse_pointer


class Unbound:
    """Unbound(lab, {"example": lines of a zone file, ...}, forward={"broken.example": "127.0.0.1@5309"})."""

    count = 0

    def __init__(self, lab, zones, forward=None, namespace="sender", address="127.0.0.1", port=5300):
        Unbound.count += 1
        self.lab, self.namespace, self.forward = lab, namespace, forward or {}
        self.dir = os.path.join(lab.dir, "unbound%d" % Unbound.count)
        self.address, self.port = address, port
        os.mkdir(self.dir)
        self.pid = None
        self.start(zones)

    def start(self, zones):
        for name, lines in zones.items():
            with open(os.path.join(self.dir, name), "w") as out:
                out.write("$ORIGIN %s.\n$TTL 1\n@ SOA ns.%s. root.%s. 1 60 60 60 1\n@ NS ns.%s.\n%s\n" %
                          (name, name, name, name, lines))
        text = "".join(ZONE.format(name=name, file=os.path.join(self.dir, name)) for name in zones)
        text += "".join(FORWARD.format(name=name, address=address) for name, address in self.forward.items())
        with open(self.dir + "/unbound.conf", "w") as out:
            out.write(CONF.format(dir=self.dir, address=self.address, port=self.port, zones=text))
        program = peer("unbound", "usr/sbin/unbound")
        self.pid = self.lab.spawn(self.namespace, [program, "-d", "-c", self.dir + "/unbound.conf"], log=self.dir + "/log")
        wait_for("unbound", self.answers, 10)

    def answers(self):
        with self.lab.inside(self.namespace):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.closing(sock):
            sock.settimeout(0.3)
            sock.connect((self.address, self.port))
            with contextlib.suppress(OSError):
                sock.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\7invalid\0\0\1\0\1")
                return sock.recv(512)
        return None

    def restart(self, zones):
        """Other zones: a resolver without anything in its cache."""
        self.stop()
        self.start(zones)

    def stop(self):
        if self.pid:
            self.lab.end(self.pid)
        self.pid = None

    def resolver(self):
        return "%s:%d" % (self.address, self.port)

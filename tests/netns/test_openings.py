# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that do not begin as others do: both ends open one, the kernel adds a subflow of MPTCP to it,
datagrams carry other software's mark, a helper of conntrack expects one."""

import ctypes
import os
import socket
import struct
import time

import traffic
from cases import test
from lab import FAR, HOST, Lab, PORT, Skip, binding, check, pool, wait_for
from test_reuse import CONF, SOCKET_FAMILY, Talker, ask, in_sender, name_of, port_socket

THEIRS, OURS = 7300, 5800
SO_ATTACH_FILTER, IPPROTO_MPTCP, IP_FREEBIND = 26, 262, 15
FOREIGN = 0x100000
OPTION = {4: (socket.IPPROTO_IP, IP_FREEBIND), 6: (socket.IPPROTO_IPV6, traffic.IPV6_FREEBIND)}


def deaf_listener(family, port, ready):
    """A listener that drops what comes, so that a SYN has an entry and no answer; for a while."""
    nothing = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))        # return 0
    with port_socket({}, family, socket.SOCK_STREAM, port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(nothing)))
        sock.listen(5)
        os.write(ready, b"x")
        time.sleep(0.2)


def call(family, to, port):
    """The other end opens the connection too, and keeps trying."""
    with socket.socket(SOCKET_FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(*OPTION[family], 1)
        sock.settimeout(1.2)
        sock.bind((FAR[family], THEIRS))
        try:
            sock.connect((to, port))
            time.sleep(0.2)
        except OSError:
            pass


def open_too(who, family, source, port):
    with traffic.open_socket(who, SOCKET_FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((source, port))
        sock.settimeout(0.5)
        try:
            sock.connect((FAR[family], THEIRS))
            return "connected"
        except OSError as error:
            return "!" + name_of(error)


def both_open(lab, family, to, port, **who):
    """Theirs comes first. What ours said, and sources of what left but for resets."""
    ready, child = os.pipe()
    deaf = lab.fork("sender", deaf_listener, family, port, child)
    os.close(child)
    os.read(ready, 1)
    os.close(ready)
    other = lab.fork("receiver", call, family, to, port)
    lab.reap(deaf)
    capture = lab.capture()
    said = in_sender(lab, open_too, who, family, to, port)
    left = {packet.source for packet in capture.select(proto="tcp", dport=THEIRS) if packet.count > packet.resets}
    lab.reap(other)
    return said, left


@test("a connection that both ends open leaves from an address of its client, or is refused")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for family in (4, 6):
            host, own = HOST[family], pool(11, family)
            for n, (to, who, want) in enumerate((
                    (host, {}, ("connected", {host})), (own, {"uid": 4001}, ("connected", {own})),
                    (host, {"uid": 4001}, ("!ECONNREFUSED", set())), (own, {"uid": 4002}, ("!ECONNREFUSED", set())),
                    (host, {"mark": agent.mark("b")}, ("!ECONNREFUSED", set())),
                    (host, {"uid": 4001, "mark": FOREIGN}, ("!ECONNREFUSED", set())))):
                check("v%d %s to %s" % (family, who, to), both_open(lab, family, to, OURS + n, **who), want)


def serve_mptcp(ready):
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", PORT))
        listener.listen(16)
        os.write(ready, b"x")
        while True:
            sock, address = listener.accept()
            sock.sendall(traffic.say(address))
            sock.recv(100)
            sock.close()


def talk_mptcp(who, family):
    traffic.enter(who)
    with traffic.open_socket(who, SOCKET_FAMILY[family], socket.SOCK_STREAM, IPPROTO_MPTCP) as sock:
        sock.settimeout(2)
        sock.connect((FAR[family], PORT))
        said = sock.recv(100).split()[0].decode()
        time.sleep(0.3)                         # for what the kernel adds
        sock.send(b"x")
        return said


@test("what the kernel adds to an MPTCP connection leaves from its client's binding, or not at all")
def _():
    with Lab(serve=False) as lab:
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
        except OSError as error:
            raise Skip("no MPTCP: %s" % error) from error
        ready, child = os.pipe()
        lab.fork("receiver", serve_mptcp, child)
        os.read(ready, 1)
        for end in ("sender", "receiver"):
            lab.run(end, "ip", "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4")
        for family in (4, 6):
            lab.run("sender", "ip", "mptcp", "endpoint", "add", pool(20, family), "dev", "eth0", "subflow")
        unit = lab.cgroup("/mp.slice")
        lab.agent(binding("a", 11) + binding("b", 12) + 'policy { user 4001 use a; cgroup "/mp.slice" use b; }')
        for family in (4, 6):
            for n, who, subflows in ((11, {"uid": 4001}, 1), (12, {"cgroup": unit}, 2)):
                capture = lab.capture()
                check("v%d %s" % (family, who), lab.told("sender", talk_mptcp, who, family), pool(n, family))
                seen = capture.select(proto="tcp", dport=PORT, to=FAR[family])
                check("v%d %s: sources" % (family, who), {packet.source for packet in seen}, {pool(n, family)})
                check("v%d %s: subflows" % (family, who), len({packet.sport for packet in seen}), subflows)
                time.sleep(0.3)                 # the end of this one


@test("datagrams that carry other software's mark leave each from its sender's binding, on one port too, and keep it")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text="table inet others {\n chain late {\n type filter hook output priority 200;\n"
                " udp dport %d meta mark != %d counter\n }\n}\n" % (PORT, FOREIGN))
        agent = lab.agent(binding("a", 11) + binding("b", 12) + "policy { user 4002 use b; }")
        talkers = {family: Talker(lab, family, 5950, uid=4001, mark=FOREIGN) for family in (4, 6)}
        for family, talker in talkers.items():
            check("before the rule", talker.say(), HOST[family])
        agent.write(CONF)
        agent.ctl("reload")
        for family, talker in talkers.items():
            wait_for("v%d to leave from the binding" % family, lambda: talker.say() == pool(11, family), 1)
            for uid, want in ((None, HOST[family]), (4001, pool(11, family)), (4002, pool(12, family)),
                              (None, HOST[family])):
                check("v%d user %s" % (family, uid), ask(lab, 5951, family, uid=uid, mark=FOREIGN), want)
        check("others' mark", "packets 0 bytes 0" in lab.nft("list", "table", "inet", "others"), True)


HELPER = """
table inet helper {
	ct helper ftp {
		type "ftp" protocol tcp
		l3proto inet
	}
	chain out {
		type filter hook output priority 0
		tcp dport %d ct helper set "ftp"
	}
}
""" % PORT
DATA = 7001


def control(who, ready):
    """A control connection that expects another one, for a second."""
    with traffic.open_socket(who, socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect((FAR[4], PORT))
        sock.recv(100)
        sock.send(b"PASV\r\n")
        sock.recv(100)
        sock.send(b"227 Entering Passive Mode (%s,%d,%d)\r\n" %       # the receiver says it back
                  (FAR[4].replace(".", ",").encode(), DATA >> 8, DATA & 255))
        sock.recv(100)
        os.write(ready, b"x")
        time.sleep(1)


@test("a connection that a helper expects leaves from its client's address, or as the one it belongs to")
def _():
    with Lab() as lab:
        if lab.run("sender", "nft", "-f", "-", text=HELPER, ok=False).returncode:
            raise Skip("no conntrack helper for FTP")
        lab.agent(CONF)
        for first, second, want in (({}, {"uid": 4001}, pool(11, 4)), ({"uid": 4001}, {"uid": 4001}, pool(11, 4)),
                                    ({"uid": 4001}, {"uid": 4002}, "!ECONNREFUSED"), ({}, {}, HOST[4])):
            ready, child = os.pipe()
            pid = lab.fork("sender", control, first, child)
            os.close(child)
            os.read(ready, 1)
            os.close(ready)
            check("expected by %s, of %s" % (first, second), lab.source(FAR[4], port=DATA, **second), want)
            lab.reap(pid)

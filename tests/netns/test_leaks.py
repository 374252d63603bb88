# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to leave with somebody else's address, or by somebody else's way, as an attacker would try."""

import socket
import struct
import time

import traffic
from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for
from test_reuse import SOCKET_FAMILY, in_sender, name_of, port_socket
from test_uplinks import number

NEAR_BINDING = binding("near", 12)
CLOSED = 998


DROPS = """
table inet drops {
	chain in { type filter hook input priority 0; policy accept; tcp dport %d drop; }
}
""" % CLOSED


def bound_connect(who, family, source, sport, port, seconds):
    """Connect from that address and port; "connected", or the error."""
    with traffic.open_socket(who, SOCKET_FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(seconds)
        try:
            sock.bind((source, sport))
            sock.connect((FAR[family], port))
            return "connected"
        except OSError as error:
            return "!" + name_of(error)


@test("nobody but the agent leaves by the entry of a probe that was not answered")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        for family in (4, 6):
            to = FAR[4] if family == 4 else "[%s]" % FAR[6]
            capture = lab.capture()
            agent = lab.agent(binding("a", 11, more="probe tcp %s:%d every 500ms down 100 up 2;" % (to, CLOSED)) +
                              NEAR_BINDING + "policy { user 4001 use a; user 4002 use near; user 4003 reject; }\n")
            time.sleep(2)
            agent.stop()                        # its sockets are closed, the table stays
            seen = capture.select(proto="tcp", dport=CLOSED)
            check("probes", {packet.source for packet in seen}, {pool(11, family)})
            for uid in (4002, 4003):
                capture = lab.capture()
                for packet in seen:
                    in_sender(lab, bound_connect, {"uid": uid}, family, packet.source, packet.sport, CLOSED, 0.2)
                check("v%d user %d" % (family, uid), capture.sources(proto="tcp", dport=CLOSED) - {pool(12, family)},
                      set())
            lab.nft("delete", "table", "inet", "outbind")


def half_close(who, family, sport):
    """A connection that its client closed, and whose peer has not."""
    sock = port_socket(who, family, socket.SOCK_STREAM, sport)
    sock.settimeout(2)
    sock.connect((FAR[family], PORT))
    sock.recv(100)
    sock.close()


SILENCE = """
table inet silence {
	chain out { type filter hook output priority 0; tcp sport %d drop; }
	chain in { type filter hook input priority 0; tcp dport %d drop; }
}
""" % (PORT, PORT)


def forget(lab, pid):
    """The receiver's program dies, and what its kernel would say does not get out."""
    lab.nft("-f", "-", text=SILENCE, namespace="receiver")
    lab.end(pid)
    lab.run("receiver", "ss", "-K", "sport", "=", ":%d" % PORT, ok=False)
    time.sleep(0.2)
    lab.nft("delete", "table", "inet", "silence", namespace="receiver")


@test("a port that another client's half-closed connection had is not a way to that client's address")
def _():
    with Lab(serve=False) as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.tcp_fin_timeout", 1)
        lab.agent(binding("a", 11) + NEAR_BINDING + "policy { user 4001 use a; user 4002 use near; }\n")
        for family in (4, 6):
            pid = lab.serve("receiver", (PORT,), linger=60)
            in_sender(lab, half_close, {"uid": 4001}, family, 5400)
            time.sleep(2.5)                     # the client's kernel forgets it
            forget(lab, pid)
            pid = lab.serve("receiver", (PORT,))
            capture = lab.capture()
            seen = in_sender(lab, bound_seen, {"uid": 4002}, family, 5400)
            check("v%d who was seen" % family, seen if seen != pool(12, family) else "!ECONNREFUSED", "!ECONNREFUSED")
            check("v%d on the wire" % family, capture.sources(proto="tcp", dport=PORT) - {pool(12, family)}, set())
            lab.end(pid)


def bound_seen(who, family, sport):
    sock = port_socket(who, family, socket.SOCK_STREAM, sport)
    sock.settimeout(4)
    try:
        sock.connect((FAR[family], PORT))
        return sock.recv(100).split()[0].decode()
    except OSError as error:
        return "!" + name_of(error)
    finally:
        sock.close()


MARKED = """
table inet others {
	chain raw { type filter hook prerouting priority -300; meta mark set 0x100000; }
}
"""


def stray_segment(sport):
    """An ACK of a connection that nobody knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        head = struct.pack("!HHIIBBHHH", sport, PORT, 1, 1, 0x50, 0x10, 1000, 0, 0)
        raw.sendto(head, (FAR[4], 0))


@test("what conntrack cannot place does not leave, also when others mark every forwarded packet")
def _():
    with Lab(guest=True) as lab:
        lab.nft("-f", "-", text=MARKED)
        with lab.inside("sender"):
            lab.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
        lab.agent(binding("a", 11) + "policy { source 10.88.7.0/24 use a; }\n")
        check("connections", lab.source(FAR[4], namespace="guest"), pool(11, 4))
        capture = lab.capture()
        pid = lab.fork("guest", stray_segment, 5500)
        lab.reap(pid)
        time.sleep(0.3)
        check("on the wire", [packet.source for packet in capture.select(sport=5500)], [])


OVERWRITE = """
table inet others {
	chain out { type route hook output priority %d; meta mark set 0x100000; ct mark set %s; }
	chain late { type filter hook output priority 200; meta mark != 0x100000 oif != "lo" counter; }
}
"""


@test("others' marks of packets and of connections, before us or over ours, do not hide a client")
def _():
    for priority, value in ((-150, "meta mark"), (-170, "meta mark"), (-170, "0x200000"), (-150, "0x200000")):
        with Lab() as lab:
            lab.nft("-f", "-", text=OVERWRITE % (priority, value))
            lab.agent(binding("a", 11) + "policy { user 4001 use a; }\n")
            for family in (4, 6):
                for proto in ("tcp", "udp"):
                    what = "%d %s v%d %s" % (priority, value, family, proto)
                    capture = lab.capture()
                    lab.source(FAR[family], proto=proto, uid=4001, timeout=0.5)
                    check(what, capture.sources(to=FAR[family], proto=proto) - {pool(11, family)}, set())
                    check(what + " unassigned", lab.source(FAR[family], proto=proto), HOST[family])
            check("others' bits", "packets 0 bytes 0" in lab.nft("list", "table", "inet", "others"), True)


@test("a port of an unanswered connection is not a way to its address, also when others mark all packets")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        lab.nft("-f", "-", text=OVERWRITE.replace("ct mark set %s;", "") % -170)
        lab.agent(binding("a", 11) + NEAR_BINDING + "policy { user 4001 use a; user 4002 use near; }\n")
        for family in (4, 6):
            for uid, own in ((4001, {11}), (4002, {12}), (4001, {11})):
                capture = lab.capture()
                in_sender(lab, bound_connect, {"uid": uid}, family, "", 5700, CLOSED, 1.3)
                check("v%d user %d" % (family, uid),
                      capture.sources(proto="tcp", dport=CLOSED) - {pool(n, family) for n in own}, set())
        check("others' bits", "packets 0 bytes 0" in lab.nft("list", "table", "inet", "others"), True)


REDIRECT = """
table ip others {
	chain out { type nat hook output priority -100; ip daddr 203.0.113.9 tcp dport %d dnat to 203.0.113.1; }
}
""" % CLOSED


def redirected_connect(who, sport, seconds):
    with port_socket(who, 4, socket.SOCK_STREAM, sport) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(("203.0.113.9", CLOSED))
        except OSError as error:
            return "!" + name_of(error)


@test("an unanswered connection that others redirect is not a way to its address for the next client")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        lab.nft("-f", "-", text=REDIRECT)
        lab.agent(binding("a", 11) + NEAR_BINDING + "policy { user 4001 use a; user 4002 use near; }\n")
        capture = lab.capture()
        in_sender(lab, redirected_connect, {"uid": 4001}, 5600, 0.2)
        check("the first", capture.sources(proto="tcp"), {pool(11, 4)})
        capture = lab.capture()
        in_sender(lab, redirected_connect, {"uid": 4002}, 5600, 1.3)
        check("the next", capture.sources(proto="tcp") - {pool(12, 4)}, set())
        capture = lab.capture()
        in_sender(lab, redirected_connect, {"uid": 4001}, 5600, 1.3)
        check("the first again", capture.sources(proto="tcp"), {pool(11, 4)})


UPLINK = "uplink second { interface eth1; gateway 192.0.2.254, 2001:db8:3::fe; table 100; }\n"
FAR_BINDING = "binding far { address 192.0.2.11, 2001:db8:3::11; uplink second; }\n"
POLICY = "policy { user 4001 use far; user 4002 use near; }\n"
OWN = {4: "192.0.2.11", 6: "2001:db8:3::11"}


def streams(lab, **who):
    return [lab.stream(FAR[family], 2, **who) for family in (4, 6)]


def finished(stops):
    for stop in stops:
        result = stop()
        check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))


@test("live connections of a binding that is removed stay on its uplink", 90)
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(UPLINK + FAR_BINDING + NEAR_BINDING + POLICY)
        stops = streams(lab, uid=4001)
        main = lab.capture()
        agent.write(UPLINK + NEAR_BINDING + "policy { user 4001 use near; }\n")
        agent.ctl("reload")
        time.sleep(1)
        agent.kill()
        agent.start()
        check("taken up", len(agent.events("table.adopted")), 1)
        agent.write(UPLINK + NEAR_BINDING + "policy { user 4001 use near; user 4003 use near; }\n")
        agent.ctl("reload")
        time.sleep(1)
        check("by the main way", main.sources() & set(OWN.values()), set())
        finished(stops)
        for family in (4, 6):
            check("new ones", lab.source(FAR[family], uid=4001), pool(12, family))
        stops = streams(lab, uid=4001)
        finished(stops)


@test("live connections do not leave by the main way when their binding and its uplink are removed", 90)
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(UPLINK + FAR_BINDING + NEAR_BINDING + POLICY)
        stops = streams(lab, uid=4001)
        main = lab.capture()
        agent.write(NEAR_BINDING + "policy { user 4001 use near; }\n")
        agent.ctl("reload")
        time.sleep(1)
        check("by the main way", main.sources() & set(OWN.values()), set())
        for family in (4, 6):
            check("new ones", lab.source(FAR[family], uid=4001), pool(12, family))
        for stop in stops:
            stop()


@test("live connections of a binding with an uplink go on when it gets another address", 90)
def _():
    with Lab(uplink=True) as lab:
        lab.ip("sender", "addr add 192.0.2.12/32 dev eth1",
               "addr add 2001:db8:3::12/128 dev eth1 nodad preferred_lft 0")
        agent = lab.agent(UPLINK + FAR_BINDING + NEAR_BINDING + POLICY)
        stops = streams(lab, uid=4001)
        main = lab.capture()
        agent.ctl("binding", "set", "far", "address", "192.0.2.12,", "2001:db8:3::12")
        time.sleep(1)
        for family in (4, 6):
            check("new ones", lab.source(FAR[family], uid=4001), OWN[family].replace("11", "12"))
            check("bound to the old one", lab.source(FAR[family], uid=4001, bind=OWN[family]),
                  OWN[family].replace("11", "12"))
        check("by the main way", main.sources() & set(OWN.values()), set())
        finished(stops)


@test("connections from the addresses of who stood in do not leave by the main way when that is over", 90)
def _():
    with Lab(uplink=True) as lab:
        lab.ip("sender", "addr del %s/32 dev eth0" % pool(12, 4))
        agent = lab.agent(UPLINK + FAR_BINDING + NEAR_BINDING.replace("near {", "near { unusable use far;") + POLICY)
        check("stands in", lab.source(FAR[4], uid=4002), OWN[4])
        stop = lab.stream(FAR[4], 2, uid=4002)
        main = lab.capture()
        lab.ip("sender", "addr add %s/32 dev eth0" % pool(12, 4))
        wait_for("the binding to be back", lambda: lab.source(FAR[4], uid=4002) == pool(12, 4), 5, 0.1)
        time.sleep(0.5)
        fresh = lab.stream(FAR[4], 2, uid=4002)
        agent.ctl("binding", "set", "near", "address", pool(13, 4))
        time.sleep(0.5)
        check("by the main way", main.sources() - {pool(12, 4), pool(12, 6), pool(13, 4)}, set())
        result = fresh()
        check("live ones of its own", (result["sources"], result["unfinished"]), ([pool(12, 4)], 0))
        stop()


def mark_later(who, family, mark):
    """A live connection that gives itself a mark and goes on; what its next read said."""
    with port_socket(who, family, socket.SOCK_STREAM, None) as sock:
        sock.settimeout(1)
        sock.connect((FAR[family], PORT))
        sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, traffic.SO_MARK, mark)
        try:
            sock.send(b"x")
            return sock.recv(10).decode()
        except OSError as error:
            return "!" + name_of(error)


@test("an uplink's number that a live connection gives itself is no way out by that uplink")
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(UPLINK + FAR_BINDING + NEAR_BINDING + POLICY)
        mark = number(agent, "uplink:second")
        second = lab.capture(links=("eth1",))
        for family in (4, 6):
            for who in ({}, {"uid": 4002, "mark": agent.mark("near")}):
                in_sender(lab, mark_later, who, family, mark)
        check("on the uplink", second.select(), [])
        check("counted", agent.json("status")["counters"]["dropped_uplink"] > 0, True)
        for family in (4, 6):
            check("own", lab.source(FAR[family], uid=4001), OWN[family])

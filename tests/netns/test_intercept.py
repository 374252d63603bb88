# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of chosen clients are turned to the relay, and nothing of them leaves otherwise.

The relay is played by a listener here that says where each connection was going (SO_ORIGINAL_DST): so
a client of these tests is told "203.0.113.1:25" if it was turned, and its own source address by the
receiver if it was not.
"""

import collections
import os
import socket
import struct
import time

import traffic
from cases import test
from lab import FAR, GUEST4, GUEST6, HOST, Lab, NEAR, binding, check, pool, wait_for
from test_reuse import CLOSED, COUNT, DROPS, PORTS, SOCKET_FAMILY, connects, in_sender, name_of, narrow

SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST = 80, 80
MAIL, RELAY = 25, 2526
GUEST = {4: GUEST4, 6: GUEST6}
REFUSED = "!ECONNREFUSED"
BINDINGS = binding("a", 11) + binding("b", 12)


def intercept(*clients, more=""):
    return "relay { intercept mail { %s listen *:%d; } %s }\n" % (" ".join(clients), RELAY, more)


def original(sock):
    """Where the connection was going, "ADDRESS:PORT"."""
    if sock.family == socket.AF_INET6 and not traffic.plain(sock.getpeername()[0]).count("."):
        raw = sock.getsockopt(socket.IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, 28)
        return "%s:%d" % (socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack("!H", raw[2:4])[0])
    raw = sock.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return "%s:%d" % (socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack("!H", raw[2:4])[0])


def relay(ready, who):
    """Say where each connection was going; with a mark, call there with it and say what is said there."""
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", RELAY))
    listener.listen(4096)
    os.write(ready, b"x")
    while True:
        sock, _ = listener.accept()
        with sock:
            text = original(sock)
            if who:
                host, _, port = text.rpartition(":")
                text = called(host, int(port), who)
            try:
                sock.sendall(text.encode() + b" \n")
            except OSError:
                pass


def called(host, port, who):
    """What the receiver saw of a connection of the relay's."""
    with traffic.open_socket(who, SOCKET_FAMILY[6 if ":" in host else 4], socket.SOCK_STREAM) as upstream:
        upstream.settimeout(2)
        try:
            upstream.connect((host, port))
            return upstream.recv(100).split()[0].decode()
        except OSError as error:
            return "!" + name_of(error)


def start_relay(lab, **who):
    ready, child = os.pipe()
    pid = lab.fork("sender", relay, child, who)
    os.close(child)
    check("relay", os.read(ready, 1), b"x")
    os.close(ready)
    return pid


def turned(family, port=MAIL, to=FAR):
    return "%s:%d" % (to[family], port)


@test("users, groups, units and cgroups: whose connections are turned, at which ports, IPv4 and IPv6")
def _():
    with Lab() as lab:
        wide, app = lab.cgroup("/mail.slice"), lab.cgroup("/mail.slice/app.service")
        deep = lab.cgroup("/mail.slice/app.service/a/b/c/d/e/f")
        unit = lab.cgroup("/system.slice/postfix.service")
        other = lab.cgroup("/system.slice/other.service")
        agent = lab.agent(BINDINGS + intercept('unit "postfix.service"; cgroup "/mail.slice"; user 4001; user 4100-4199; '
                                               'group 5001; port 25, 8080-8081;') + "policy { user 4002 use b; }")
        start_relay(lab)
        for family in (4, 6):
            for who in ({"cgroup": wide}, {"cgroup": app}, {"cgroup": deep}, {"cgroup": unit}, {"uid": 4001},
                        {"uid": 4150}, {"gid": 5001}, {"uid": 4002, "gid": 5001}):
                for port, want in ((MAIL, turned(family)), (8080, turned(family, 8080)), (443, None)):
                    want = want or (pool(12, family) if who.get("uid") == 4002 else HOST[family])
                    check("v%d %s port %d" % (family, who, port), lab.source(FAR[family], port, **who), want)
            for who, want in (({"cgroup": other}, HOST), ({"uid": 4000}, HOST), ({"uid": 4200}, HOST),
                              ({"uid": 4002}, {4: pool(12, 4), 6: pool(12, 6)})):
                check("v%d %s" % (family, who), lab.source(FAR[family], MAIL, **who), want[family])
            check("a neighbour", lab.source(NEAR[family], MAIL, uid=4001), turned(family, to=NEAR))
            check("UDP", lab.source(FAR[family], 53, proto="udp", uid=4001), HOST[family])
        check("nothing was refused", agent.json("status")["counters"]["refused_unusable"], 0)


@test("policy does not judge what is turned, and the relay's own tagged connections are not turned again")
def _():
    with Lab() as lab:
        agent = lab.agent(BINDINGS + intercept("user 4001; group 5001;") +
                          "policy { user 4001 use a; user 4002 use b; otherwise port 25 reject; }")
        relay_pid = start_relay(lab, mark=agent.mark("b"), uid=4001)    # the relay itself is such a client
        for family in (4, 6):
            check("v%d by the relay" % family, lab.source(FAR[family], MAIL, uid=4001), pool(12, family))
            check("v%d group, by the relay" % family, lab.source(FAR[family], MAIL, gid=5001), pool(12, family))
            check("v%d other port" % family, lab.source(FAR[family], 443, uid=4001), pool(11, family))
            check("v%d tagged" % family, lab.source(FAR[family], MAIL, uid=4001, mark=agent.mark("a")), pool(11, family))
            check("v%d unknown tag" % family, lab.source(FAR[family], MAIL, uid=4001, mark=77), REFUSED)
            check("v%d others' mark" % family, lab.source(FAR[family], MAIL, uid=4001, mark=0x10000), pool(12, family))
            check("v%d otherwise" % family, lab.source(FAR[family], MAIL, uid=4003), REFUSED)
            check("v%d not intercepted" % family, lab.source(FAR[family], MAIL, uid=4002), pool(12, family))
        counters = agent.json("status")["counters"]
        check("refused", (counters["refused_rule"], counters["refused_unusable"]), (2, 2))
        lab.end(relay_pid)
        told = agent.json("explain", "--user", "4001", "--to", FAR[4], "--port", "25")
        check("explain", (told["verdict"], told["intercept"], told["agree"]), ("intercepted", "mail", True))
        told = agent.json("explain", "--group", "5001", "--to", FAR[6], "--port", "25")
        check("explain", (told["verdict"], told["agree"]), ("intercepted", True))
        told = agent.json("explain", "--user", "4001", "--to", FAR[4], "--port", "443")
        check("explain", (told["verdict"], told["intercept"], told["agree"]), ("binding", None, True))
        text = agent.ctl("explain", "--user", "4001", "--to", FAR[4], "--port", "25").stdout
        check("explain in words", ("turned to the relay" in text, "mail" in text), (True, True))


@test("without a relay, without an agent: refused at once, and no packet of an intercepted client is on the wire")
def _():
    with Lab() as lab:
        group = lab.cgroup("/mail.slice/app.service")
        agent = lab.agent(BINDINGS + intercept('user 4001; cgroup "/mail.slice";') + "policy { user 4001 use a; }")
        capture = lab.capture()
        for state in ("no relay", "neither", "no agent"):
            if state == "neither":
                agent.kill()
            if state == "no agent":
                start_relay(lab)
            for family in (4, 6):
                for who in ({"uid": 4001}, {"cgroup": group}):
                    result = lab.probe(FAR[family], MAIL, **who)
                    said = result["source"] or "!" + result["error"]
                    check("v%d %s %s" % (family, state, who), said,
                          turned(family) if state == "no agent" else REFUSED)
                    check("at once", result["ms"] < 500, True)
        check("packets on the wire", capture.select(proto="tcp", dport=MAIL), [])
        agent.start()
        check("adopted", len(agent.events("table.adopted")), 1)
        check("after the restart", lab.source(FAR[4], MAIL, uid=4001), turned(4))


@test("forwarded prefixes: turned on this host, refused without a relay; others, UDP and this host's own port untouched")
def _():
    with Lab(guest=True) as lab:
        lab.serve("sender", [MAIL])
        agent = lab.agent(BINDINGS + intercept("source %s; source %s;" % (GUEST4, GUEST6)) +
                          "policy { source 10.88.7.0/24 use a; source fd00:88:7::/64 use a; }")
        capture = lab.capture()
        gateway = {4: "10.88.7.1", 6: "fd00:88:7::1"}
        other = {4: "10.88.7.3", 6: "fd00:88:7::3"}
        for family in (4, 6):
            check("v%d no relay" % family, lab.source(FAR[family], MAIL, namespace="guest"), REFUSED)
        check("packets on the wire", capture.select(proto="tcp", dport=MAIL), [])
        start_relay(lab)
        for family in (4, 6):
            guest = {"namespace": "guest"}
            check("v%d turned" % family, lab.source(FAR[family], MAIL, **guest), turned(family))
            check("v%d other port" % family, lab.source(FAR[family], 443, **guest), pool(11, family))
            check("v%d UDP" % family, lab.source(FAR[family], 53, proto="udp", **guest), pool(11, family))
            check("v%d another guest" % family, lab.source(FAR[family], MAIL, bind=other[family], **guest),
                  pool(11, family))
            check("v%d to the gateway itself" % family, lab.source(gateway[family], MAIL, **guest), GUEST[family])
            told = agent.json("explain", "--source", GUEST[family], "--to", FAR[family], "--port", "25")
            check("explain", (told["verdict"], told["agree"]), ("intercepted", True))


@test("bypassed destinations and this host's own addresses are not turned")
def _():
    with Lab() as lab:
        lab.serve("sender", [MAIL])
        agent = lab.agent(BINDINGS + intercept("user 4001;") + "bypass { connected; }")
        start_relay(lab)
        for family in (4, 6):
            check("v%d bypassed" % family, lab.source(NEAR[family], MAIL, uid=4001), HOST[family])
            check("v%d its own" % family, lab.source(pool(11, family), MAIL, uid=4001), pool(11, family))
            check("v%d far" % family, lab.source(FAR[family], MAIL, uid=4001), turned(family))
            told = agent.json("explain", "--user", "4001", "--to", NEAR[family], "--port", "25")
            check("explain", (told["verdict"], told["intercept"]), ("bypass", None))


@test("a unit that starts again has another cgroup, and its connections are turned again")
def _():
    with Lab() as lab:
        lab.agent(BINDINGS + intercept('unit "postfix.service";') + "policy { otherwise port 25 reject; }")
        start_relay(lab)
        for turn in range(3):
            group = lab.cgroup("/system.slice/postfix.service")
            wait_for("the unit to be known", lambda: lab.source(FAR[4], MAIL, cgroup=group) != REFUSED, 2)
            check("turn %d" % turn, lab.source(FAR[6], MAIL, cgroup=group), turned(6))
            os.rmdir(group)


SILENT = """
table inet silent {
	chain in { type filter hook input priority 0; policy accept; tcp dport %d drop; }
}
""" % RELAY


@test("a port with an unanswered connection of another client is no way around the relay, nor to it")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        lab.agent(BINDINGS + intercept("user 4001; port %d;" % CLOSED) + "policy { user 4002 use b; }")
        narrow(lab)
        lab.nft("-f", "-", text=SILENT)
        for family in (4, 6):
            for before in ({}, {"uid": 4002}):
                check("unanswered", in_sender(lab, connects, before, family, PORTS, 0.1), {})
                capture = lab.capture()
                errors = in_sender(lab, connects, {"uid": 4001}, family, PORTS, 1.3)
                check("v%d on the wire" % family, capture.select(proto="tcp", dport=CLOSED), [])
                check("v%d errors" % family, set(errors) - {"ECONNREFUSED"}, set())
                lab.run("sender", "conntrack", "-F", ok=False)
            for after, want in (({}, HOST[family]), ({"mark": 0x10000}, HOST[family]),
                                ({"uid": 4002}, pool(12, family))):
                check("unanswered by the relay", in_sender(lab, connects, {"uid": 4001}, family, PORTS, 0.1), {})
                capture, loop = lab.capture(), lab.capture(namespace="sender", links=("lo",))
                errors = in_sender(lab, connects, after, family, PORTS, 1.3)
                what = "v%d %s after the intercepted one: " % (family, after)
                check(what + "to the relay", loop.select(proto="tcp", dport=RELAY), [])
                check(what + "sources", capture.sources(proto="tcp", dport=CLOSED) - {want}, set())
                sent = len({packet.sport for packet in capture.select(proto="tcp", dport=CLOSED)})
                check(what + "%d refused, %d sent" % (errors.get("ECONNREFUSED", 0), sent),
                      errors.get("ECONNREFUSED", 0) + sent >= COUNT, True)
                lab.run("sender", "conntrack", "-F", ok=False)


@test("a guest's port with its own unanswered connection of before is no way around the relay that came since")
def _():
    with Lab(guest=True) as lab:
        lab.nft("-f", "-", text=DROPS, namespace="receiver")
        before = BINDINGS + "policy { source 10.88.7.0/24 use a; source fd00:88:7::/64 use a; }"
        agent = lab.agent(before)
        ports = PORTS[:50]
        for family in (4, 6):
            check("unanswered", in_sender(lab, connects, {}, family, ports, 0.1, namespace="guest"), {})
        agent.write(before + intercept("source %s; source %s; port %d;" % (GUEST4, GUEST6, CLOSED)))
        agent.ctl("reload")
        start_relay(lab)
        capture = lab.capture()
        for family in (4, 6):
            errors = in_sender(lab, connects, {}, family, ports, 0.3, namespace="guest")
            check("v%d refused" % family, errors, {"ECONNREFUSED": len(ports)})
            check("v%d another port" % family, lab.source(FAR[family], CLOSED, namespace="guest"), turned(family, CLOSED))
        check("on the wire", capture.select(proto="tcp", dport=CLOSED), [])


@test("an intercepted SYN that is sent again is turned again, when the relay is slow to answer")
def _():
    with Lab() as lab:
        lab.agent(BINDINGS + intercept("user 4001;"))
        start_relay(lab)
        for family in (4, 6):
            lab.nft("-f", "-", text=SILENT)
            pid = lab.fork("sender", time.sleep, 0.3)
            capture = lab.capture()
            read, write = os.pipe()
            child = lab.fork("sender", traffic.probe, write, {"uid": 4001}, [(FAR[family], MAIL, "tcp", 5, None)])
            os.close(write)
            lab.reap(pid)
            lab.nft("delete table inet silent")
            with os.fdopen(read) as pipe:
                check("v%d" % family, '"source": "%s"' % turned(family) in pipe.read(), True)
            lab.reap(child)
            check("on the wire", capture.select(proto="tcp", dport=MAIL), [])


OTHERS = """
table inet others {
	chain early { type filter hook output priority mangle - 20; policy accept; meta mark set 0x30000; }
	chain late { type filter hook output priority mangle; policy accept; ct mark set meta mark; }
	chain nat { type nat hook output priority -100; policy accept; tcp dport 25 dnat ip to 203.0.113.9; }
}
"""
BEFORE = """
table inet before {
	chain nat { type nat hook output priority -190; policy accept; %s; }
}
"""


@test("others' marks of packets and connections do not hide an intercepted client, and others' DNAT is no way out")
def _():
    with Lab() as lab:
        lab.agent(BINDINGS + intercept("user 4001;") + "policy { user 4001 use a; }")
        start_relay(lab)
        lab.nft("-f", "-", text=OTHERS)
        capture = lab.capture()
        for family in (4, 6):
            check("v%d" % family, lab.source(FAR[family], MAIL, uid=4001), turned(family))
        check("on the wire", capture.select(proto="tcp", dport=MAIL), [])
        lab.nft("delete table inet others")
        for family, to in ((4, "meta nfproto ipv4 tcp dport 25 dnat ip to 203.0.113.9"),
                           (6, "meta nfproto ipv6 tcp dport 25 dnat ip6 to 2001:db8:2::9")):
            lab.nft("-f", "-", text=BEFORE % to)
            capture = lab.capture()
            check("v%d before us" % family, lab.source(FAR[family], MAIL, uid=4001), REFUSED)
            check("on the wire", capture.select(proto="tcp", dport=MAIL), [])
            lab.nft("delete table inet before")


def bound_to_device(family):
    """What a socket that is bound to eth0 gets to hear."""
    with traffic.open_socket({"uid": 4001}, SOCKET_FAMILY[family], socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        sock.settimeout(1.5)
        try:
            sock.connect((FAR[family], MAIL))
            return sock.recv(100).split()[0].decode()
        except OSError as error:
            return "!" + name_of(error)


@test("a client that is bound to an interface is turned or stays on this host")
def _():
    with Lab() as lab:
        lab.ip("sender", "route add default via %s" % NEAR[4], "route add default via %s" % NEAR[6])
        lab.agent(BINDINGS + intercept("user 4001;"))
        start_relay(lab)
        for family in (4, 6):
            capture = lab.capture()
            said = in_sender(lab, bound_to_device, family)
            check("v%d said %s" % (family, said), said in (turned(family), "!TIMEOUT", REFUSED, "!EHOSTUNREACH"), True)
            check("v%d on the wire" % family, capture.select(proto="tcp"), [])


@test("reloads that add and remove an intercept: live connections stay as they are, each new one is either", 120)
def _():
    with Lab() as lab:
        direct = BINDINGS + "policy { user 4001 use a; }"
        both = direct + intercept("user 4001;")
        agent = lab.agent(direct)
        lab.serve("sender", [RELAY])            # echoes, so that streams live there too
        capture = lab.capture()
        streams = [(pool(11, family), lab.stream(FAR[family], 20, port=MAIL, uid=4001)) for family in (4, 6)]
        agent.write(both)
        agent.ctl("reload")
        streams += [(HOST[family], lab.stream(FAR[family], 20, port=MAIL, uid=4001)) for family in (4, 6)]
        seen = collections.Counter()
        for turn in range(20):
            agent.write(direct if turn % 2 == 0 else both)
            agent.ctl("reload")
            want = pool(11, 4) if turn % 2 == 0 else HOST[4]
            check("turn %d" % turn, lab.source(FAR[4], MAIL, uid=4001), want)
            seen[want] += 1
        for want, stop in streams:
            result = stop()
            check(want, (result["sources"], result["errors"], result["unfinished"], result["inexact"]),
                  ([want], [], 0, 0))
        check("on the wire", capture.sources(proto="tcp", dport=MAIL), {pool(11, 4), pool(11, 6)})
        check("no resets on the wire", sum(packet.resets for packet in capture.select(proto="tcp")), 0)

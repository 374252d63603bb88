# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of client leaves from its binding's address, and everybody else from the host's own."""

import os
import socket
import time

import traffic
from cases import test
from lab import FAR, HOST, HOST4, HOST6, Lab, NEAR, binding, check, pool, wait_for

NAMES = ("u-number", "u-name", "u-range", "g-number", "g-name", "g-range", "by-unit", "by-path",
         "by-source", "by-mark")
BINDINGS = "".join(binding(name, 11 + i) for i, name in enumerate(NAMES))
POLICY = """
policy {
	user 4001 use u-number;
	user nobody use u-name;
	user 5000-5999 use u-range;
	group 6001 use g-number;
	group mail use g-name;
	group 6100-6199 use g-range;
	unit "news.service" use by-unit;
	cgroup "/tenants.slice/beta.slice" use by-path;
	source 10.88.7.2/32 use by-source;
	source fd00:88:7::2/128 use by-source;
}
"""
BOTH = [(family, proto) for family in (4, 6) for proto in ("tcp", "udp")]


def number(name):
    return 11 + NAMES.index(name)


def expect(lab, what, n, **who):
    """All four ways to the receiver show pool address n; the host's own if n is None."""
    results = lab.probe_all([(FAR[family], 7000, proto) for family, proto in BOTH], **who)
    seen = {"v%d %s" % way: result["source"] or result["error"] for way, result in zip(BOTH, results)}
    want = {"v%d %s" % way: pool(n, way[0]) if n else HOST[way[0]] for way in BOTH}
    check(what, seen, want)


def selectors(clients, guest=False, prepare=None):
    with Lab(guest=guest) as lab:
        if prepare:
            prepare(lab)
        agent = lab.agent(BINDINGS + POLICY)
        for what, name, who in clients(lab, agent):
            expect(lab, what, number(name) if name else None, **who)


@test("a user is seen from its binding: by number, by name and by range, v4 and v6, TCP and UDP")
def _():
    selectors(lambda lab, agent: [
        ("user 4001", "u-number", {"uid": 4001}), ("user nobody", "u-name", {"uid": 65534}),
        ("first of a range", "u-range", {"uid": 5000}), ("last of a range", "u-range", {"uid": 5999}),
        ("in a range", "u-range", {"uid": 5500}),
        ("below a range", None, {"uid": 4999}), ("above a range", None, {"uid": 6000})])


@test("a group is seen from its binding: by number, by name and by range, v4 and v6, TCP and UDP")
def _():
    selectors(lambda lab, agent: [
        ("group 6001", "g-number", {"gid": 6001, "uid": 7777}), ("group mail", "g-name", {"gid": 8}),
        ("in a range", "g-range", {"gid": 6150}), ("below a range", None, {"gid": 6099}),
        ("a user goes before a group", "u-number", {"uid": 4001, "gid": 6001})])


@test("a unit and a cgroup path are seen from their bindings, v4 and v6, TCP and UDP")
def _():
    def prepare(lab):
        lab.cgroup("/system.slice/news.service")
        lab.cgroup("/tenants.slice/beta.slice")

    selectors(lambda lab, agent: [
        ("unit", "by-unit", {"cgroup": lab.cgroup("/system.slice/news.service")}),
        ("path", "by-path", {"cgroup": lab.cgroup("/tenants.slice/beta.slice")}),
        ("the slice above", None, {"cgroup": lab.cgroup("/tenants.slice")}),
        ("a cgroup goes before a user", "by-unit",
         {"cgroup": lab.cgroup("/system.slice/news.service"), "uid": 4001})], prepare=prepare)


@test("a socket with a binding's mark is seen from it, before cgroup and user, v4 and v6, TCP and UDP")
def _():
    selectors(lambda lab, agent: [
        ("mark", "by-mark", {"mark": agent.mark("by-mark")}),
        ("mark before cgroup and user", "by-mark",
         {"mark": agent.mark("by-mark"), "uid": 4001, "cgroup": lab.cgroup("/tenants.slice/beta.slice")}),
        ("mark of another binding", "u-name", {"mark": agent.mark("u-name")})])


@test("a forwarded source prefix is seen from its binding, its neighbour as itself, v4 and v6")
def _():
    with Lab(guest=True) as lab:
        lab.agent(BINDINGS + POLICY)
        expect(lab, "source", number("by-source"), namespace="guest")
        targets = [(FAR[4], 7000, "tcp", "10.88.7.3"), (FAR[6], 7000, "tcp", "fd00:88:7::3"),
                   (FAR[4], 7000, "udp", "10.88.7.3"), (FAR[6], 7000, "udp", "fd00:88:7::3")]
        check("another source", [result["source"] for result in lab.probe_all(targets, namespace="guest")],
              ["10.88.7.3", "fd00:88:7::3"] * 2)
        check("guests still reach the sender itself unrewritten",
              lab.run("guest", "ping", "-c1", "-W1", "-n", HOST6, ok=False).returncode, 0)
        expect(lab, "the host itself", None)


@test("`otherwise use` catches who has no rule, and an unassigned sender is seen from the host's own")
def _():
    rules = "policy { user 4001 use a; %s }\n"
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12) + rules % "")
        expect(lab, "no rule", None)
        expect(lab, "no rule, other user", None, uid=4002, gid=4002)
        agent.write(binding("a", 11) + binding("b", 12) + rules % "otherwise use b;")
        agent.ctl("reload")
        expect(lab, "otherwise", 12)
        expect(lab, "otherwise, other user", 12, uid=4002)
        expect(lab, "a rule of its own", 11, uid=4001)
        agent.write(binding("a", 11) + binding("b", 12) + rules % "otherwise pass;")
        agent.ctl("reload")
        expect(lab, "otherwise pass", None)


@test("an ICMP echo of a user, a cgroup and a forwarded source leaves from the binding, v4 and v6")
def _():
    with Lab(guest=True) as lab:
        lab.agent(BINDINGS + POLICY)
        clients = [("u-number", {"uid": 4001}), ("by-path", {"cgroup": lab.cgroup("/tenants.slice/beta.slice")}),
                   ("by-source", {"namespace": "guest"}), (None, {})]
        wait_for("the new cgroup to be bound",
                 lambda: lab.source(FAR[4], cgroup=clients[1][1]["cgroup"]) == pool(number("by-path"), 4))
        for name, who in clients:
            capture = lab.capture()
            results = lab.probe_all([(FAR[4], 0, "icmp"), (FAR[6], 0, "icmp")], **who)
            check("%s is answered" % name, [result["source"] for result in results], ["answered"] * 2)
            want = [pool(number(name), family) if name else HOST[family] for family in (4, 6)]
            check("%s v4" % name, capture.sources(proto="icmp", kind=8), {want[0]})
            check("%s v6" % name, capture.sources(proto="icmpv6", kind=128), {want[1]})


@test("loopback and the host's own addresses see the unrewritten source, also with `otherwise use`")
def _():
    with Lab() as lab:
        lab.serve("sender", (7000,))
        lab.agent(binding("a", 11) + "policy { user 4001 use a; otherwise use a; }")
        for who in ({"uid": 4001}, {}):
            for to, want in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), (HOST4, HOST4), (HOST6, HOST6),
                             (pool(12, 4), pool(12, 4)), (pool(12, 6), pool(12, 6))):
                for proto in ("tcp", "udp"):
                    check("%s to %s by %s" % (who, to, proto), lab.source(to, proto=proto, **who), want)


@test("bypass destinations see the unrewritten source, their neighbours the rewritten one")
def _():
    conf = ("bypass { 203.0.113.64/26; 2001:db8:2::100/120; }\n" + binding("a", 11) +
            "policy { user 4001 use a; }")
    with Lab() as lab:
        lab.agent(conf)
        for proto in ("tcp", "udp"):
            for to, want in (("203.0.113.64", HOST4), ("203.0.113.127", HOST4), ("203.0.113.63", pool(11, 4)),
                             ("203.0.113.128", pool(11, 4)), ("2001:db8:2::1ff", HOST6),
                             ("2001:db8:2::200", pool(11, 6)), (NEAR[4], pool(11, 4)), (NEAR[6], pool(11, 6))):
                check("%s by %s" % (to, proto), lab.source(to, proto=proto, uid=4001), want)


@test("`to`, `port` and `protocol` choose the binding; what they do not match falls through")
def _():
    conf = "".join(binding(name, 11 + i) for i, name in enumerate("abcde")) + """
policy {
	user 4001 use a;
	user 4001 port 25, 8000-8999 use b;
	user 4001 to 203.0.113.64/26, 2001:db8:2::100/120 port 7000 use c;
	user 4001 to 203.0.113.64/26, 2001:db8:2::100/120 port 443 reject;
	user 4001 port 53 protocol udp use d;
	user 4002 port 25 use b;
	group 4002 use e;
	user 4003 protocol tcp port 25 reject;
	user 4004 port 7000 pass;
	user 4004 use a;
	otherwise port 25 reject;
}
"""
    far4, far6, in4, in6 = FAR[4], FAR[6], "203.0.113.70", "2001:db8:2::17f"
    rows = [
        (4001, 0, far4, 7000, "tcp", pool(11, 4)), (4001, 0, far6, 7000, "udp", pool(11, 6)),
        (4001, 0, far4, 25, "tcp", pool(12, 4)), (4001, 0, far6, 8080, "tcp", pool(12, 6)),
        (4001, 0, far6, 8080, "udp", pool(12, 6)), (4001, 0, in4, 25, "tcp", pool(12, 4)),
        (4001, 0, in4, 7000, "tcp", pool(13, 4)), (4001, 0, in6, 7000, "udp", pool(13, 6)),
        (4001, 0, in4, 443, "tcp", "!ECONNREFUSED"), (4001, 0, in6, 443, "tcp", "!ECONNREFUSED"),
        (4001, 0, far4, 443, "tcp", pool(11, 4)),
        (4001, 0, far4, 53, "udp", pool(14, 4)), (4001, 0, far6, 53, "udp", pool(14, 6)),
        (4001, 0, far4, 53, "tcp", pool(11, 4)),
        (4002, 4002, far4, 25, "tcp", pool(12, 4)), (4002, 4002, far4, 7000, "tcp", pool(15, 4)),
        (4002, 0, far6, 7000, "tcp", HOST6),
        (4003, 0, far4, 25, "tcp", "!ECONNREFUSED"), (4003, 0, far4, 7000, "tcp", HOST4),
        (4004, 0, far4, 7000, "tcp", HOST4), (4004, 0, far4, 443, "tcp", pool(11, 4)),
        (4005, 0, far4, 25, "tcp", "!ECONNREFUSED"), (4005, 0, far6, 25, "tcp", "!ECONNREFUSED"),
        (4005, 0, far4, 25, "udp", "!EPERM"), (4005, 0, far4, 7000, "tcp", HOST4),
    ]
    with Lab() as lab:
        lab.agent(conf)
        wrong = []
        for uid, gid, to, port, proto, want in rows:
            got = lab.source(to, port, proto, uid=uid, gid=gid)
            if got != want:
                wrong.append("uid %d gid %d %s to %s port %d: %s, not %s" % (uid, gid, proto, to, port, got, want))
        check("wrong sources", wrong, [])


@test("fragmented datagrams, and one UDP socket with many destinations, leave from the binding")
def _():
    def work():
        for family, kind in ((socket.AF_INET, "203.0.113.%d"), (socket.AF_INET6, "2001:db8:2::%x")):
            sock = traffic.open_socket({"uid": 4001}, family, socket.SOCK_DGRAM)
            for n in range(1, 20):
                sock.sendto(b"x" * (5000 if n % 2 else 10), (kind % n, 7000))

    with Lab() as lab:
        lab.agent(BINDINGS + POLICY)
        capture = lab.capture()
        check("sent", lab.reap(lab.fork("sender", work)), 0)
        time.sleep(0.2)
        packets = capture.select()
        seen = {packet.source for packet in packets if packet.to.startswith(("203.0.113.", "2001:db8:2::"))}
        check("sources", seen, {pool(number("u-number"), family) for family in (4, 6)})
        check("fragments were among them", sum(packet.count for packet in packets) > 60, True)


@test("child cgroups inherit, and the deepest cgroup with a rule wins")
def _():
    conf = binding("outer", 11) + binding("inner", 12) + """
policy { cgroup "/a.slice" use outer; cgroup "/a.slice/b.slice/c.service" use inner; }
"""
    with Lab() as lab:
        paths = {"/a.slice": 11, "/a.slice/x.service": 11, "/a.slice/b.slice": 11,
                 "/a.slice/b.slice/c.service": 12, "/a.slice/b.slice/c.service/d/e/f": 12,
                 "/a.slice/b.slice/other/d/e/f": 11, "/b.slice": None}
        for path in paths:
            lab.cgroup(path)
        lab.agent(conf)
        for path, n in paths.items():
            expect(lab, path, n, cgroup=lab.cgroup(path))


@test("a cgroup deleted and made again under its name, or made after the start, is bound")
def _():
    conf = binding("unit", 11) + binding("path", 12) + """
policy { unit "job@acme.service" use unit; cgroup "/late.slice/deep.slice" use path; }
"""
    with Lab() as lab:
        unit = lab.cgroup("/system.slice/job@acme.service")
        lab.agent(conf)
        expect(lab, "unit", 11, cgroup=unit)
        for again in range(3):
            before = os.stat(unit).st_ino
            os.rmdir(unit)
            os.mkdir(unit)
            check("it has a new id", os.stat(unit).st_ino != before, True)
            wait_for("the unit made again to be bound (%d)" % again,
                     lambda: lab.source(FAR[4], cgroup=unit) == pool(11, 4), 1)
            expect(lab, "unit made again", 11, cgroup=unit)
        late = lab.cgroup("/late.slice/deep.slice")
        wait_for("the late cgroup to be bound", lambda: lab.source(FAR[4], cgroup=late) == pool(12, 4), 1)
        expect(lab, "late", 12, cgroup=late)
        moved = lab.cgroup("/other.slice/job@acme.service")
        os.rmdir(unit)
        wait_for("the unit in another slice to be bound",
                 lambda: lab.source(FAR[4], cgroup=moved) == pool(11, 4), 1)

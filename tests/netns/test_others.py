# SPDX-License-Identifier: GPL-2.0-or-later
"""Other software's rules in our way: connection marks, redirects, early masquerade; and a peer that
makes the agent the last owner of a socket that does not want to be closed."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time

from cases import test
from lab import FAR, GUEST4, GUEST6, HOST, Lab, NEAR, PORT, binding, check, pool

CONF = binding("a", 11) + "policy { user 4001 use a; }"
GUEST_CONF = binding("a", 11) + "policy { source 10.88.7.0/24 use a; source fd00:88:7::/64 use a; }"
GUEST = {4: GUEST4, 6: GUEST6}
GATEWAY = {4: "10.88.7.1", 6: "fd00:88:7::1"}
PROTOCOLS = ("tcp", "udp")
REFUSED = {"tcp": "!ECONNREFUSED", "udp": "!EPERM"}
HOSTS = set(HOST.values())


def own(family):
    return pool(11, family)


# --- connection marks ---------------------------------------------------------------------------


SAVE_MARK = """
table inet saver {
	chain out { type filter hook output priority -150; policy accept; ct mark set meta mark; }
}
"""


@test("with a foreign `ct mark set meta mark` in output, nothing of a bound user or cgroup has the host's address")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=SAVE_MARK)
        group = lab.cgroup("/tenant.slice/app.service")
        lab.agent(CONF + 'policy { cgroup "/tenant.slice" use a; }')
        capture = lab.capture()
        for family in (4, 6):
            for proto in PROTOCOLS:
                for who in ({"uid": 4001}, {"cgroup": group}):
                    got = lab.probe_all([(FAR[family], PORT, proto)] * 2, timeout=0.3, **who)
                    seen = {result["source"] for result in got} - {None, own(family)}
                    check("v%d %s %s" % (family, proto, who), seen, set())
        time.sleep(0.2)
        check("sources on the wire", capture.sources() - {own(4), own(6)}, set())
        for family in (4, 6):
            check("unassigned", lab.source(FAR[family]), HOST[family])


# --- destinations that others change ------------------------------------------------------------


def translate(hook, rules):
    """A foreign table: {family: (destination, port, statement)} in a NAT chain, and masquerade."""
    text = ""
    for family, to, port, what in rules:
        word = "ip" if family == 4 else "ip6"
        text += ("""
table %s foreign {
	chain before { type nat hook %s priority -100; policy accept; }
	chain after { type nat hook postrouting priority 100; policy accept; }
}
add rule %s foreign before %s daddr %s meta l4proto { tcp, udp } th dport %d %s
""" % (word, hook, word, word, to, port, what))
    return text


def to_far(family):
    return "dnat to " + ("%s:%d" if family == 4 else "[%s]:%d") % (FAR[family], PORT)


def default_route(lab):
    lab.ip("sender", "route add default via " + NEAR[4], "route add default via " + NEAR[6])


def redirected(lab, agent, family, to, port):
    """A bound user, a marked socket, an unknown mark, to what others send to a far receiver."""
    time.sleep(0.2)                             # the control's last packets
    capture = lab.capture()
    for proto in PROTOCOLS:
        what = "%s to %s port %d, " % (proto, to, port)
        check(what + "user", lab.source(to, port, proto, uid=4001), own(family))
        check(what + "mark", lab.source(to, port, proto, mark=agent.mark("a")), own(family))
        for mark in (77, 0x1fff):
            check(what + "mark %d" % mark, lab.source(to, port, proto, mark=mark), REFUSED[proto])
    time.sleep(0.2)
    check("sources on the wire", capture.sources(to=FAR[family]), {own(family)})


@test("what others redirect from the host's own address to a far receiver leaves from the binding, or is refused")
def _():
    with Lab() as lab:
        rules = [(family, HOST[family], 9000, to_far(family)) for family in (4, 6)]
        lab.nft("-f", "-", text=translate("output", rules))
        agent = lab.agent(CONF)
        for family in (4, 6):
            for proto in PROTOCOLS:
                check("unassigned", lab.source(HOST[family], 9000, proto), HOST[family])
            redirected(lab, agent, family, HOST[family], 9000)


@test("what others redirect from 127.0.0.1 to a far receiver leaves from the binding, or is refused")
def _():
    with Lab() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.conf.all.route_localnet", 1)
        lab.nft("-f", "-", text=translate("output", [(4, "127.0.0.1", 9000, to_far(4))]) +
                'add rule ip foreign after ip saddr 127.0.0.0/8 oif "eth0" masquerade\n')
        agent = lab.agent(CONF)
        for proto in PROTOCOLS:
            check("unassigned", lab.source("127.0.0.1", 9000, proto), HOST[4])
        redirected(lab, agent, 4, "127.0.0.1", 9000)


@test("what others redirect from a bypassed address to a far receiver leaves from the binding, or is refused")
def _():
    virtual = {4: "10.96.0.1", 6: "fd00:96::1"}
    with Lab() as lab:
        default_route(lab)
        rules = [(family, virtual[family], 443, to_far(family)) for family in (4, 6)]
        lab.nft("-f", "-", text=translate("output", rules))
        agent = lab.agent("bypass { private; }\n" + CONF)
        for family in (4, 6):
            for proto in PROTOCOLS:
                check("unassigned", lab.source(virtual[family], 443, proto), HOST[family])
            redirected(lab, agent, family, virtual[family], 443)


@test("what others redirect from the gateway's own address to a far receiver leaves from the guest's binding")
def _():
    with Lab(guest=True) as lab:
        masquerade = ('add rule ip foreign after ip saddr 10.88.7.0/24 oif "eth0" masquerade\n'
                      'add rule ip6 foreign after ip6 saddr fd00:88:7::/64 oif "eth0" masquerade\n')
        lab.nft("-f", "-", text=translate("prerouting", [(family, GATEWAY[family], 9000, to_far(family))
                                                         for family in (4, 6)]) + masquerade)
        check("without an agent", lab.source(GATEWAY[4], 9000, namespace="guest"), HOST[4])
        lab.agent(GUEST_CONF)
        time.sleep(0.2)
        capture = lab.capture()
        for family in (4, 6):
            for proto in PROTOCOLS:
                check("direct " + proto, lab.source(FAR[family], 7001, proto, namespace="guest"), own(family))
                check("by the gateway's address, " + proto,
                      lab.source(GATEWAY[family], 9000, proto, namespace="guest"), own(family))
        check("sources on the wire", capture.sources(), {own(4), own(6)})


@test("what others redirect from a far address to a bypassed or local destination is not rewritten")
def _():
    inner = {4: "10.0.0.9", 6: "fd12::9"}
    with Lab() as lab:
        default_route(lab)
        lab.ip("receiver", "route add local 10.0.0.0/24 dev lo", "route add local fd12::/64 dev lo")
        lab.serve("sender", (PORT,))
        rules = []
        for family, form in ((4, "%s:%d"), (6, "[%s]:%d")):
            rules += [(family, FAR[family], 9001, "dnat to " + form % (inner[family], PORT)),
                      (family, FAR[family], 9002, "dnat to " + form % (HOST[family], PORT)),
                      (family, FAR[family], 9003, "redirect to :%d" % PORT)]
        lab.nft("-f", "-", text=translate("output", rules))
        agent = lab.agent("bypass { private; }\n" + CONF)
        for family in (4, 6):
            for proto in PROTOCOLS:
                for port in (9001, 9002, 9003):
                    for who in ({}, {"uid": 4001}, {"mark": agent.mark("a")}):
                        check("v%d %s port %d %s" % (family, proto, port, who),
                              lab.source(FAR[family], port, proto, **who), HOST[family])
                check("what nobody redirects", lab.source(FAR[family], 7001, proto, uid=4001), own(family))


@test("what others redirect from a guest to the gateway itself keeps the guest's address")
def _():
    with Lab(guest=True) as lab:
        lab.serve("sender", (PORT,))
        lab.nft("-f", "-", text=translate("prerouting", [(family, FAR[family], 9003, "redirect to :%d" % PORT)
                                                         for family in (4, 6)]))
        lab.agent(GUEST_CONF)
        for family in (4, 6):
            for proto in PROTOCOLS:
                check("v%d %s" % (family, proto), lab.source(FAR[family], 9003, proto, namespace="guest"),
                      GUEST[family])
                check("direct " + proto, lab.source(FAR[family], 7001, proto, namespace="guest"), own(family))


@test("a published port of a guest with a `source` rule works, and the guest's replies are not rewritten")
def _():
    with Lab(guest=True) as lab:
        lab.serve("guest", (PORT,))
        rules = [(4, HOST[4], 8080, "dnat to %s:%d" % (GUEST4, PORT)),
                 (6, HOST[6], 8080, "dnat to [%s]:%d" % (GUEST6, PORT))]
        lab.nft("-f", "-", text=translate("prerouting", rules))
        lab.agent(GUEST_CONF)
        capture = lab.capture()
        for family in (4, 6):
            for proto in PROTOCOLS:
                for _ in range(2):
                    check("v%d %s" % (family, proto), lab.source(HOST[family], 8080, proto, namespace="receiver"),
                          NEAR[family])
            stop = lab.stream(HOST[family], 5, port=8080, namespace="receiver")
            result = stop()
            check("streams", (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        time.sleep(0.2)
        check("replies", {(packet.source, packet.sport) for packet in capture.select() if packet.proto in PROTOCOLS},
              {(HOST[4], 8080), (HOST[6], 8080)})
        for family in (4, 6):
            check("what the guest starts", lab.source(FAR[family], namespace="guest"), own(family))


# --- source NAT of others -----------------------------------------------------------------------


EARLY = """
table inet early {
	chain post { type nat hook postrouting priority srcnat - 20; policy accept; oif "eth0" masquerade; }
}
"""


@test("with a foreign masquerade before our NAT, nothing of a bound user has the host's address, and it is counted")
def _():
    with Lab() as lab:
        lab.nft("-f", "-", text=EARLY)
        agent = lab.agent(CONF)
        for family in (4, 6):
            check("unassigned", lab.source(FAR[family]), HOST[family])
        time.sleep(0.2)
        capture = lab.capture()
        for family in (4, 6):
            for proto in PROTOCOLS:
                before = agent.json("status")["counters"]["dropped_guard"]
                got = lab.source(FAR[family], proto=proto, timeout=0.4, uid=4001)
                check("v%d %s: seen from %s" % (family, proto, got), got in HOSTS, False)
                after = agent.json("status")["counters"]["dropped_guard"]
                check("v%d %s: dropped_guard %d to %d" % (family, proto, before, after), after > before, True)
        check("the host's on the wire", capture.sources() & HOSTS, set())


# --- sockets that do not want to be closed ------------------------------------------------------


LINGER = struct.pack("ii", 1, 15)


def stuck(listener):
    """(socket, peer): the first has unsent data, and its close waits 15 s; the other never reads."""
    sock = socket.socket()
    sock.connect(listener.getsockname())
    peer = listener.accept()[0]
    sock.setblocking(False)
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    return sock, peer


def hand_over(agent, requests, leave, ready):
    """Leave the agent as the only owner of what `requests`, each (text, descriptors), carry; with
    leave, do not wait for its replies either, so that it finds its peer gone after the first."""
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    kept = []
    for messages in requests:
        tag = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tag.connect(agent.runtime + "/tag")
        kept.append(tag)
        for text, count in messages:
            pairs = [stuck(listener) for _ in range(count)]
            socket.send_fds(tag, [text], [sock.fileno() for sock, _ in pairs])
            for sock, peer in pairs:
                kept.append(peer)
                sock.close()                    # in flight now, so this does not wait
        if leave:
            tag.close()
    ready.send(b"x")
    time.sleep(60)


def answers_throughout(requests, leave=False, seconds=4):
    """`status` answers in under 1 s, from the moment the agent looks at the requests."""
    with Lab(serve=False) as lab:
        agent = lab.agent(binding("open", 11, more="allow user 65534;") + binding("closed", 12))
        agent.ctl("status")
        ready, child = socket.socketpair()
        os.kill(agent.pid, signal.SIGSTOP)      # it must not be done before the peer has let go
        try:
            lab.fork("sender", hand_over, agent, requests, leave, child)
            child.close()
            ready.settimeout(10)
            check("the peer has let go", ready.recv(1), b"x")
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                agent.ctl("status", timeout=4)
            took = time.monotonic() - start
            check("status took %.1f s, under 1" % took, took < 1, True)
            time.sleep(0.05)
        with lab.inside("sender"), socket.socket() as sock, \
                socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as tag:
            tag.connect(agent.runtime + "/tag")
            tag.settimeout(2)
            socket.send_fds(tag, [b"TAG 1 open"], [sock.fileno()])
            check("the tag socket answers", tag.recv(1000)[:3], b"OK ")


@test("sockets with unsent data and SO_LINGER on the tag socket do not hold up the agent")
def _():
    answers_throughout([[(b"TAG 1 open", 1)], [(b"TAG 1 closed", 1)], [(b"TAG 1 nosuch", 1)], [(b"nonsense", 1)]])


@test("many sockets with SO_LINGER in one request of the tag socket do not hold up the agent")
def _():
    answers_throughout([[(b"TAG 1 open", 2)], [(b"TAG 1 open", 20)], [(b"nonsense", 20)]])


@test("sockets with SO_LINGER in requests that the agent never reads do not hold it up")
def _():
    answers_throughout([[(b"nonsense", 0)] + [(b"TAG 1 open", 1)] * 8], leave=True)

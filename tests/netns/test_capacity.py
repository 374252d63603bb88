# SPDX-License-Identifier: GPL-2.0-or-later
"""Capacity: ports taken towards a destination, a warning before there are none, and what helps then."""

import json
import os
import time

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for
from test_flows import Holder

CONF = binding("a", 11) + binding("b", 12) + "policy { user 4001 use a; user 4002 use b; }\n"
FIRST, PORTS = 40000, 20


def narrow(lab):
    with lab.inside("sender"):
        lab.sysctl("net.ipv4.ip_local_port_range", "%d %d" % (FIRST, FIRST + PORTS - 1))


def uses(agent, *words):
    return json.loads(agent.ctl("capacity", "--json", *words, ok=False).stdout)["uses"]


def one(agent, name, to, port=PORT):
    return next(u for u in uses(agent) if (u["binding"], u["to"], u["to_port"]) == (name, to, port))


@test("a narrowed range: the warning comes before the last port, by itself; then none is left, for all bindings",
      seconds=150)
def _():
    with Lab() as lab:
        narrow(lab)
        agent = lab.agent(CONF)
        for family in (4, 6):
            source = HOST[family]
            few = Holder(lab, [(FAR[family], PORT)] * 10, uid=4001)
            use = one(agent, "a", FAR[family])
            check("half", (use["source"], use["mine"], use["taken"], use["available"], use["outside"], use["help"]),
                  (source, 10, 10, PORTS, False, None))
            check("not short", agent.ctl("capacity").returncode, 0)
            warned = len(agent.events("ports.short"))
            more = Holder(lab, [(FAR[family], PORT)] * 6, uid=4002)
            line = wait_for("the warning", lambda: agent.events("ports.short")[warned:], 30)[0]
            check("the event: " + line, "to=%s to_port=%d" % (FAR[family], PORT) in line and "taken=16" in line and
                  "available=20" in line and "source=" + source in line, True)
            check("before the last one", agent.events("ports.exhausted")[family // 6:], [])
            use = one(agent, "b", FAR[family])
            check("shared", (use["mine"], use["taken"], use["help"]), (6, 16, "range"))
            check("grows", use["per_second"] is not None, True)
            rest = Holder(lab, [(FAR[family], PORT)] * 6, uid=4001)
            check("four more, and no others", [r[0][:1] == "!" for r in rest.results], [False] * 4 + [True] * 2)
            check("they left right", {r[0] for r in rest.results[:4]}, {pool(11, family)})
            check("errno", rest.results[4][0], "!OSError99")
            wait_for("exhausted", lambda: len(agent.events("ports.exhausted")) == 1 + family // 6, 30)
            result = agent.ctl("capacity", ok=False)
            check("as a check", result.returncode, 1)
            check("what to do", "ip_local_port_range (now %d-%d, %d ports)" % (FIRST, FIRST + PORTS - 1, PORTS) in
                  result.stdout and "have senders bind" in result.stdout and "exhausted" in result.stdout, True)
            check("elsewhere there are ports", lab.source(FAR[family], 25, uid=4001), pool(11, family))
            if family == 6:                     # since its port is nobody else's, of either family
                check("who binds has ports of his own", lab.source(FAR[family], PORT, uid=4001, bind=pool(11, family)),
                      pool(11, family))
            for held in (few, more, rest):
                held.close()
            lab.run("sender", "conntrack", "-F")
            wait_for("enough again", lambda: len(agent.events("ports.enough")) == 1 + family // 6, 30)
        check("counted", agent.json("status")["ports"], {"short": 0, "warnings": 2, "exhaustions": 2})


@test("the busiest destinations of each binding, forwarded clients by what is seen outside, and port-warning")
def _():
    with Lab(guest=True) as lab:
        narrow(lab)
        agent = lab.agent("port-warning 30%;\n" + CONF + binding("d", 14) + "policy { source 10.88.7.0/24 use d; }\n")
        held = [Holder(lab, [(FAR[4], PORT)] * 7 + [(FAR[4], 25)] * 3 + [(FAR[6], 25)] * 2, uid=4001),
                Holder(lab, [(FAR[4], PORT)] * 3, namespace="guest"),
                Holder(lab, [(FAR[4], 443)] * 5, uid=4002, bind=pool(12, 4))]
        found = uses(agent)
        check("the fullest first", [(u["binding"], u["to"], u["to_port"], u["mine"]) for u in found],
              [("a", FAR[4], PORT, 7), ("b", FAR[4], 443, 5), ("a", FAR[4], 25, 3), ("a", FAR[6], 25, 2),
               ("d", FAR[4], PORT, 3)])
        check("one of each", [(u["binding"], u["to_port"]) for u in uses(agent, "--top", "1")],
              [("a", PORT), ("b", 443), ("d", PORT)])
        check("of one", {u["binding"] for u in uses(agent, "d")}, {"d"})
        check("forwarded", (found[4]["source"], found[4]["outside"], found[4]["available"]), (pool(14, 4), True, 64512))
        check("bound", (found[1]["source"], found[1]["outside"], found[1]["available"]), (pool(12, 4), False, PORTS))
        wait_for("its own threshold", lambda: agent.json("status")["ports"]["short"] == 1)
        agent.write("port-warning off;\n" + CONF)
        agent.ctl("reload")
        check("off", agent.ctl("capacity").returncode, 0)
        check("wrong words", [agent.ctl("capacity", *w, ok=False).returncode for w in (("--top", "0"), ("nobody",))], [2, 5])
        for one_ in held:
            one_.close()


@test("ports of closed sockets: those in TIME_WAIT are taken, those that conntrack only remembers are not")
def _():
    with Lab() as lab:
        narrow(lab)
        server = lab.fork("receiver", close_first, 7005)
        agent = lab.agent("port-warning 40%;\n" + CONF)
        # the far end closes first: the socket here is gone at once, the entry stays for two minutes
        check("all of them", count_done(lab, 7005, 150), 150)
        entries = lab.run("sender", "conntrack", "-L", "-p", "tcp").stdout.count("TIME_WAIT")
        check("conntrack remembers them: %d" % entries, entries >= 8, True)
        check("but they are free", one(agent, "a", FAR[4], 7005)["taken"] < 4, True)
        check("all of them", count_done(lab, PORT, 18), 18)
        use = one(agent, "a", FAR[4], PORT)
        check("those are not: %s" % use, use["taken"] >= 16, True)
        lab.end(server)


def close_first(port):
    import socket
    with socket.socket() as listener:
        listener.bind(("", port))
        listener.listen(64)
        while True:
            sock = listener.accept()[0]
            sock.close()


def count_done(lab, port, count):
    """Connections in a row by user 4001; how many came to be."""
    read, write = os.pipe()
    pid = lab.fork("sender", connect_many, port, count, write)
    os.close(write)
    lab.reap(pid, 30)
    with os.fdopen(read, "rb") as pipe:
        return len(pipe.read())


def connect_many(port, count, out):
    import socket
    import traffic
    for _ in range(count):
        sock = traffic.open_socket({"uid": 4001}, socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(3)
        sock.connect((FAR[4], port))
        sock.recv(100)
        sock.close()
        os.write(out, b"x")
        time.sleep(0.005)

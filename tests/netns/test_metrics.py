# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures: what the kernel counted is what was sent; the text is right; nobody who asks can do harm."""

import json
import os
import re
import resource
import signal
import socket
import threading
import time

import traffic
from cases import test
from figures import get, http, parse, promtool, scrape
from lab import FAR, Lab, PORT, ROOT, binding, check, pool, wait_for
from test_limits import Clients

POLICY = "policy { user 4001 use a; user 4002 use b; user 4003 use c; user 4004 reject; }\n"
ONE = "policy { user 4001 use a; }\n"
TRAFFIC = "metrics { traffic on; listen 127.0.0.1:9199; }\n"
NAME = {4: "ipv4", 6: "ipv6"}
HEAD = {4: 28, 6: 48}                           # IP and UDP


def fresh(agent):
    """Figures that were read after now."""
    time.sleep(0.25)
    return scrape(agent)


def alive(agent, count, **labels):
    """Figures in which so many connections live; a census is made every ten seconds."""
    got = fresh(agent)
    return got if got("outbind_binding_live_connections", **labels) == count else None


def datagrams(lab, to, count, size, **who):
    """Send datagrams by one socket; returns bytes of each answer that came."""
    read, write = os.pipe()

    def work():
        traffic.enter(who)
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with traffic.open_socket(who, family, socket.SOCK_DGRAM) as sock, os.fdopen(write, "w") as out:
            sock.settimeout(2)
            for _ in range(count):
                sock.sendto(b"x" * size, (to, PORT))
                out.write("%d " % len(sock.recv(2000)))

    pid = lab.fork("sender", work)
    os.close(write)
    with os.fdopen(read) as pipe:
        answers = [int(n) for n in pipe.read().split()]
    lab.reap(pid)
    return answers


@test("connections, packets and bytes are what was sent and received, by binding and family")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12, 13) + binding("c", 14, more="limit connections 50;")
                          + POLICY + TRAFFIC)
        none = scrape(agent)
        for family in (4, 6):
            check("none yet", none("outbind_binding_connections_total", binding="a", family=NAME[family]), 0)
            for uid, count in ((4001, 7), (4002, 3), (4003, 5)):
                for _ in range(count):
                    if not lab.source(FAR[family], uid=uid).startswith(("198.51.100.1", "2001:db8:1::1")):
                        raise AssertionError("not sent")
        got = fresh(agent)
        for family in (4, 6):
            for name, count in (("a", 7), ("b", 3), ("c", 5)):
                check("connections of %s by IPv%d" % (name, family),
                      got("outbind_binding_connections_total", binding=name, family=NAME[family]), count)
            check("of all", got("outbind_connections_total", family=NAME[family]), 15)
        for family in (4, 6):
            labels = {"binding": "a", "family": NAME[family]}
            before = fresh(agent)
            answers = datagrams(lab, FAR[family], 40, 100, uid=4001)
            after = fresh(agent)
            grown = {name: after("outbind_binding_" + name, **labels) - before("outbind_binding_" + name, **labels)
                     for name in ("connections_total", "sent_packets_total", "sent_bytes_total",
                                  "received_packets_total", "received_bytes_total")}
            check("IPv%d" % family, grown,
                  {"connections_total": 1, "sent_packets_total": 40, "sent_bytes_total": 40 * (100 + HEAD[family]),
                   "received_packets_total": 40, "received_bytes_total": sum(answers) + 40 * HEAD[family]})
        check("others got none of it", after("outbind_binding_sent_packets_total", binding="b", family="ipv4"),
              before("outbind_binding_sent_packets_total", binding="b", family="ipv4"))


@test("packets of forwarded clients are counted once, and none of who has no binding")
def _():
    with Lab(guest=True) as lab:
        agent = lab.agent(binding("a", 11) + "policy { source 10.88.7.2/32 use a; }\n" + TRAFFIC)
        before = scrape(agent)
        for _ in range(4):
            check("forwarded", lab.source(FAR[4], namespace="guest"), pool(11, 4))
        check("of the host itself", lab.source(FAR[4], proto="udp"), "198.51.100.1")
        check("by UDP", lab.source(FAR[4], proto="udp", namespace="guest"), pool(11, 4))
        after = fresh(agent)
        check("connections", after("outbind_binding_connections_total", binding="a", family="ipv4"), 5)
        sent, received = (after("outbind_binding_%s_packets_total" % way, binding="a", family="ipv4")
                          for way in ("sent", "received"))
        if not 4 * 3 < sent < 4 * 8 or not 4 * 3 < received < 4 * 8:
            raise AssertionError("%d sent, %d received of 4 connections" % (sent, received))
        check("before", before("outbind_binding_sent_packets_total", binding="a", family="ipv4"), 0)


@test("refusals by reason: unusable, limit, rule; overflow and delay; each as often as it was tried", 120)
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11, more="limit connections 2;") + binding("b", 12)
                          + binding("c", 13, more="limit connections 1; overflow b;") + POLICY)
        for family in (4, 6):
            labels = {"family": NAME[family]}
            before = fresh(agent)
            clients = Clients(lab, 7, FAR[family], uid=4001)
            check("two of seven", clients.seen(), {pool(11, family): 2, "ECONNREFUSED": 5})
            live = wait_for("a census", lambda: alive(agent, 2, binding="a", **labels), 25)
            check("by limit", live("outbind_binding_refused_total", binding="a", reason="limit", **labels), 5)
            check("limits", live("outbind_binding_limit_reached_total", binding="a", outcome="refused", **labels), 5)
            check("of all by limit", live("outbind_refused_total", reason="limit")
                  - before("outbind_refused_total", reason="limit"), 5)
            check("connections", live("outbind_binding_connections_total", binding="a", **labels), 2)
            clients.close()
            agent.ctl("binding", "suspend", "b")
            for _ in range(6):
                check("suspended", lab.source(FAR[family], uid=4002), "!ECONNREFUSED")
            for _ in range(3):
                check("by rule", lab.source(FAR[family], uid=4004), "!ECONNREFUSED")
            got = fresh(agent)
            check("unusable", got("outbind_binding_refused_total", binding="b", reason="unusable", **labels), 6)
            check("of all", got("outbind_refused_total", reason="unusable")
                  - before("outbind_refused_total", reason="unusable"), 6)
            check("by rule", got("outbind_refused_total", reason="rule")
                  - before("outbind_refused_total", reason="rule"), 3)
            check("suspended", got("outbind_binding_suspended", binding="b"), 1)
            check("not usable", got("outbind_binding_usable", binding="b", **labels), 0)
            agent.ctl("binding", "resume", "b")
            over = Clients(lab, 3, FAR[family], uid=4003)
            check("one, and two elsewhere", over.seen(), {pool(13, family): 1, pool(12, family): 2})
            got = fresh(agent)
            delayed = got("outbind_binding_limit_reached_total", binding="c", outcome="delayed", **labels)
            check("overflowed", got("outbind_binding_limit_reached_total", binding="c", outcome="overflowed",
                                    **labels), 2)
            check("delayed first", delayed in (1, 2), True)
            check("who got them", got("outbind_binding_connections_total", binding="b", **labels), 2)
            over.close()


@test("health, reasons, warm-up, drains, events, reloads and transactions")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + binding("b", 12, more="warmup { day 1 200; day 2 500; }")
                          + "binding c { address 203.0.113.99; }\n" + POLICY)
        first = scrape(agent)
        check("why not", first.of("outbind_binding_unusable_reason", binding="c"), {("ipv4", "absent"): 1})
        check("usable", first("outbind_bindings_usable", family="ipv4"), 2)
        check("unusable", first("outbind_bindings_unusable", family="ipv4"), 1)
        check("capacity", first("outbind_marks_capacity"), 8189)
        agent.ctl("binding", "warmup", "b", "start")
        lab.source(FAR[4], uid=4002)
        agent.ctl("binding", "show", "b")
        check("first day", fresh(agent).of("outbind_binding_warmup_day"), {("b",): 1})
        check("quota", fresh(agent)("outbind_binding_warmup_quota", binding="b"), 200)
        check("counted beside the warm-up", fresh(agent)("outbind_binding_connections_total", binding="b",
                                                         family="ipv4"), 1)
        stop = lab.stream(FAR[4], 3, uid=4001)
        removal = lab.spawn("sender", agent_command(agent, "binding", "remove", "a", "--reassign", "b", "--drain"))
        draining = wait_for("the drain", lambda: drains(agent))
        check("left", draining("outbind_binding_draining_connections", binding="a"), 3)
        stop()
        wait_for("its end", lambda: not drains(agent), 20)
        lab.reap(removal)
        lab.ip("sender", "addr add 203.0.113.99/32 dev eth0")
        wait_for("usable", lambda: fresh(agent)("outbind_binding_usable", binding="c", family="ipv4") == 1)
        agent.write("binding {")
        agent.ctl("reload", ok=False)
        got = fresh(agent)
        check("refused", got("outbind_config_last_reload_successful"), 0)
        check("event", got("outbind_events_total", event="config.refused"), 1)
        if got("outbind_transactions_total") <= first("outbind_transactions_total"):
            raise AssertionError("no transactions were counted")
        check("histogram", got("outbind_transaction_seconds_count") >= got("outbind_transactions_total"), True)
        check("calls", got("outbind_call_seconds_count") >= 4, True)


def agent_command(agent, *words):
    return [os.path.join(os.path.dirname(agent.command()[0]), "outbindctl"), "--runtime-dir", agent.runtime, *words]


def drains(agent):
    got = fresh(agent)
    return got if got("outbind_drains") == 1 else None


@test("conntrack: fill, and what it could not insert; the busiest destination and its ports")
def _():
    with Lab() as lab:
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.ip_local_port_range", "40000 40009")
            lab.sysctl("net.ipv4.ip_local_reserved_ports", "40008-40009")
        agent = lab.agent(binding("a", 11, families=(4,)) + ONE)
        clients = Clients(lab, 5, FAR[4], uid=4001)
        got = wait_for("a census", lambda: alive(agent, 5, binding="a", family="ipv4"), 25)
        check("ports", got("outbind_destination_ports", binding="a", source=pool(11, 4), protocol="tcp",
                           destination="%s:%d" % (FAR[4], PORT)), 5)
        check("of", got("outbind_local_ports"), 8)
        check("entries", got("outbind_conntrack_entries") >= 5, True)
        check("room", got("outbind_conntrack_max") > 1000, True)
        clients.close()


@test("the text is right for promtool and for OpenMetrics, names with quotes and all")
def _():
    with Lab(uplink=True) as lab:
        agent = lab.agent(binding("a", 11) + 'binding "q\\"b\\\\s" { address %s; limit connections 1; }\n' % pool(12, 4)
                          + "group g { member a; }\nuplink u { interface eth1; }\n" + POLICY.replace("use b", "use g")
                          .replace("use c", 'use "q\\"b\\\\s"') + TRAFFIC)
        lab.source(FAR[4], uid=4001)
        lab.source(FAR[4], uid=4004)
        held = Clients(lab, 3, FAR[4], uid=4003)
        time.sleep(0.3)
        status, headers, text = get(agent.runtime + "/metrics")
        check("status", (status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        figures = parse(text)
        check("the name", figures("outbind_binding_refused_total", binding='q\\"b\\\\s', family="ipv4",
                                  reason="limit"), 2)
        check("promtool", promtool("check", "metrics", text=text), (0, ""))
        with lab.inside("sender"):
            status, headers, text = get(("127.0.0.1", 9199), accept="application/openmetrics-text; version=1.0.0")
        check("status", (status, headers["Content-Type"]),
              (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        check("the same names", {key[0] for key in parse(text, openmetrics=True)}, {key[0] for key in figures})
        held.close()


@test("bindings: all, none, or the busiest; sockets follow a reload")
def _():
    with Lab(pool_size=30) as lab:
        many = "".join("binding n%d { address %s; }\n" % (n, pool(11 + n, 4)) for n in range(30))
        policy = "policy { user 4001 use n17; user 4002 use n3; }\n"
        agent = lab.agent(many + policy + "metrics { bindings 2; }\n")
        for uid, count in ((4001, 3), (4002, 2)):
            for _ in range(count):
                lab.source(FAR[4], uid=uid)
        got = fresh(agent)
        check("the busiest", sorted(name for name, _ in got.of("outbind_binding_connections_total")), ["n17", "n3"])
        check("all of them", got("outbind_connections_total", family="ipv4"), 5)
        agent.write(many + policy + "metrics { bindings none; }\n")
        agent.ctl("reload")
        got = fresh(agent)
        check("none", [key for key in got if key[0].startswith("outbind_binding_")], [])
        check("but of all", got("outbind_connections_total", family="ipv4"), 5)
        agent.write(many + policy + "metrics { bindings all; socket off; listen 127.0.0.1:9200; }\n")
        agent.ctl("reload")
        check("no socket", os.path.exists(agent.runtime + "/metrics"), False)
        with lab.inside("sender"):
            _, _, text = get(("127.0.0.1", 9200))
        check("all", len(parse(text).of("outbind_binding_connections_total")), 30)
        check("the tool says so", agent.ctl("metrics", ok=False).returncode, 3)
        agent.write(many + policy)
        agent.ctl("reload")
        check("the tool", len(parse(agent.ctl("metrics").stdout).of("outbind_binding_connections_total")), 30)
        check("the other format", agent.ctl("metrics", "--openmetrics").stdout.endswith("# EOF\n"), True)


WORD = re.compile(r"\boutbind_\w+")


@test("every figure of the dashboard and of the alert rules is in a real scrape; the rules are right")
def _():
    check("rules", promtool("check", "rules", ROOT + "/docs/outbind.rules.yml")[0], 0)
    with open(ROOT + "/docs/outbind.rules.yml") as file:
        rules = file.read()
    with open(ROOT + "/docs/outbind-grafana.json") as file:
        board = json.load(file)
    with open(os.path.dirname(os.path.abspath(__file__)) + "/outbind.rules.test.yml") as file:
        cases = file.read()
    with Lab(uplink=True) as lab:
        for name, text in (("outbind.rules.yml", rules), ("test.yml", cases)):
            with open(lab.dir + "/" + name, "w") as file:
                file.write(text)
        status, said = promtool("test", "rules", lab.dir + "/test.yml")
        if status:
            raise AssertionError(said)
        agent = lab.agent(binding("a", 11, more="limit connections 1;") + "uplink u { interface eth1; }\n"
                          + binding("b", 12, more="warmup { day 1 200; }") + "binding c { address 203.0.113.99; }\n"
                          + "binding d { address 192.0.2.11; uplink u; }\n" + POLICY + TRAFFIC)
        agent.ctl("binding", "warmup", "b", "start")
        held = Clients(lab, 2, FAR[4], uid=4001)
        stop = lab.stream(FAR[4], 1, uid=4002)
        lab.spawn("sender", agent_command(agent, "binding", "remove", "b", "--reassign", "a", "--drain"))
        wait_for("a census", lambda: fresh(agent).of("outbind_destination_ports"), 25)
        there = {key[0] for key in wait_for("the drain", lambda: drains(agent))}
        queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
        queries += [one["definition"] for one in board["templating"]["list"] if "definition" in one]
        check("dashboard", sorted(set(WORD.findall("\n".join(queries))) - there), [])
        check("rules", sorted({name for line in rules.splitlines() if "expr:" in line for name in WORD.findall(line)}
                              - there), [])
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        check("panels have places of their own", len(set(places)), len(places))
        stop()
        held.close()


def exporter_of(agent):
    """pid of the program that serves an agent's figures; it has its name a moment after it is started."""
    return wait_for("the exporter", lambda: exporter_now(agent))


def exporter_now(agent):
    with open("/proc/%d/task/%d/children" % (agent.pid, agent.pid)) as children:
        pids = [int(pid) for pid in children.read().split()]
    return next((pid for pid in pids if name_of(pid) == "outbind-exporte"), None)


def name_of(pid):
    try:
        with open("/proc/%d/comm" % pid) as comm:
            return comm.read().strip()
    except FileNotFoundError:
        return None


@test("who parses HTTP has no rights, and comes back when it is killed or the agent is")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + ONE)
        check("serves", scrape(agent)("outbind_bindings"), 1)
        pid = exporter_of(agent)
        with open("/proc/%d/status" % pid) as status:
            rights = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        check("rights", [rights[key] for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp")],
              ["0000000000000000"] * 4 + ["1", "2"])
        opened = sorted(os.readlink("/proc/%d/fd/%s" % (pid, fd)).split(":")[0] for fd in os.listdir("/proc/%d/fd" % pid))
        check("nothing of the agent's", [name for name in opened if "netlink" in name or agent.dir in name
                                         and name != agent.log], [])
        made = os.stat(agent.runtime + "/metrics").st_ino
        os.kill(pid, signal.SIGKILL)
        agent.wait_event("metrics.failed")
        check("who asks meanwhile is served by the next one", scrape(agent)("outbind_bindings"), 1)
        check("another one", exporter_of(agent) not in (None, pid), True)
        check("at the same socket", os.stat(agent.runtime + "/metrics").st_ino, made)
        pid = exporter_of(agent)
        agent.kill()
        wait_for("its end with the agent", lambda: not os.path.exists("/proc/%d/status" % pid), 5)
        agent.start()
        check("serves again", scrape(agent)("outbind_bindings"), 1)
        check("clean stop", agent.stop(), 0)
        check("no socket is left", os.path.exists(agent.runtime + "/metrics"), False)


def rights_of(pid):
    """{capabilities in effect} of all its threads, and how many there are."""
    tasks, found = os.listdir("/proc/%d/task" % pid), set()
    for task in tasks:
        with open("/proc/%d/task/%s/status" % (pid, task)) as status:
            found |= {line.split()[1] for line in status if line.startswith("CapEff:")}
    return found, len(tasks)


@test("no thread has more rights than the agent: of figures, of the flow log")
def _():
    with Lab() as lab:
        agent = lab.agent('flow-log "%s/flows.json";\n' % lab.dir + binding("a", 11) + ONE)
        check("serves", scrape(agent)("outbind_bindings"), 1)
        rights, threads = rights_of(agent.pid)
        check("threads", threads >= 3, True)
        check("net_admin, net_raw", rights, {"%016x" % (1 << 12 | 1 << 13)})


HOSTILE = {
    "nothing": b"",
    "no HTTP": b"\x00\xff\x80hello\r\n\r\n",
    "a line without end": b"GET /" + b"a" * 100000,
    "many fields": b"GET /metrics HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(20000)) + b"\r\n",
    "a length below zero": b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "a body without end": b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 200000,
    "a broken chunk": b"POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a method": b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path": b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "a version": b"GET /metrics HTTP/9.9\r\n\r\n",
}


@test("one of two sockets cannot be made: the program that serves the other one is left alone, and tried is the one")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + "metrics { listen 198.51.100.77:9199; }\n")
        pid = exporter_of(agent)
        wait_for("two tries more", lambda: len(agent.events("metrics.failed")) >= 3, 15)
        check("the same program", exporter_of(agent), pid)
        check("served", scrape(agent)("outbind_bindings"), 1)
        lab.ip("sender", "addr add 198.51.100.77/32 dev eth0")
        with lab.inside("sender"):
            wait_for("the other one", lambda: served(("198.51.100.77", 9199)), 40)
        check("served", scrape(agent)("outbind_bindings"), 1)


@test("figures that cannot be handed over yet, because too many descriptors are on their way, come later")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11))
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (64, 64))
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(os.devnull) as some:
            socket.send_fds(near, [b"x"], [some.fileno()] * 100)

        def free():
            near.close()
            far.close()
        timer = threading.Timer(1, free)
        timer.start()
        began = time.monotonic()
        check("bindings", scrape(agent)("outbind_bindings"), 1)
        took = time.monotonic() - began
        timer.join()
        check("it waited: %.2f s" % took, 0.9 < took < 4, True)
        check("said", "on their way" in agent.read_log() or "Too many references" in agent.read_log(), True)


@test("hostile requests and slow clients: the agent answers, others are served, no more than so many wait", 120)
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + ONE + TRAFFIC)
        pid = exporter_of(agent)
        for where in (agent.runtime + "/metrics", ("127.0.0.1", 9199)):
            with lab.inside("sender"):
                for what, request in HOSTILE.items():
                    try:
                        answer = http(where, request, 12, end=True)
                    except OSError:
                        answer = b""
                    if what != "two lengths" and re.match(rb"HTTP/1.[01] 2", answer):
                        raise AssertionError("%s: %r" % (what, answer[:200]))
        slow = []
        with lab.inside("sender"):
            for n in range(110):                # more than are served, and fewer than may also wait
                slow.append(socket.create_connection(("127.0.0.1", 9199), 2))
                slow[-1].send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " if n % 2 else b"G")
            start = time.monotonic()
            agent.ctl("status")
            check("the other socket", scrape(agent)("outbind_bindings"), 1)
            if time.monotonic() - start > 2:
                raise AssertionError("the agent was held up for %.1f s" % (time.monotonic() - start))
            sockets = [fd for fd in os.listdir("/proc/%d/fd" % pid)]
            if len(sockets) > 100:
                raise AssertionError("%d descriptors" % len(sockets))
            wait_for("silent ones to be closed", lambda: served(("127.0.0.1", 9199)), 45)
            reader = socket.create_connection(("127.0.0.1", 9199), 2)     # asks, and never reads
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
            check("beside one that does not read", served(("127.0.0.1", 9199)), True)
        for sock in slow + [reader]:
            sock.close()
        check("the same program", exporter_of(agent), pid)
        check("no failures", agent.events("metrics.failed"), [])


def served(where):
    try:
        return get(where, timeout=3)[0] == 200
    except (OSError, IndexError, ValueError):
        return False


@test("who asks all the time is given the same text, and costs the agent no more")
def _():
    with Lab() as lab:
        agent = lab.agent(binding("a", 11) + ONE)
        where, asked = agent.runtime + "/metrics", 0
        used = cpu_of(agent)
        end = time.monotonic() + 2
        texts = set()
        while time.monotonic() < end:
            texts.add(re.search(r"^outbind_process_cpu_seconds_total (.*)$", get(where)[2], re.M).group(1))
            asked += 1
        if asked < 50 or len(texts) > 14:
            raise AssertionError("%d texts for %d requests" % (len(texts), asked))
        if cpu_of(agent) - used > 0.5:
            raise AssertionError("%.2f s of the agent" % (cpu_of(agent) - used))


def cpu_of(agent):
    with open("/proc/%d/stat" % agent.pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

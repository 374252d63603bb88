# SPDX-License-Identifier: GPL-2.0-or-later
"""`outbindctl capture`: exactly one client's packets, before and after translation, told by binding."""

import datetime
import json
import os
import shutil
import signal
import statistics
import struct
import time

from cases import test
from lab import BUILD, FAR, GUEST4, GUEST6, HOST, Lab, PORT, binding, check, pool, wait_for
from place import PATIENCE, run

CONF = (binding("a", 11) + binding("b", 12) + binding("c", 13) + "group g { member a; member b; }\n"
        "policy { user 4001 use a; user 4002 use b; user 4003 use c; source 10.88.7.0/24 use c; "
        "source fd00:88:7::/64 use c; cgroup \"/tenant.slice\" use b; }\n")
GUEST = {4: GUEST4, 6: GUEST6}


class Capturing:
    """`outbindctl capture` in the background, with rules in place."""

    count = 0

    def __init__(self, lab, agent, *words, json_lines=True):
        Capturing.count += 1
        self.lab, self.agent = lab, agent
        self.log = "%s/capture%d" % (agent.dir, Capturing.count)
        before = len(agent.events("capture.started"))
        self.pid = lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "capture", *words] +
                             (["--json"] if json_lines else []), log=self.log)
        agent.wait_event("capture.started", before)
        wait_for("no rights", lambda: "Uid:\t65534" in self.status())

    def status(self):
        with open("/proc/%d/status" % self.pid) as lines:
            return lines.read()

    def text(self):
        with open(self.log) as lines:
            return lines.read()

    def stop(self, number=signal.SIGINT):
        time.sleep(0.4)                         # what the kernel gathers comes a little later
        status = os.waitstatus_to_exitcode(self.lab.end(self.pid, number))
        check("exit status: " + self.text()[-500:], status, 0)
        return self.records()

    def records(self):
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]


def views(records, **want):
    """{(direction, stage, source, destination)} of records with these fields."""
    return {(r["direction"], r["stage"], r["source"], r["destination"]) for r in records
            if all(r.get(key) == value for key, value in want.items())}


def exchange(family, inside, outside):
    """What a captured connection must show."""
    to = FAR[family]
    return {("out", "before", inside, to), ("out", "after", outside, to), ("in", "before", to, outside),
            ("in", "after", to, inside)}


def tables(lab):
    return [line for line in lab.nft("list", "tables").splitlines() if "capture" in line]


@test("capture of a binding or group has its packets before and after translation, both ways, and nobody else's")
def _():
    with Lab(guest=True) as lab:
        agent = lab.agent(CONF)
        before = agent.ruleset()
        captures = {name: Capturing(lab, agent, name) for name in ("a", "g", "c")}
        check("tables", len(tables(lab)), 3)
        capture = lab.capture()
        for family in (4, 6):
            for proto in ("tcp", "udp"):
                for uid, n in ((4001, 11), (4002, 12), (4003, 13), (1, None)):
                    check("source", lab.source(FAR[family], proto=proto, uid=uid), pool(n, family) if n else HOST[family])
            check("forwarded", lab.source(FAR[family], namespace="guest"), pool(13, family))
        got = {name: one.stop() for name, one in captures.items()}
        for family in (4, 6):
            a, b, c = (exchange(family, HOST[family], pool(n, family)) for n in (11, 12, 13))
            check("a v%d" % family, {view for view in views(got["a"]) if FAR[family] in view}, a)
            check("g v%d" % family, {view for view in views(got["g"]) if FAR[family] in view}, a | b)
            check("c v%d" % family, {view for view in views(got["c"]) if FAR[family] in view},
                  c | exchange(family, GUEST[family], pool(13, family)))
        check("a's name", {record["binding"] for record in got["a"]}, {"a"})
        check("g's names", {(r["binding"], r["source"]) for r in got["g"] if r["direction"] == "out" and r["stage"] == "after"},
              {(name, pool(n, family)) for name, n in (("a", 11), ("b", 12)) for family in (4, 6)})
        check("uids", {record.get("uid") for record in got["a"] if record["direction"] == "out"} - {None}, {4001})
        wire = sum(packet.count for packet in capture.select() if packet.source in (pool(11, 4), pool(11, 6)))
        check("as many as on the wire", len([r for r in got["a"] if r["direction"] == "out" and r["stage"] == "after"]), wire)
        check("nothing is left", (tables(lab), agent.ruleset().count("table")), ([], before.count("table")))


@test("capture of clients: user, cgroup, unit, pid and forwarded prefix; other clients' packets are absent")
def _():
    with Lab(guest=True) as lab:
        agent = lab.agent(CONF + 'policy { unit "y.service" use a; }\n')
        group = lab.cgroup("/tenant.slice/deep/er")
        unit = lab.cgroup("/system.slice/y.service")
        agent.wait_event("facts.applied")
        sleeper = lab.spawn("sender", ["sleep", "60"])
        with open(group + "/cgroup.procs", "w") as procs:
            procs.write(str(sleeper))
        clients = {("user", "4001"): ("a", HOST, 11), ("cgroup", "/tenant.slice"): ("b", HOST, 12),
                   ("unit", "y.service"): ("a", HOST, 11), ("source", "10.88.7.0/24"): ("c", GUEST, 13),
                   ("source", "fd00:88:7::/64"): ("c", GUEST, 13)}
        captures = {words: Capturing(lab, agent, *words) for words in clients}
        whole = Capturing(lab, agent, "pid", str(sleeper))      # root in that cgroup
        for family in (4, 6):
            for who in ({"uid": 4001}, {"uid": 4002}, {"cgroup": group, "uid": 7}, {"cgroup": unit, "uid": 7},
                        {"namespace": "guest"}, {"uid": 1}, {"cgroup": group, "uid": 0}):
                lab.source(FAR[family], **who)
        got = {words: one.stop() for words, one in captures.items()}
        for words, (name, inside, n) in clients.items():
            families = {"10.88.7.0/24": (4,), "fd00:88:7::/64": (6,)}.get(words[1], (4, 6))
            want = set().union(*(exchange(family, inside[family], pool(n, family)) for family in families))
            check(" ".join(words), views(got[words]), want)
            check("names", {record["binding"] for record in got[words]}, {name})
        check("user", {r.get("uid") for r in got["user", "4001"]} - {None}, {4001})
        records = whole.stop()
        check("a process", {r.get("uid") for r in records} - {None}, {0})
        check("its packets", len(records) > 0 and {r["binding"] for r in records}, {"b"})
        agent.ctl("policy", "add", "user", "1", "pass")
        one = Capturing(lab, agent, "user", "1")
        check("unassigned", lab.source(FAR[4], uid=1), HOST[4])
        check("no binding", {r["binding"] for r in one.stop()}, {None})


@test("what the guard drops is seen before translation only; a mangled source is seen as it leaves")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        lab.nft("-f", "-", text="table inet s { chain p { type nat hook postrouting priority 50; "
                "tcp dport 7000 snat ip to 198.51.100.20; }; }")
        one = Capturing(lab, agent, "a")
        check("dropped", lab.source(FAR[4], uid=4001, timeout=0.5), "!TIMEOUT")
        check("before only", views(one.stop()), {("out", "before", HOST[4], FAR[4])})
        lab.nft("delete", "table", "inet", "s")
        lab.nft("-f", "-", text="table inet s { chain p { type filter hook postrouting priority 2147483645; "
                "tcp dport 7000 ip saddr set 198.51.100.20; }; }")
        one = Capturing(lab, agent, "a")
        lab.source(FAR[4], uid=4001, timeout=0.5)
        got = one.stop()
        check("mangled: %s" % one.text(), ("out", "after", "198.51.100.20", FAR[4]) in views(got), True)


def blocks(path):
    """pcapng blocks: (type, body)."""
    with open(path, "rb") as file:
        text = file.read()
    out, at = [], 0
    while at < len(text):
        kind, length = struct.unpack_from("<II", text, at)
        check("length at the end", struct.unpack_from("<I", text, at + length - 4)[0], length)
        out.append((kind, text[at + 8:at + length - 4]))
        at += length
    return out


def options_of(text):
    out = {}
    while text:
        code, length = struct.unpack("<HH", text[:4])
        if code == 0:
            break
        out[code] = text[4:4 + length]
        text = text[4 + (length + 3) // 4 * 4:]
    return out


@test("a pcapng file: readable by others, each packet with its binding in the comment, whole packets, losses in it")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        path = agent.dir + "/out.pcapng"
        one = Capturing(lab, agent, "g", "-w", path, json_lines=False)
        for family in (4, 6):
            lab.source(FAR[family], uid=4001)
            lab.source(FAR[family], uid=4002)
        one.stop()
        check("mode", os.stat(path).st_mode & 0o777, 0o600)
        all_of_it = blocks(path)
        check("kinds", [kind for kind, _ in all_of_it[:3]] + [kind for kind, _ in all_of_it[-2:]],
              [0x0a0d0d0a, 1, 1, 5, 5])
        packets = [body for kind, body in all_of_it if kind == 6]
        comments = []
        for body in packets:
            _, _, _, length, whole = struct.unpack("<IIIII", body[:20])
            check("whole", length, whole)
            comments.append(options_of(body[20 + (length + 3) // 4 * 4:])[1].decode())
        check("comments", {comment.split(" link=")[0] for comment in comments},
              {"binding=%s stage=%s direction=%s" % (name, stage, way) for name in "ab" for stage in ("before", "after")
               for way in ("out", "in")})
        lost = [struct.unpack("<Q", options_of(body[12:])[5])[0] for kind, body in all_of_it if kind == 5]
        check("lost", lost, [0, 0])
        if shutil.which("tcpdump"):
            read = run("tcpdump", "-e", "-n", "-r", path).stdout.splitlines()
            check("as many, for tcpdump", len(read), len(packets))
            for family in (4, 6):
                check("as tcpdump reads it: %s" % read[:4],
                      any(" Out " in line and " %s." % pool(11, family) in line and
                          " > %s.7000: Flags [S]" % FAR[family] in line for line in read), True)
        else:
            print("without tcpdump")
        if shutil.which("tshark"):
            text = run("tshark", "-r", path, "-T", "fields", "-e", "ip.src", "-e", "ipv6.src", "-e", "frame.interface_name",
                       "-e", "frame.comment", "-e", "frame.p2p_dir").stdout
            rows = [line.split("\t") for line in text.splitlines()]
            check("as many", len(rows), len(packets))
            check("after, as tshark reads it", {row[0] + row[1] for row in rows if row[2] == "after" and
                                                "binding=a " in row[3] and "direction=out" in row[3]},
                  {pool(11, 4), pool(11, 6)})
        else:
            print("without tshark: read by the test alone")
        check("lines", one.text().count("records"), 1)


SEND = """
import os, socket, time
os.setgid(4001); os.setuid(4001)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(21):
    time.sleep(0.15)
    print(time.time())
    s.sendto(b"x", ("203.0.113.77", 9))
"""


@test("times: in the order of records, an answer not before its question, and what goes out not dated late")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        one = Capturing(lab, agent, "a")
        for _ in range(10):
            for family in (4, 6):
                lab.source(FAR[family], uid=4001)
        sent = [float(line) for line in lab.run("sender", "python3", "-c", SEND).stdout.split()]
        records = one.stop()
        times = [record["time"] for record in records]
        check("in order", [pair for pair in zip(times, times[1:]) if pair[0] > pair[1]], [])
        dated = [datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp() for record in records
                 if record["destination"] == "203.0.113.77" and record["stage"] == "before"]
        late = statistics.median(one - other for one, other in zip(dated, sent, strict=True))
        print("what goes out is dated %.1f ms late" % (late * 1000))
        check("dated %.1f ms late" % (late * 1000), 0 < late < 0.03 * PATIENCE, True)


@test("--count and --seconds end a capture; lines for people; what is wrong is said, and nothing is left")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        one = Capturing(lab, agent, "a", "--count", "3", json_lines=False)
        lab.source(FAR[4], uid=4001)
        wait_for("its end", lambda: len(agent.events("capture.ended")) == 1)
        lines = [line for line in one.text().splitlines() if " tcp " in line]
        check("lines: " + one.text(), len(lines), 3)
        check("a line", "out before a eth0 tcp %s:" % HOST[4] in lines[0] and "> %s:7000 SYN seq" % FAR[4] in lines[0], True)
        start = time.monotonic()
        result = agent.ctl("capture", "b", "--seconds", "1")
        check("a second", 0.9 < time.monotonic() - start < 4 and "0 records" in result.stderr, True)
        for words, status, text in ((["nobody"], 5, "no binding 'nobody'"), (["planet", "x"], 2, "expected a binding, or unit"),
                                    (["user", "no-such-user"], 5, "no user"), (["pid", "x"], 2, "expected a number"),
                                    (["source", "x"], 2, "expected an address or a prefix"), (["a", "--count", "0"], 2, "--count"),
                                    (["a", "--seconds", "x"], 2, "--seconds"), (["a", "-w", "/nowhere/x"], 5, "cannot write"),
                                    (["cgroup", "/none"], 5, "no cgroup"), ([], 2, "needs more arguments")):
            result = agent.ctl("capture", *words, ok=False)
            check("%s: %s" % (words, result.stderr), (result.returncode, text in result.stderr), (status, True))
        result = lab.run("sender", "setpriv", "--reuid", "4001", "--clear-groups", BUILD + "/outbindctl", "--runtime-dir",
                         agent.runtime, "capture", "a", ok=False)
        check("not root: " + result.stderr, (result.returncode, "is for root" in result.stderr), (4, True))
        wait_for("nothing left", lambda: tables(lab) == [])
        many = [Capturing(lab, agent, "a") for _ in range(8)]
        result = agent.ctl("capture", "a", ok=False)
        check("a ninth: " + result.stderr, (result.returncode, "as many captures" in result.stderr), (5, True))
        for capture in many:
            lab.end(capture.pid, signal.SIGKILL)
        wait_for("nothing left", lambda: tables(lab) == [])
        check("ended", len(agent.events("capture.ended")), len(agent.events("capture.started")))


@test("a capture leaves the agent's table alone: no heal, and a restarted agent adopts; killed, its capture's table goes")
def _():
    for options in ((), ("--no-owner",)):
        with Lab() as lab:
            agent = lab.agent(CONF, *options)
            stop = lab.stream(FAR[4], 3, uid=4001)
            one = Capturing(lab, agent, "b")
            check("source", lab.source(FAR[4], uid=4002), pool(12, 4))
            one.stop()
            time.sleep(0.3)
            check("heals", agent.json("status")["heals"], 0)
            one = Capturing(lab, agent, "b")
            before = len(tables(lab))
            agent.kill()
            wait_for("the table to go", lambda: tables(lab) == [])
            check("was there", before, 1)
            wait_for("the tool to end", lambda: "the agent ended" in one.text())
            agent.start()
            check("as before", lab.source(FAR[4], uid=4002), pool(12, 4))
            check("streams", stop()["errors"], [])
            one = Capturing(lab, agent, "b")
            one.stop()
            agent.stop()
            replaced = len(agent.events("table.replaced"))
            agent.start()
            check("adopted", len(agent.events("table.replaced")), replaced)


@test("a reader that is too slow is told how many records were lost")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        one = Capturing(lab, agent, "a", "-w", agent.dir + "/slow", json_lines=False)
        os.kill(one.pid, signal.SIGSTOP)
        lab.probe_all([(FAR[4], PORT, "udp")] * 3, uid=4001)
        lab.run("sender", "python3", "-c", """
import os, socket
os.setgid(4001); os.setuid(4001)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
for i in range(3000):
    s.sendto(b"x" * 32000, ("203.0.113.77", 9))
""")
        os.kill(one.pid, signal.SIGCONT)
        sizes = []
        def drained():
            sizes.append(os.stat(agent.dir + "/slow").st_size)
            return len(sizes) > 3 and sizes[-1] > 1 << 20 and len(set(sizes[-4:])) == 1
        wait_for("the reader", drained, 30, step=0.5)
        lab.probe_all([(FAR[4], PORT, "udp")] * 3, uid=4001)
        time.sleep(0.5)
        one.stop()
        lost = [int(line.split(" records were lost")[0].split()[-1]) for line in one.text().splitlines() if "were lost" in line]
        check("told: " + one.text(), len(lost) == 1 and lost[0] > 100, True)
        written = blocks(agent.dir + "/slow")
        told = [struct.unpack("<Q", options_of(body[12:])[5])[0] for kind, body in written if kind == 5]
        check("in the file", sum(told), lost[0])
        check("written or lost", len([1 for kind, _ in written if kind == 6]) + lost[0] >= 6000, True)

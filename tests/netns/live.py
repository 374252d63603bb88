# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that transfer data, and new ones all the time, while something happens to the agent."""

import json
import signal
import time

from lab import FAR, PORT, binding, check, pool, wait_for

CONF = (binding("user", 11) + binding("group", 12) + binding("marked", 13) + binding("unrelated", 14) +
        'policy { user 4001 use user; cgroup "/live.slice" use group; user 4444 use unrelated; }')


class Live:
    """Four clients with 50 connections each, a capture, and the proof at the end."""

    def __init__(self, lab, agent, count=50):
        self.lab, self.count = lab, count
        group = lab.cgroup("/live.slice/app.service")
        wait_for("the cgroup to be bound", lambda: lab.source(FAR[4], cgroup=group) == pool(12, 4), 2)
        time.sleep(0.2)                         # that one's last packets are not of the streams
        self.capture = lab.capture()
        self.clients = [
            (pool(11, 4), lab.stream(FAR[4], count, uid=4001)),
            (pool(11, 6), lab.stream(FAR[6], count, uid=4001)),
            (pool(12, 6), lab.stream(FAR[6], count, cgroup=group)),
            (pool(13, 4), lab.stream(FAR[4], count, mark=agent.mark("marked"))),
        ]
        time.sleep(0.4)

    def survived(self, extra=()):
        time.sleep(0.6)
        for want, stop in self.clients:
            result = stop()
            check(want + ": sources", result["sources"], [want])
            check(want + ": errors", result["errors"], [])
            check(want + ": unfinished, inexact", (result["unfinished"], result["inexact"]), (0, 0))
            check(want + ": data was moving", result["bytes"] > self.count * 512 * 8, True)
        seen = self.capture.sources(proto="tcp", dport=PORT)
        check("sources on the wire", seen, {want for want, _ in self.clients} | set(extra))
        check("resets on the wire", sum(packet.resets for packet in self.capture.select(proto="tcp")), 0)


BEGINNER = """
import json, select, signal, socket, sys, time
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
counts = {"datagrams": 0, "connections": 0, "delayed": 0, "refused": 0, "silent": 0}
port, *hosts = sys.argv[1:]
end = time.monotonic() + 120
while not over and time.monotonic() < end:
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.sendto(b"x", (host, int(port)))
                counts["datagrams"] += 1
            except PermissionError:             # so the kernel tells a sender of a packet that was dropped
                counts["delayed"] += 1
            except OSError:
                counts["refused"] += 1
        with socket.socket(family) as sock:
            sock.settimeout(10)
            try:
                sock.connect((host, int(port)))
                sock.recv(100)
                counts["connections"] += 1
            except socket.timeout:
                counts["silent"] += 1
            except OSError:
                counts["refused"] += 1
    time.sleep(0.01)
print(json.dumps(counts), flush=True)
"""


class Beginner:
    """A user whose datagrams and connections never stop beginning, both families."""

    def __init__(self, lab, uid):
        self.lab, self.log = lab, "%s/beginner-%d" % (lab.dir, uid)
        self.pid = lab.spawn("sender", ["python3", "-c", BEGINNER, PORT, FAR[4], FAR[6]], uid=uid, gid=uid, log=self.log)

    def stop(self):
        """What it counted: datagrams, connections, delayed (datagrams dropped), refused, silent."""
        self.lab.end(self.pid, signal.SIGTERM)
        with open(self.log) as log:
            return json.loads(log.read())

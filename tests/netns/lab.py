# SPDX-License-Identifier: GPL-2.0-or-later
"""The network of a test, and the agent in it.

    guest 10.88.7.2, fd00:88:7::2 ── sender 198.51.100.1, 2001:db8:1::1 ── receiver 198.51.100.254,
    (only with guest=True)           pool .11 .. and ::11 ..               2001:db8:1::fe

The receiver also owns 203.0.113.0/24 and 2001:db8:2::/64 as a whole, behind itself as gateway, so
that "connected" and "far" differ and destinations are many. With uplink=True there is a second
link, eth1, with 192.0.2.1 and .254, 2001:db8:3::1 and ::fe. The sender's own addresses are HOST4
and HOST6: what a receiver sees of a sender that has no binding.
"""

import json
import os
import re
import signal
import socket
import time

import traffic
from place import PATIENCE, Place, Skip, check, wait_for
from wire import Capture

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("OUTBIND_BUILD", os.path.join(ROOT, "build"))
HOST4, HOST6 = "198.51.100.1", "2001:db8:1::1"
NEAR4, NEAR6 = "198.51.100.254", "2001:db8:1::fe"
FAR4, FAR6 = "203.0.113.1", "2001:db8:2::1"
GUEST4, GUEST6 = "10.88.7.2", "fd00:88:7::2"
PORT, PORTS = 7000, (25, 53, 443, 7000, 7001, 8080)
HOST = {4: HOST4, 6: HOST6}
FAR = {4: FAR4, 6: FAR6}
NEAR = {4: NEAR4, 6: NEAR6}


def pool(n, family):
    """Pool address number n (from 11 to 60), as the configuration writes it."""
    return "198.51.100.%d" % n if family == 4 else "2001:db8:1::%d" % n


def binding(name, *numbers, families=(4, 6), more=""):
    addresses = [pool(n, family) for n in numbers for family in families]
    return "binding %s { address %s; %s }\n" % (name, ", ".join(addresses), more)


def call(peer, method, **parameters):
    """One call on a connection to a control socket, and its answer as a dictionary."""
    peer.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
    return answer(peer)


def answer(peer):
    """The first of the answers that have come when the last of them is whole."""
    got = b""
    while not got.endswith(b"\0"):
        piece = peer.recv(65536)
        if not piece:
            raise AssertionError("closed after %r" % got[-200:])
        got += piece
    return json.loads(got.split(b"\0")[0])


class Lab(Place):
    def __init__(self, guest=False, uplink=False, serve=True, pool_size=16):
        super().__init__()
        try:
            self._build(guest, uplink, pool_size)
            self.agents = []
            if serve:
                self.serve("receiver", PORTS)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        complaints = [line for agent in self.agents for line in agent.read_log().splitlines()
                      if "Sanitizer" in line or "runtime error:" in line]
        self.close()
        if complaints and kind is None:
            raise AssertionError("\n".join(complaints[:20]))

    def _build(self, guest, uplink, pool_size):
        for name in ("sender", "receiver") + (("guest",) if guest else ()):
            self.add_namespace(name)
        receiver = self.namespaces["receiver"]
        self.ip("sender", "link add eth0 type veth peer name eth0 netns " + receiver,
                "addr add %s/24 dev eth0" % HOST4, "addr add %s/64 dev eth0 nodad" % HOST6,
                *["addr add %s dev eth0" % pool(n, 4) for n in range(11, 11 + pool_size)],
                *["addr add %s/128 dev eth0 nodad preferred_lft 0" % pool(n, 6)
                  for n in range(11, 11 + pool_size)],
                "link set eth0 up", "route add 203.0.113.0/24 via " + NEAR4,
                "route add 2001:db8:2::/64 via " + NEAR6)
        self.ip("receiver", "addr add %s/24 dev eth0" % NEAR4, "addr add %s/64 dev eth0 nodad" % NEAR6,
                "link set eth0 up", "route add local 203.0.113.0/24 dev lo",
                "route add local 2001:db8:2::/64 dev lo")
        if guest:
            self._build_guest()
        if uplink:
            self.ip("sender", "link add eth1 type veth peer name eth1 netns " + receiver,
                    "addr add 192.0.2.1/24 dev eth1", "addr add 2001:db8:3::1/64 dev eth1 nodad",
                    "addr add 192.0.2.11/32 dev eth1",
                    "addr add 2001:db8:3::11/128 dev eth1 nodad preferred_lft 0", "link set eth1 up",
                    "route add default via 192.0.2.254 dev eth1 table 100",
                    "route add default via 2001:db8:3::fe dev eth1 table 100")
            self.ip("receiver", "addr add 192.0.2.254/24 dev eth1",
                    "addr add 2001:db8:3::fe/64 dev eth1 nodad", "link set eth1 up")
        wait_for("the link to carry packets", self._answers, 5)

    def _build_guest(self):
        guest = self.namespaces["guest"]
        self.ip("sender", "link add guest0 type veth peer name eth0 netns " + guest,
                "addr add 10.88.7.1/24 dev guest0", "addr add fd00:88:7::1/64 dev guest0 nodad",
                "link set guest0 up")
        self.ip("guest", "addr add %s/24 dev eth0" % GUEST4, "addr add 10.88.7.3/24 dev eth0",
                "addr add %s/64 dev eth0 nodad" % GUEST6, "addr add fd00:88:7::3/64 dev eth0 nodad preferred_lft 0",
                "link set eth0 up", "route add default via 10.88.7.1",
                "route add default via fd00:88:7::1")
        self.ip("receiver", "route add 10.88.7.0/24 via " + HOST4,
                "route add fd00:88:7::/64 via " + HOST6)
        with self.inside("sender"):
            self.sysctl("net.ipv4.ip_forward", 1)
            self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def _answers(self):
        return self.run("sender", "ping", "-c1", "-W1", "-n", "-q", NEAR6, ok=False).returncode == 0

    def close(self):
        for agent in getattr(self, "agents", ()):
            agent.forget()
        super().close()

    # --- traffic --------------------------------------------------------------------------------

    def serve(self, namespace, ports, cgroup=None, linger=0.0):
        """Start an echo server there; returns its pid."""
        ready, child = os.pipe()

        def work():
            traffic.enter({"cgroup": cgroup})
            traffic.serve(ports, child, linger)

        pid = self.fork(namespace, work)
        os.close(child)
        check("echo server", os.read(ready, 1), b"x")
        os.close(ready)
        return pid

    def probe_all(self, targets, namespace="sender", timeout=2.0, **who):
        """Results of (to, port, proto[, bind]) tried one after the other by one client."""
        read, write = os.pipe()
        full = [(to, port, proto, timeout * PATIENCE, rest[0] if rest else None)
                for to, port, proto, *rest in targets]
        pid = self.fork(namespace, traffic.probe, write, who, full)
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        self.reap(pid)
        if not text:
            raise AssertionError("the client %s could not even try" % who)
        return json.loads(text)

    def probe(self, to, port=PORT, proto="tcp", bind=None, **options):
        return self.probe_all([(to, port, proto, bind)], **options)[0]

    def source(self, *arguments, **options):
        """What the receiver saw, or the error as "!ECONNREFUSED"."""
        result = self.probe(*arguments, **options)
        return result["source"] or "!" + str(result["error"])

    def stream(self, to, count, port=PORT, namespace="sender", **who):
        """Start `count` busy connections; returns a function that ends them and gives the result."""
        mine, child = socket.socketpair()
        pid = self.fork(namespace, traffic.stream, child, who, to, port, count)
        child.close()
        mine.settimeout(30)
        lines = mine.makefile()
        check("streams", lines.readline(), '"connected"\n')

        def stop():
            mine.sendall(b"x")
            result = json.loads(lines.readline())
            self.reap(pid)
            return result
        return stop

    def capture(self, *arguments, **options):
        return Capture(self, *arguments, **options)

    def nft(self, *arguments, namespace="sender", **options):
        return self.run(namespace, "nft", *arguments, **options).stdout

    def agent(self, conf, *options, start=True, **more):
        agent = Agent(self, conf, *options, **more)
        self.agents.append(agent)
        if start:
            agent.start()
        return agent


class Agent:
    """One outbindd in the sender, with its own directories, and outbindctl speaking to it."""

    count = 0

    def __init__(self, lab, conf, *options, table="outbind", env=None, namespace="sender"):
        Agent.count += 1
        self.lab, self.options, self.table, self.env = lab, list(options), table, env or {}
        self.namespace = namespace
        self.dir = os.path.join(lab.dir, "agent%d" % Agent.count)
        self.runtime, self.state = self.dir + "/run", self.dir + "/state"
        for path in (self.dir, self.runtime, self.state):
            os.mkdir(path)
        os.chmod(self.runtime, 0o755)
        self.conf, self.log = self.dir + "/outbind.conf", self.dir + "/log"
        self.pid = None
        self.program = BUILD + "/outbindd"
        self.write(conf)

    def write(self, conf):
        with open(self.conf, "w") as out:
            out.write(conf)

    def command(self):
        return [self.program, "--config", self.conf, "--runtime-dir", self.runtime,
                "--state-dir", self.state, "--cgroup-root", self.lab.cgroup_root,
                "--table", self.table] + self.options

    def spawn(self, notify=None):
        if not os.access(self.program, os.X_OK):
            raise Skip("no %s: run make first" % self.program)
        env = dict(self.env, **({"NOTIFY_SOCKET": notify} if notify else {}))
        self.pid = self.lab.spawn(self.namespace, self.command(), log=self.log, env=env)

    def start(self, seconds=20):
        """Start and wait for sd_notify's READY=1; fails with the log if the agent ends."""
        path = self.dir + "/notify"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o666)               # an agent may be another user
            notify.settimeout(0.05)
            self.spawn(path)
            end = time.monotonic() + seconds * PATIENCE
            while True:
                try:
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        return self
                except socket.timeout:
                    pass
                if self.ended() or time.monotonic() > end:
                    raise AssertionError("the agent did not get ready: " + self.read_log()[-2000:])

    def ended(self):
        """True once the process has ended (it stays unreaped)."""
        return bool(os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))

    def forget(self):
        self.pid = None

    def kill(self):
        self.lab.end(self.pid, signal.SIGKILL)

    def stop(self):
        """Clean stop; returns the exit status."""
        status = self.lab.end(self.pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(status)

    def hangup(self):
        os.kill(self.pid, signal.SIGHUP)

    def read_log(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as log:
            return log.read()

    def events(self, name):
        """Log lines of one event, oldest first."""
        return [line for line in self.read_log().splitlines()
                if re.search(r"(^|[\s>])%s(\s|$)" % re.escape(name), line)]

    def wait_event(self, name, before=0, seconds=5):
        return wait_for("log event " + name, lambda: self.events(name)[before:], seconds)

    def ctl(self, *words, ok=True, timeout=30, **options):
        return self.lab.run(self.namespace, BUILD + "/outbindctl", "--runtime-dir", self.runtime, *words,
                            ok=ok, timeout=timeout, **options)

    def json(self, *words, **options):
        return json.loads(self.ctl(*words, "--json", **options).stdout)

    def call(self, method, **parameters):
        """One call on a connection of its own; its answer as a dictionary."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(20 * PATIENCE)
            control.connect(self.runtime + "/org.outbind")
            return call(control, method, **parameters)

    def mark(self, name):
        """Number of a binding, as the tool shows it."""
        return self.json("binding", "show", name)["mark"]

    def ruleset(self):
        return self.lab.nft("list", "ruleset", namespace=self.namespace)

# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab with outbind-relay in the sender, beside the agent, and recording destinations in the receiver.

The relay runs as RELAY_UID, a user that exists nowhere, without any capability; bindings made by
mail_binding() allow it. It is started with --runtime-dir and --agent-dir of its own.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import stat
import time

import traffic
from lab import BUILD, FAR, Lab, binding
from place import Skip, check, run, wait_for
from smtp_client import Client, tcp, unix
from smtp_names import Names
from smtp_peer import Receiver

RELAY_UID = 4990
NAME = "mx.relay.example"                       # of the relay
DESTINATION = 2525                              # port of the receiver, where a test names none
RESOLVER = "127.0.0.1:5353"


def mail_binding(name, *numbers, families=(4, 6), more=""):
    """A binding with pool addresses and the EHLO name NAME.out.example, which the relay may use."""
    return binding(name, *numbers, families=families,
                   more="ehlo %s.out.example; allow user %d; %s" % (name, RELAY_UID, more))


def bracketed(address):
    return "[%s]" % address if ":" in address else address


def smarthost(family=4, port=DESTINATION):
    return '"%s:%d"' % (bracketed(FAR[family]), port)


def relay_block(text, **settings):
    """A relay block with settings that tests want, `text` in it."""
    settings = dict({"hostname": NAME, "workers": 1, "resolver": RESOLVER}, **settings)
    lines = ["%s %s;" % (word.replace("_", "-"), value) for word, value in settings.items() if value is not None]
    return "relay {\n\t%s\n%s\n}\n" % ("\n\t".join(lines), text)


class RelayLab(Lab):
    def __init__(self, **options):
        if not os.access(BUILD + "/outbind-relay", os.X_OK):
            raise Skip("no %s/outbind-relay: run make first" % BUILD)
        self.relays, self.closing = [], []
        super().__init__(serve=False, **options)

    def __exit__(self, kind, *rest):
        wrong = []
        if kind is None and os.path.basename(BUILD) == "asan":
            wrong = [relay.conf for relay in self.relays if relay.end_soon() not in (None, 0)]
        logs = "\n".join(relay.read_log() for relay in self.relays)
        complaints = [line for line in logs.splitlines() if "Sanitizer" in line or "runtime error:" in line]
        if kind and not issubclass(kind, Skip):
            print("what the relay said:\n" + "\n".join(line[:300] for line in logs.splitlines()[-8:]))
        super().__exit__(kind, *rest)
        if complaints and kind is None:
            raise AssertionError("\n".join(complaints[:20]))
        check("relays that did not end well", wrong, [])

    def close(self):
        for thing in self.closing:
            thing.close()
        self.closing = []
        super().close()

    def fork(self, short, function, *arguments):
        """As a Place does; but connections of this process end with it, not with the child."""
        def alone():
            nothing = os.open(os.devnull, os.O_RDWR)
            for name in os.listdir("/proc/self/fd"):
                with contextlib.suppress(OSError):
                    if int(name) > 2 and stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                        os.dup2(nothing, int(name))     # closed, and the number stays taken
            function(*arguments)
        return super().fork(short, alone)

    def receiver(self, manners, namespace="receiver"):
        with self.inside(namespace):
            receiver = Receiver(manners)
        self.closing.append(receiver)
        return receiver

    def resolver(self, zone, **options):
        with self.inside("sender"):
            names = Names(zone, **options)
        self.closing.append(names)
        return names

    def relay(self, conf, *options, start=True, agent=None, **more):
        """An agent with that configuration, if there is none yet, and a relay with the same."""
        relay = Relay(self, agent, conf, *options, **more)
        relay.agent = agent or self.agent(relay.expand(conf))
        self.relays.append(relay)
        if start:
            relay.start()
        return relay

    def turned(self, path):
        """A cgroup that an `intercept` names, made if it is not there; waits until its connections are turned."""
        full = self.cgroup(path)
        wait_for("connections of %s to be turned to the relay" % path, lambda: path.strip("/") in self.nft(
            "list", "set", "inet", "outbind", "turned_cgroup"), 5)
        return full

    def refuse(self, *addresses):
        """The receiver resets connections to these IPv4 addresses from now on; none: to no one any more."""
        text = "table inet refuse\ndelete table inet refuse\n"
        if addresses:
            text += "table inet refuse { chain input { type filter hook input priority 0; " \
                    "ip daddr { %s } meta l4proto tcp reject with tcp reset; }; }\n" % ", ".join(addresses)
        self.run("receiver", "nft", "-f", "-", text=text)

    def connect(self, address="127.0.0.1", port=2500, bind=None, namespace="sender"):
        with self.inside(namespace):
            return tcp(address, port, bind)

    def client(self, port=2500, hello=True, address="127.0.0.1", bind=None, **options):
        """A client that has said EHLO, by TCP, or by a Unix socket if `port` is a path."""
        sock = unix(port) if isinstance(port, str) else self.connect(address, port, bind)
        client = Client(sock, **options)
        if hello:
            check("EHLO", client.hello()[0], 250)
        return client

    def as_client(self, work, *arguments, uid=None, cgroup=None):
        """Run work(*arguments) in a child in the sender, as that user in that cgroup; its result by JSON."""
        read, write = os.pipe()

        def child():
            os.close(read)
            traffic.enter({"cgroup": cgroup})
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.write(write, json.dumps(work(*arguments)).encode())

        pid = self.fork("sender", child)
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        self.reap(pid, 60)
        if not text:
            raise AssertionError("the client could not even try")
        return json.loads(text)


class Relay:
    """One outbind-relay, with directories of its own."""

    count = 0

    def __init__(self, place, agent, conf, *options, namespace="sender", uid=RELAY_UID, env=None):
        Relay.count += 1
        self.lab, self.agent, self.options, self.namespace, self.uid = place, agent, list(options), namespace, uid
        self.dir = os.path.join(place.dir, "relay%d" % Relay.count)
        self.runtime = self.dir + "/run"
        self.conf, self.log, self.env, self.pid = self.dir + "/outbind.conf", self.dir + "/log", env or {}, None
        for path in (self.dir, self.runtime):
            os.mkdir(path)
            os.chmod(path, 0o755)
        os.chown(self.runtime, uid, uid)
        self.write(conf)

    def write(self, conf):
        with open(self.conf, "w") as out:
            out.write(self.expand(conf))

    def expand(self, conf):
        """The word RUN in it stands for the runtime directory."""
        return conf.replace('"RUN/', '"%s/' % self.runtime)

    def path(self, name):
        return os.path.join(self.runtime, name)

    def command(self):
        return [BUILD + "/outbind-relay", "--config", self.conf, "--runtime-dir", self.runtime,
                "--agent-dir", self.agent.runtime] + self.options

    def start(self, seconds=20):
        path = self.dir + "/notify"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o777)
            notify.settimeout(0.05)
            self.pid = self.lab.spawn(self.namespace, self.command(), log=self.log, uid=self.uid, gid=self.uid,
                                      env=dict(self.env, NOTIFY_SOCKET=path))
            end = time.monotonic() + seconds
            while True:
                with contextlib.suppress(socket.timeout):
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        return self
                if self.ended() or time.monotonic() > end:
                    raise AssertionError("the relay did not get ready: " + self.read_log()[-3000:])

    def ended(self):
        return bool(os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))

    def kill(self):
        self.lab.end(self.pid, signal.SIGKILL)

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """Clean stop; returns the exit status."""
        return os.waitstatus_to_exitcode(self.lab.end(self.pid, signal.SIGTERM))

    def end_soon(self):
        """The exit status after SIGTERM, and one more if clients still have transactions; None if it is gone."""
        if self.pid not in self.lab.children:
            return None
        for _ in range(2):
            self.signal(signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                wait_for("the relay to end", self.ended, 1)
        return os.waitstatus_to_exitcode(self.lab.reap(self.pid, 20))

    def sessions(self):
        """Clients that there are now."""
        text = self.ctl("relay", "metrics", "--relay-socket", self.path("control")).stdout
        return int(next(line for line in text.splitlines() if line.startswith("outbind_relay_sessions ")).split()[1])

    def reload(self, conf, event="relay.reload", seconds=5):
        """Give it another configuration, and wait until it says so."""
        before = len(self.events(event))
        self.write(conf)
        self.signal(signal.SIGHUP)
        wait_for("log event " + event, lambda: self.events(event)[before:], seconds)

    def read_log(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as log:
            return log.read()

    def events(self, name):
        return [line for line in self.read_log().splitlines() if name in line]

    def memory(self):
        """Resident octets."""
        with open("/proc/%d/statm" % self.pid) as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def ctl(self, *words, **options):
        return self.lab.run(self.namespace, BUILD + "/outbindctl", "--runtime-dir", self.agent.runtime, *words, **options)


def certificate(directory, name="mx.receiver.example"):
    """A certificate that signs itself; paths of (certificate, key)."""
    paths = os.path.join(directory, name + ".pem"), os.path.join(directory, name + ".key")
    if not os.path.exists(paths[0]):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-out", paths[0], "-keyout", paths[1])
        os.chmod(paths[1], 0o644)
    return paths


def seen(message):
    """What the destination saw of who sent it."""
    return message.source, message.helo

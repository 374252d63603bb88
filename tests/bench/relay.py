#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare outbind-relay with other ways to put something between a mail client and a destination.

    tests/bench/relay.py [--rounds N] [--messages N] [--only PEER,...]

Sender and receiver are two network namespaces. smtp-source (Postfix) sends 10 KB messages from the
sender, through the peer or directly, to smtp-sink in the receiver: 1, 10 and 100 sessions at a time, with a
connection for each message and with many messages on each. In each round every peer has its turn, in
random order; a ratio to direct is taken within a round, and the median over the rounds is printed, as machines
are noisy. Beside it the processor time of the peer for a message, in microseconds. The agent runs, and
the relay's messages leave from a binding's address.

Peers that are not there are left out, and said. Programs are taken from build/peers, where
tests/peers.sh unpacks them, or from the system.
"""

import argparse
import glob
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "netns"))

from lab import FAR4                                                 # noqa: E402
from place import Skip, setns, wait_for                              # noqa: E402
from relay_lab import RelayLab, mail_binding, relay_block            # noqa: E402

PEERS = os.path.join(ROOT, "build", "peers")
SINK = 2525
SIZE = 10240
CELLS = [(sessions, many) for many in (False, True) for sessions in (1, 10, 100)]


def find(package, path):
    """A program that was unpacked, or the system's; None if it is not there."""
    unpacked = os.path.join(PEERS, package, path.lstrip("/"))
    return unpacked if os.access(unpacked, os.X_OK) else shutil.which(os.path.basename(path), path="/usr/sbin:/usr/bin")


class Peer:
    """Somebody between source and sink, in a cgroup of its own, whose processor time is read."""

    name, port = "direct", None

    def __init__(self, lab):
        self.lab, self.children = lab, []
        self.cgroup = lab.cgroup("/bench-" + self.name.replace(" ", "-"))
        self.dir = os.path.join(lab.dir, "bench-" + self.name.replace(" ", "-"))
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.start()

    def start(self):
        """Nothing to start."""

    def target(self):
        return "inet:%s:%d" % (("127.0.0.1", self.port) if self.port else (FAR4, SINK))

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def spawn(self, *command, **options):
        return self.lab.spawn("sender", list(command), cgroup=self.cgroup, log=os.path.join(self.dir, "log"), **options)

    def used(self):
        """Microseconds of processor time so far."""
        with open(os.path.join(self.cgroup, "cpu.stat")) as stat:
            return int(stat.readline().split()[1])


class Relay(Peer):
    name, port = "outbind-relay", 2500

    def start(self):
        conf = mail_binding("acme", 11) + relay_block(
            '\tlisten 127.0.0.1:%d;\n\tsmarthost "%s:%d";\n\tsender "bench.example" use acme;\n\totherwise reject;\n'
            "\taccess-log \"/dev/null\";\n" % (self.port, FAR4, SINK), workers=2)
        relay = self.lab.relay(conf)
        for pid in (relay.pid, relay.agent.pid):
            with open(os.path.join(self.cgroup, "cgroup.procs"), "w") as procs:
                procs.write(str(pid))


class Haproxy(Peer):
    name, port = "haproxy tcp", 2501

    def start(self):
        program = find("haproxy", "/usr/sbin/haproxy")
        if not program:
            raise Skip("no haproxy")
        conf = self.write("haproxy.cfg", (
            "global\n\tnbthread 2\n\tmaxconn 5000\ndefaults\n\tmode tcp\n\ttimeout connect 5s\n\ttimeout client 60s\n"
            "\ttimeout server 60s\nlisten smtp\n\tbind 127.0.0.1:%d\n\tserver sink %s:%d\n" % (self.port, FAR4, SINK)))
        self.spawn(program, "-db", "-f", conf)


class Nginx(Peer):
    name, port = "nginx stream", 2502

    def start(self):
        program = find("nginx", "/usr/sbin/nginx")
        modules = glob.glob(PEERS + "/libnginx-mod-stream/usr/lib/nginx/modules/ngx_stream_module.so") + \
            glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
        if not program or not modules:
            raise Skip("no nginx with its stream module")
        conf = self.write("nginx.conf", (
            "load_module %s;\nuser root;\nworker_processes 2;\ndaemon off;\npid %s/pid;\nerror_log stderr;\n"
            "events { worker_connections 4096; }\nstream { server { listen 127.0.0.1:%d; tcp_nodelay on; "
            "proxy_pass %s:%d; } }\n" % (modules[0], self.dir, self.port, FAR4, SINK)))
        self.spawn(program, "-c", conf, "-p", self.dir)


class Postfix(Peer):
    name, port = "postfix proxy_filter", 2503

    def start(self):
        from relay_postfix import Instance
        instance = Instance(self.lab, self.dir, "bench-filter", (
            "127.0.0.1:%d inet n - n - 200 smtpd -o smtpd_proxy_filter=[%s]:%d -o smtpd_client_connection_count_limit=0"
            " -o smtpd_client_connection_rate_limit=0 -o smtpd_recipient_restrictions=permit\n" % (
                self.port, FAR4, SINK)), {"default_process_limit": "200"})
        with open(os.path.join(self.cgroup, "cgroup.procs"), "w") as procs:
            procs.write(str(instance.pid))


class Haraka(Peer):
    name, port = "haraka smtp_proxy", 2504

    def start(self):
        program = os.path.join(PEERS, "Haraka/node_modules/Haraka/bin/haraka")
        if not os.path.exists(program) or not shutil.which("node"):
            raise Skip("no Haraka")
        os.mkdir(os.path.join(self.dir, "config"))
        self.write("config/smtp.ini", "listen=127.0.0.1:%d\nnodes=2\n" % self.port)
        self.write("config/plugins", "rcpt_to.in_host_list\nqueue/smtp_proxy\n")
        self.write("config/host_list", "sink.example\n")
        self.write("config/me", "haraka.example\n")
        self.write("config/loglevel", "ERROR\n")
        self.write("config/smtp_proxy.ini", "host=%s\nport=%d\nmax_connections=200\n" % (FAR4, SINK))
        self.spawn(shutil.which("node"), program, "-c", self.dir)


def listens(lab, port):
    with lab.inside("sender"):
        import socket
        with socket.socket() as sock:
            sock.settimeout(1)
            return sock.connect_ex(("127.0.0.1", port)) == 0


def send(lab, program, peer, sessions, many, messages):
    """Messages a second through @peer, and its microseconds for one; None if not all got through."""
    before = peer.used()
    began = time.monotonic()
    command = [program, "-s", str(sessions), "-m", str(messages), "-l", str(SIZE), "-f", "a@bench.example",
               "-t", "b@sink.example"] + (["-d"] if many else []) + [peer.target()]
    try:
        done = subprocess.run(command, preexec_fn=lambda: setns(lab.path("sender")), capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    took = time.monotonic() - began
    if done.returncode:
        return None
    return messages / took, (peer.used() - before) / messages


def start_peers(lab, only):
    peers = [Peer(lab)]
    for kind in (Relay, Haproxy, Nginx, Postfix, Haraka):
        if only and not any(word in kind.name for word in only):
            continue
        try:
            peer = kind(lab)
            wait_for(kind.name, lambda: listens(lab, peer.port), 20)
            peers.append(peer)
        except (Skip, AssertionError, ImportError) as reason:
            print("left out: %s: %s" % (kind.name, str(reason).splitlines()[0]))
    return peers


def measure(lab, program, peers, options):
    """figures[peer][cell]: list of (messages a second, microseconds, ratio)."""
    figures = {peer.name: {cell: [] for cell in CELLS} for peer in peers}
    for peer in peers:
        send(lab, program, peer, 10, True, 100)
    for turn in range(options.rounds):
        for cell in CELLS:
            results = {}
            for peer in random.sample(peers, len(peers)):
                results[peer.name] = send(lab, program, peer, *cell, options.messages)
            direct = results["direct"]
            for name, result in results.items():
                if result and direct:
                    figures[name][cell].append(result + (result[0] / direct[0],))
        print("round %d of %d" % (turn + 1, options.rounds), file=sys.stderr, flush=True)
    return figures


def median(rows, column):
    return statistics.median(row[column] for row in rows) if rows else float("nan")


def show(figures):
    print("\nmessages/s, ratio to direct (least to most), microseconds of the peer for a message")
    print("%-22s" % "" + "".join("%-28s" % ("s=%d%s" % (sessions, " -d" if many else "")) for sessions, many in CELLS))
    for name, cells in figures.items():
        line = "%-22s" % name
        for cell in CELLS:
            rows = cells[cell]
            ratios = [row[2] for row in rows]
            line += "%-28s" % ("%5.0f  %.2f (%.2f-%.2f) %4.0f us" % (
                median(rows, 0), median(rows, 2), min(ratios), max(ratios), median(rows, 1)) if rows else "failed")
        print(line)


def judge(figures):
    """The targets, each with what was found. Not a test: a figure to read."""
    ours = figures.get("outbind-relay")
    if not ours:
        return
    print()
    for peer, factor, cells, words in (
            ("haproxy tcp", 0.9, [cell for cell in CELLS if cell[1]], "many a connection, to haproxy >= 0.9"),
            ("haproxy tcp", 1.0, [cell for cell in CELLS if not cell[1]], "one a connection, to haproxy > 1"),
            ("postfix proxy_filter", 2.0, CELLS, "to Postfix's proxy filter >= 2"),
            ("direct", 0.4, CELLS, "to direct >= 0.4")):
        if peer not in figures:
            continue
        for cell in cells:
            ratio = median(ours[cell], 0) / median(figures[peer][cell], 0)
            print("%-40s s=%-4d%-3s %.2f  %s" % (words, cell[0], "-d" if cell[1] else "", ratio,
                                              "reached" if ratio >= factor else "NOT reached"))
    for cell in CELLS:
        if cell[1]:
            used = median(ours[cell], 1)
            print("%-40s s=%-4d-d  %.0f us %s" % ("processor time of a message <= 110 us", cell[0], used,
                                               "reached" if used <= 110 else "NOT reached"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="words of peers' names")
    options = parser.parse_args()
    source, sink = find("postfix", "/usr/sbin/smtp-source"), find("postfix", "/usr/sbin/smtp-sink")
    if not source or not sink:
        print("bench-relay: no smtp-source and smtp-sink (package postfix)")
        return 1
    with RelayLab() as lab:
        lab.spawn("receiver", [sink, "-C", "-u", "nobody", "inet:%s:%d" % (FAR4, SINK), "1000"],
                  log=os.path.join(lab.dir, "sink"))
        peers = start_peers(lab, options.only)
        figures = measure(lab, source, peers, options)
    show(figures)
    judge(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

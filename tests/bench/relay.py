#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure outbind-relay against no relay, TCP proxies, and other SMTP proxies that hold no message.

smtp-source --> peer --> smtp-sink, messages of 10 KB, 1, 10 and 100 sessions at once; one message a
connection, and many ("-d"). The peers are: direct (none), outbind, haproxy in TCP mode, nginx stream,
Postfix's smtpd_proxy_filter, Haraka's smtp_proxy. All but outbind run in a namespace without an agent,
without nftables and conntrack, so outbind's figures are with its whole cost and theirs without; with
--together they run beside it.

Machines are noisy: within a round every peer is measured once, in random order, and what is told is the
median over the rounds of the ratio to "direct" in the same round. CPU is that of the peer's cgroup.
What cannot be had is left out and said. Needs root.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "netns"))
sys.dont_write_bytecode = True

from lab import HOST4, Lab                      # noqa: E402
from mail_programs import PEERS, Postfix, peer  # noqa: E402
from place import Skip, wait_for                # noqa: E402
from relay_lab import RelayLab, mail_binding, relay_block   # noqa: E402
from smtp_client import tcp                     # noqa: E402

SINK, FRONT = 2525, 2500
SIZES = {(1, False): 300, (1, True): 1000, (10, False): 2000, (10, True): 5000, (100, False): 2000, (100, True): 5000}
WARM = 100


class Peer:
    """A peer with the namespace it lives in. start() starts it, in a cgroup of its own."""

    def __init__(self, name, lab):
        self.name, self.lab, self.port = name, lab, FRONT
        self.cgroup = lab.cgroup("/bench/" + name)
        self.log = os.path.join(lab.dir, name + ".log")

    def spawn(self, *command, env=None):
        self.lab.spawn("sender", command, cgroup=self.cgroup, log=self.log, env=env)

    def write(self, name, text):
        path = os.path.join(self.lab.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
        return path

    def start(self):
        self.port = SINK                        # direct

    def answers(self):
        try:
            with self.lab.inside("sender"):
                sock = tcp(self.address(), self.port, timeout=2)
            with sock:
                return sock.recv(100).startswith(b"220")
        except OSError:
            return False

    def address(self):
        return HOST4 if self.port == SINK else "127.0.0.1"

    def cpu(self):
        """Microseconds so far."""
        with open(self.cgroup + "/cpu.stat") as stat:
            return next(int(line.split()[1]) for line in stat if line.startswith("usage_usec"))


class Haproxy(Peer):
    def start(self):
        self.port = FRONT + 1
        conf = self.write("haproxy.cfg", "global\n nbthread 2\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n"
                          " timeout server 60s\nlisten l\n bind 127.0.0.1:%d\n server s %s:%d\n" % (self.port, HOST4, SINK))
        self.spawn(peer("haproxy", "usr/sbin/haproxy"), "-db", "-f", conf)


class Nginx(Peer):
    def start(self):
        self.port = FRONT + 2
        module = peer("libnginx-mod-stream", "usr/lib/nginx/modules/ngx_stream_module.so")
        conf = self.write("nginx/nginx.conf", "load_module %s;\ndaemon off;\nworker_processes 2;\npid %s/nginx/pid;\nuser root;\n"
                          "events { worker_connections 4000; }\nstream { server { listen 127.0.0.1:%d; proxy_pass %s:%d; } }\n"
                          % (module, self.lab.dir, self.port, HOST4, SINK))
        self.spawn(peer("nginx", "usr/sbin/nginx"), "-p", self.lab.dir + "/nginx", "-e", "stderr", "-c", conf)


class ProxyFilter(Peer):
    def start(self):
        self.port = FRONT + 3
        Postfix(self.lab, "smtpd_proxy_filter = %s:%d\nsmtpd_client_connection_count_limit = 0\ndefault_process_limit = 200\n"
                "smtpd_authorized_xforward_hosts =\nsmtpd_peername_lookup = no\n" % (HOST4, SINK), port=self.port,
                cgroup="/bench/" + self.name)


class Haraka(Peer):
    def start(self):
        self.port = FRONT + 4
        program = peer("Haraka", "node_modules/Haraka/bin/haraka")
        if not shutil.which("node"):
            raise Skip("no node")
        where = os.path.join(self.lab.dir, "haraka")
        shutil.copytree(peer("Haraka", "node_modules/Haraka/config"), where + "/config")
        self.write("haraka/config/smtp.ini", "listen=127.0.0.1:%d\nnodes=2\n" % self.port)
        self.write("haraka/config/plugins", "accept\nqueue/smtp_proxy\n")
        self.write("haraka/config/smtp_proxy.ini", "host=%s\nport=%d\n" % (HOST4, SINK))
        self.write("haraka/config/loglevel", "ERROR\n")
        self.write("haraka/plugins/accept.js", "exports.hook_rcpt = (next) => next(OK);\n")
        self.spawn("node", program, "-c", where)


def scheduling():
    """The scheduling policy that the unit gives the relay."""
    with open(os.path.join(os.path.dirname(os.path.dirname(HERE)), "systemd", "outbind-relay.service")) as unit:
        words = [line.strip().split("=")[1] for line in unit if line.startswith("CPUSchedulingPolicy=")]
    return {"batch": os.SCHED_BATCH}[words[0]] if words else os.SCHED_OTHER


class Outbind(Peer):
    def start(self):
        conf = mail_binding("acme", 11) + relay_block(
            'listen 127.0.0.1:%d;\notherwise use acme smarthost "%s:%d";\n' % (FRONT, HOST4, SINK), workers=2,
            access_log='"RUN/access.log"')
        self.relay = self.lab.relay(conf, start=False)
        self.relay.start()
        for thread in os.listdir("/proc/%d/task" % self.relay.pid):
            os.sched_setscheduler(int(thread), scheduling(), os.sched_param(0))
        os.makedirs(self.cgroup, exist_ok=True)
        with open(self.cgroup + "/cgroup.procs", "w") as procs:
            procs.write(str(self.relay.pid))


KINDS = {"direct": Peer, "outbind": Outbind, "haproxy": Haproxy, "nginx-stream": Nginx, "postfix-proxy-filter": ProxyFilter,
         "haraka": Haraka}


def start_sink(lab):
    sink = peer("postfix", "usr/sbin/smtp-sink")
    lab.spawn("sender", [sink, "-u", "nobody", "-C", "-F", "%s:%d" % (HOST4, SINK), "1000"], log=lab.dir + "/sink.log",
              env={"LD_LIBRARY_PATH": os.path.join(PEERS, "postfix/usr/lib/postfix")})


def send(one, sessions, many, count):
    """Send so many messages; returns (messages a second, CPU microseconds a message)."""
    words = [peer("postfix", "usr/sbin/smtp-source"), "-s", sessions, "-m", count, "-l", 10240, "-f", "a@acme.example",
             "-t", "b@destination.example"] + (["-d"] if many else []) + ["%s:%d" % (one.address(), one.port)]
    before, began = one.cpu(), time.monotonic()
    one.lab.run("sender", *words, timeout=120, env=dict(os.environ, LD_LIBRARY_PATH=os.path.join(PEERS, "postfix/usr/lib/postfix")))
    return count / (time.monotonic() - began), (one.cpu() - before) / count


def start_all(names, labs):
    """Those that could be started."""
    peers = []
    for name in names:
        one = KINDS[name](name, labs[name if name in labs else "plain"])
        try:
            one.start()
            wait_for("%s to answer" % name, one.answers, 20)
            peers.append(one)
        except (Skip, AssertionError) as why:
            print("%-22s left out: %s" % (name, " ".join(str(why).split())[:200]))
    return peers


def measure(peers, options):
    """{(peer, sessions, many): [(rate, ratio to direct, CPU)]}"""
    results = {}
    for number in range(-1, options.rounds):
        for (sessions, many), count in SIZES.items():
            if options.sessions and sessions not in options.sessions:
                continue
            rates, order = {}, list(peers)
            random.shuffle(order)
            for one in order:
                messages = WARM if number < 0 else max(sessions, int(count * options.scale))
                rates[one.name] = send(one, sessions, many, messages)
            if number < 0:
                continue
            for one in peers:
                rate, cpu = rates[one.name]
                results.setdefault((one.name, sessions, many), []).append((rate, rate / rates["direct"][0], cpu))
    return results


def median(results, key, column):
    return statistics.median(row[column] for row in results[key])


def paired(results, name, other, cell):
    """Median over the rounds of the ratio of two peers' rates within a round."""
    if (name,) + cell not in results or (other,) + cell not in results:
        return None
    return statistics.median(a[0] / b[0] for a, b in zip(results[(name,) + cell], results[(other,) + cell]))


def show(results, peers):
    cells = sorted({key[1:] for key in results})
    print("\nmessages a second, median ratio to direct (lowest-highest), CPU microseconds a message")
    for cell in cells:
        print("\n%d session%s, %s" % (cell[0], "s" if cell[0] > 1 else "", "many a connection" if cell[1] else "one a connection"))
        for one in peers:
            key = (one.name,) + cell
            ratios = [row[1] for row in results[key]]
            print("  %-22s %7.0f /s  %.2f (%.2f-%.2f)  %5.0f us" % (one.name, median(results, key, 0), median(results, key, 1),
                                                                  min(ratios), max(ratios), median(results, key, 2)))
    return cells


def targets(results, cells):
    """Lines of what was to be reached; True if all of it was."""
    rows = []
    for cell in cells:
        where = "%d session%s, %s" % (cell[0], "s" if cell[0] > 1 else "", "many" if cell[1] else "one")
        to_direct, cpu = median(results, ("outbind",) + cell, 1), median(results, ("outbind",) + cell, 2)
        to_haproxy, to_filter = (paired(results, "outbind", other, cell) for other in ("haproxy", "postfix-proxy-filter"))
        rows.append((where, "of direct", to_direct, to_direct >= 0.4, ">= 0.4"))
        if cell[1] and cell[0] > 1:
            rows.append((where, "CPU us a message", cpu, cpu <= 110, "<= 110"))
        if to_haproxy is not None:
            least = 0.9 if cell[1] else 1.0
            rows.append((where, "of haproxy", to_haproxy, to_haproxy >= least, ">= %.1f" % least))
            ours, theirs = (median(results, (name,) + cell, 2) for name in ("outbind", "haproxy"))
            rows.append((where, "CPU of haproxy's", ours / theirs, ours <= 1.4 * theirs, "<= 1.4"))
        if to_filter is not None:
            rows.append((where, "of Postfix's filter", to_filter, to_filter >= 2, ">= 2"))
    print("\ntargets")
    for where, what, value, good, want in rows:
        print("  %-20s %-22s %8.2f  %-7s %s" % (where, what, value, want, "reached" if good else "NOT REACHED"))
    return all(row[3] for row in rows)


def main():
    parser = argparse.ArgumentParser(description="Compare outbind-relay with other ways through.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of messages")
    parser.add_argument("--sessions", type=int, action="append", help="1, 10 or 100; may be repeated")
    parser.add_argument("--only", action="append", choices=sorted(KINDS), help="this peer and direct; may be repeated")
    parser.add_argument("--together", action="store_true", help="all of them beside the agent")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = [name for name in KINDS if not options.only or name in options.only or name == "direct"]
    try:
        with Lab(serve=False) as plain, RelayLab() as ours:
            labs = {"plain": ours if options.together else plain, "outbind": ours}
            for lab in {id(lab): lab for lab in labs.values()}.values():
                start_sink(lab)
            peers = start_all(names, labs)
            results = measure(peers, options)
            cells = show(results, peers)
            good = targets(results, cells) if any(one.name == "outbind" for one in peers) else True
    except Skip as why:
        print("cannot measure here: %s" % why)
        return 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random changes, faults and kills, and after each what must be so however the agent got there.

    tests/netns/test_chaos.py [--build DIR] [--steps N] SEED...

runs other seeds, or longer ones, than tests/run does. A failure names seed and step, and prints the
steps that led there.
"""

import argparse
import contextlib
import ctypes
import difflib
import json
import os
import random
import shutil
import socket
import time

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Random changes at run time.")
    parser.add_argument("--build")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("seed", type=int, nargs="+")
    options = parser.parse_args()
    if options.build:
        os.environ["OUTBIND_BUILD"] = os.path.abspath(options.build)

from cases import test
from lab import Agent, check
from place import CLONE_NEWNS, Place, libc, run
from test_runtime import call

NAMES = ["a", "b", "c", "d", "e", "f", "default"]
GROUPS = ["pool", "spare"]
USERS = list(range(4001, 4009))
LINKS = {"eth0": ("198.51.100", "2001:db8:1"), "eth1": ("192.0.2", "2001:db8:3")}
MS_REC, MS_PRIVATE = 16384, 1 << 18
REFUSALS = ("ConfigurationInvalid", "NotPossible", "NotFound", "BindingNotFound", "BindingInUse", "Busy",
            "KernelRefused", "InvalidParameter")
ROOM = 512 * 1024                               # of the state directory


def differences(one, other):
    return "\n".join(list(difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=1))[:40])


def own_mounts():
    """What is mounted from here on goes with this process."""
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "unshare")


class Hosts(Place):
    """Two hosts that are the same, and nobody else."""

    def __init__(self):
        super().__init__()
        self.agents = []
        for name in ("first", "twin"):
            self.add_namespace(name)
            self.add_namespace("beyond-" + name)
            for link, (v4, v6) in LINKS.items():
                self.ip(name, "link add %s type veth peer name %s netns %s" % (
                            link, link, self.namespaces["beyond-" + name]), "link set %s up" % link,
                        "addr add %s.1/24 dev %s" % (v4, link), "addr add %s::1/64 dev %s nodad" % (v6, link))
                self.ip("beyond-" + name, "link set %s up" % link, "addr add %s.254/24 dev %s" % (v4, link),
                        "addr add %s::fe/64 dev %s nodad" % (v6, link))
                self.ip(name, *["addr add %s.%d/32 dev %s" % (v4, n, link) for n in range(11, 17)],
                        *["addr add %s::%d/128 dev %s nodad preferred_lft 0" % (v6, n, link)
                          for n in range(11, 17)])
            self.ip(name, "route add default via 198.51.100.254", "route add default via 2001:db8:1::fe")

    def both(self, *lines):
        for name in ("first", "twin"):
            with contextlib.suppress(AssertionError):
                self.ip(name, *lines)

    def copy_addresses(self):
        """The twin has what the first has, added by hand or by its agent."""
        for link in LINKS:
            shown = json.loads(self.run("first", "ip", "-j", "addr", "show", "dev", link).stdout)[0]
            wanted = {(one["local"], one["prefixlen"], one["scope"]): one for one in shown["addr_info"]}
            shown = json.loads(self.run("twin", "ip", "-j", "addr", "show", "dev", link).stdout)[0]
            there = {(one["local"], one["prefixlen"], one["scope"]) for one in shown["addr_info"]}
            lines = ["addr del %s/%d dev %s" % (local, bits, link) for local, bits, scope in there - set(wanted)
                     if not local.startswith("fe80")]
            for local, bits, scope in sorted(set(wanted) - there):
                if not local.startswith("fe80"):
                    lines.append("addr add %s/%d dev %s scope %s%s" % (
                        local, bits, link, scope, " nodad preferred_lft 0" if ":" in local else ""))
            if lines:
                self.ip("twin", *lines)


class Words:
    """Random text of the configuration language."""

    def __init__(self, random, uplinks):
        self.random, self.uplinks, self.there = random, uplinks, []

    def name(self):
        return self.random.choice(NAMES)

    def live(self, among=NAMES):
        """Mostly one that there is."""
        there = [name for name in self.there if name in among]
        return self.random.choice(there if there and self.random.random() < 0.95 else among)

    def target(self):
        return self.live(NAMES + GROUPS)

    def addresses(self, name=None):
        """Mostly of those that only this binding has; some are on no interface."""
        found = set()
        n = 11 + NAMES.index(name or self.name())
        if self.random.random() < 0.05:
            n = self.random.randint(11, 18)
        v4, v6 = self.random.choice(list(LINKS.values()))
        found = {self.random.choice(("%s.%d", "%s.1%d", "%s::%d")) for _ in range(self.random.randint(1, 3))}
        return "address %s;" % ", ".join(one % (v6 if ":" in one else v4, n) for one in sorted(found))

    def limit(self):
        return self.random.choice(("limit connections %d;", "limit connections %d per destination;",
                                   "limit new %d/second burst 7;", "limit new %d/hour per destination;")
                                  ) % self.random.randint(1, 90)

    def settings(self, name=None):
        r = self.random
        found = [self.addresses(name)] if r.random() < 0.93 else []
        for chance, make in ((0.10, lambda: "interface %s;" % r.choice(("eth0", "eth1", "eth1", "nolink"))),
                             (0.12, lambda: "uplink %s;" % self.live(("one", "two"))),
                             (0.12, lambda: "unusable %s;" % r.choice(("reject", "default", "use " + self.live()))),
                             (0.2, self.limit),
                             (0.1, lambda: "overflow %s;" % self.target()),
                             (0.12, lambda: "warmup { day 1 %d; day 2 9; }" % r.randint(1, 8)),
                             (0.05, lambda: "probe icmp 203.0.113.9 every 100ms;"),
                             (0.1, lambda: "ehlo x%d.example;" % r.randint(1, 3)),
                             (0.1, lambda: "allow user %d;" % r.choice(USERS))):
            text = make()
            if r.random() < chance and (self.uplinks or "uplink" not in text):
                found.append(text)
        if r.random() < 0.05:
            found = ["address 2001:db8:%d::/64 routed;" % r.randint(70, 73)]
        return " ".join(found)

    def group(self):
        members = {self.live() for _ in range(self.random.randint(1, 4))}
        text = "".join("member %s weight %d; " % (name, self.random.randint(1, 9))
                       for name in sorted(members))
        if self.random.random() < 0.5:
            text += "pick %s; " % self.random.choice(("sticky-destination", "sticky-client", "round-robin", "random"))
        if self.random.random() < 0.3:
            text += self.limit()
        return "group %s { %s }" % (self.random.choice(GROUPS), text)

    def client(self):
        r = self.random
        who = r.choice(("user %d" % r.choice(USERS), "user 4000-4010", "group 50", "source 10.9.0.0/16",
                        "otherwise port 25", "user %d to 203.0.113.0/%d" % (r.choice(USERS), r.choice((24, 28))),
                        "user %d port 25" % r.choice(USERS)))
        return who

    def rule(self):
        return "policy { %s %s; }" % (self.client(), self.random.choice(
            ["use " + self.target()] * 4 + ["pass", "reject"]))

    def uplink(self):
        return self.random.choice(("uplink one { interface eth1; gateway 192.0.2.254; table 101; }",
                                   "uplink two { interface eth0; table 102; }",
                                   "uplink two { interface eth1; gateway 2001:db8:3::fe; }"))

    def binding(self):
        name = self.name()
        return "binding %s { %s }" % (name, self.settings(name))

    def statement(self):
        r = self.random
        return r.choices((
            self.binding, self.group, self.rule, self.uplink,
            lambda: "bypass { 10.%d.0.0/16; }" % r.randint(0, 3),
            lambda: "default-binding %s;" % r.choice(("normal", "suspended", "reject")),
            lambda: "remove binding %s;" % self.live(), lambda: "remove group %s;" % self.live(GROUPS),
            lambda: "remove policy { %s; }" % self.client(), lambda: "remove default-binding;",
            lambda: "remove bypass { 10.%d.0.0/16; }" % r.randint(0, 3),
            lambda: "remove uplink %s;" % self.live(("one", "two")),
            lambda: "suspend %s;" % self.live(), lambda: "resume %s;" % self.live(),
            lambda: "binding \"\xe4\xf6 %s { address 1; }" % self.name()),
            (30, 8, 20, 5, 4, 3, 12, 3, 8, 2, 2, 3, 5, 4, 1))[0]()

    def text(self, most=4):
        return "\n".join(self.statement() for _ in range(self.random.randint(1, most)))

    def file(self):
        """Configuration that has fair chances to be valid."""
        text = "include \"conf.d/*.conf\";\n"
        for name in self.random.sample(NAMES, self.random.randint(3, len(NAMES))):
            text += "binding %s { %s }\n" % (name, self.addresses(name))
        if self.uplinks and self.random.random() < 0.7:
            text += self.uplink() + "\n"
        if self.random.random() < 0.3:
            text += self.statement() + "\n"
        return text

    def change_of_setting(self, name):
        return self.random.choice((lambda: self.settings(name), self.limit, lambda: self.addresses(name), lambda: "remove limit;",
                                   lambda: "remove %s;" % self.random.choice(
                                       ("ehlo", "uplink", "interface", "overflow", "warmup", "unusable", "probe",
                                        "limit connections", "limit new", "allow user"))))()


class Chaos:
    def __init__(self, seed, hosts):
        self.random, self.seed, self.hosts = random.Random(seed), seed, hosts
        self.words = Words(self.random, seed % 2 == 1)
        self.story, self.full, self.unnoted, self.marks = [], False, False, {}
        self.agent = Agent(hosts, "", namespace="first")
        self.twin = Agent(hosts, "", namespace="twin")
        hosts.agents += [self.agent, self.twin]
        for agent in (self.agent, self.twin):
            os.mkdir(agent.dir + "/conf.d")
        self.agent.write("include \"conf.d/*.conf\";\nbinding a { address 198.51.100.11; }\n")
        run("mount", "-t", "tmpfs", "-o", "size=%d" % ROOM, "none", self.agent.state)
        self.agent.start()
        self.look()

    # --- what is looked at ----------------------------------------------------------------------

    def files(self):
        with open(self.agent.conf) as conf:
            found = [conf.read()]
        more = self.agent.dir + "/conf.d/runtime.conf"
        if os.path.exists(more):
            with open(more) as conf:
                found.append(conf.read())
        return found

    def call(self, method, seconds=20, **parameters):
        """(error, answer, seconds); errors are those of a refusal."""
        begun = time.monotonic()
        error, answer = call(self.agent, method, **parameters)
        took = time.monotonic() - begun
        if error and error.rsplit(".", 1)[1] not in REFUSALS:
            raise AssertionError("%s: %s %s" % (method, error, answer))
        if took > seconds:
            raise AssertionError("%s took %.1f s" % (method, took))
        return error, answer

    def render(self, agent=None):
        return (agent or self.agent).ctl("render").stdout

    def runtime(self):
        try:
            with open(self.agent.state + "/runtime.conf") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def probed(self):
        """What probes said is not kept over a restart."""
        return "probe" in "".join(self.files()) + self.runtime()

    def look(self):
        begun = time.monotonic()
        check("GetStatus", call(self.agent, "GetStatus")[0], None)
        took = time.monotonic() - begun
        if took > 1:
            raise AssertionError("the agent answered after %.1f s" % took)
        bindings = self.agent.json("binding", "list")["bindings"]
        marks = {one["name"]: one["mark"] for one in bindings if one.get("mark")}
        for name, mark in self.marks.items():
            if marks.get(name, mark) != mark:
                raise AssertionError("mark of %s: %s, was %s" % (name, marks[name], mark))
        if len(set(marks.values())) != len(marks):
            raise AssertionError("two bindings with one mark: %s" % marks)
        self.marks = marks
        self.words.there = [one["name"] for one in bindings] + [
            name for name in ("one", "two") if "uplink %s " % name in "".join(self.files()) + self.runtime()]

    def explain(self):
        for _ in range(3):
            who = {"user": str(self.random.choice(USERS + [4010, 77]))}
            if self.random.random() < 0.2:
                who = {"source": "10.9.0.7"}
            to = self.random.choice(("203.0.113.1", "203.0.113.200", "10.1.2.3")
                                    if "source" in who else
                                    ("203.0.113.1", "203.0.113.200", "2001:db8:2::1", "10.1.2.3"))
            error, answer = self.call("Explain", to=to, port=self.random.choice((25, 443)), **who)
            if error or not answer["agree"]:
                raise AssertionError("explain %s to %s: %s" % (who, to, json.dumps(answer)))

    def compare(self):
        """A fresh agent with the same files, in the same place, makes the same of them. What connections
        by uplinks needed once goes with a restart if there are none, so there is one first."""
        if self.words.uplinks:
            self.agent.kill()
            self.empty()
            self.agent.start()
            self.settle()
        shutil.rmtree(self.twin.state)
        shutil.copytree(self.agent.state, self.twin.state, ignore=lambda _, names: [
            name for name in names if name in ("filler", "lock") or name.endswith(".new")])
        shutil.rmtree(self.twin.dir + "/conf.d")
        shutil.copytree(self.agent.dir + "/conf.d", self.twin.dir + "/conf.d")
        shutil.copy(self.agent.conf, self.twin.conf)
        self.hosts.copy_addresses()
        self.twin.start()
        try:
            same = False
            end = time.monotonic() + 4
            while not same and time.monotonic() < end:
                mine, other = self.render(), self.render(self.twin)
                same = mine == other
                if not same:
                    time.sleep(0.1)
            if not same:
                raise AssertionError("a fresh agent renders otherwise:\n%s\nits log:\n%s" % (
                    differences(mine, other), self.twin.read_log()[-1500:]))
        finally:
            self.twin.stop()
            self.hosts.run("twin", "nft", "flush", "ruleset")
            for family in ("-4", "-6"):
                for line in self.hosts.run("twin", "ip", family, "rule").stdout.splitlines():
                    if "fwmark" in line:
                        self.hosts.run("twin", "ip", family, "rule", "del", "pref", line.split(":")[0], ok=False)
                self.hosts.run("twin", "ip", family, "route", "flush", "table", "101", ok=False)
                self.hosts.run("twin", "ip", family, "route", "flush", "table", "102", ok=False)

    def memory(self):
        with open("/proc/%d/statm" % self.agent.pid) as statm:
            return int(statm.read().split()[1]) * 4096

    # --- what is done ---------------------------------------------------------------------------

    def asked(self, method, **parameters):
        """A change; one that is refused changes nothing."""
        self.story[-1] += " %s %s" % (method, json.dumps(parameters))
        before, kept, noticed = self.render(), self.runtime(), len(self.agent.events("facts.applied"))
        error, answer = self.call(method, **parameters)
        self.story[-1] += " -> %s" % (error or "done")
        if error:
            self.story[-1] += " " + json.dumps(answer)[:300]
        if (error or parameters.get("dry_run")) and len(self.agent.events("facts.applied")) == noticed:
            after = self.render()
            if after != before and len(self.agent.events("facts.applied")) == noticed:
                raise AssertionError("a refused change changed the ruleset:\n" + differences(before, after))
            check("runtime.conf after a refusal", self.runtime(), kept)
        return error, answer

    def change(self):
        more = {}
        if self.random.random() < 0.2:
            more["dry_run"] = True
        if self.random.random() < 0.06:
            more["whole"] = True
        self.asked("Change", text=self.words.text(1 if self.random.random() < 0.5 else 5), **more)

    def set_binding(self):
        more, name = {"dry_run": True} if self.random.random() < 0.2 else {}, self.words.live()
        self.asked("SetBinding", name=name,
                   settings=self.words.change_of_setting(name), **more)

    def suspend(self):
        self.asked(self.random.choice(("SuspendBinding", "ResumeBinding")), name=self.words.target())

    def remove(self):
        more = self.random.choice(({}, {"kill": True}, {"drain": True, "timeout": 1}, {"drain": True}))
        if self.random.random() < 0.5:
            more = dict(more, reassign=self.words.target())
        if "drain" in more or "kill" in more:
            self.story[-1] += " RemoveBinding %s" % more
            self.call("RemoveBinding", name=self.words.target(), **more)
        else:
            self.asked("RemoveBinding", name=self.words.target(), **more)

    def warmup(self):
        self.asked(self.random.choice(("StartWarmup", "PauseWarmup", "ResumeWarmup")), name=self.words.live())

    def reload(self):
        old = self.files()[0]
        self.agent.write(self.words.file())
        self.story[-1] += " file: " + self.files()[0].replace("\n", " ")
        error, _ = self.asked("Reload")
        if error:
            self.agent.write(old)
        self.call("Reload")

    def save(self):
        result = self.agent.ctl("save", ok=False)
        self.story[-1] += " -> %d %s" % (result.returncode, (result.stderr or "")[:300])

    def addresses(self):
        link, (v4, v6) = self.random.choice(list(LINKS.items()))
        n = self.random.randint(11, 17)
        what = self.random.choice(("addr del {v4}.{n}/32 dev {l}", "addr add {v4}.{n}/32 dev {l}",
                                   "addr del {v6}::{n}/128 dev {l}",
                                   "addr add {v6}::{n}/128 dev {l} nodad preferred_lft 0")
                                  ).format(v4=v4, v6=v6, n=n, l=link)
        self.story[-1] += " " + what
        self.hosts.both(what)
        time.sleep(0.05)

    def send(self):
        """Live connections, so that numbers are carried and addresses are needed."""
        user, to = self.random.choice(USERS), self.random.choice(("203.0.113.1", "203.0.113.200"))

        def work():
            os.setgid(self.random.choice((50, 60)))
            os.setuid(user)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, contextlib.suppress(OSError):
                client.sendto(b"x", (to, 25))
                client.sendto(b"x", (to, 443))
        self.hosts.reap(self.hosts.fork("first", work))

    def kill(self):
        self.settle()
        old = len(self.agent.events("table.written")), len(self.agent.events("facts.applied"))
        how = self.random.choice((self.agent.kill, self.agent.stop))
        how()
        self.story[-1] += " by " + how.__name__
        self.empty()
        self.agent.start()
        unnoted, self.unnoted = self.unnoted, False
        for line in self.agent.events("table.written")[old[0]:]:
            if not self.probed() and not self.words.uplinks and not (unnoted and "not-watched" in line):
                raise AssertionError("not adopted: " + line)

    def cut(self):
        """Killed in the middle of a change."""
        text = self.words.text()
        self.story[-1] += " in %r" % text
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(self.agent.runtime + "/org.outbind")
            control.sendall(json.dumps({"method": "org.outbind.Change", "parameters": {
                "text": text, "name": "cut"}}).encode() + b"\0")
            time.sleep(self.random.random() * 0.004)
            self.agent.kill()
        self.empty()
        self.agent.start()
        self.unnoted = False

    def fill(self):
        if self.full:
            return self.empty()
        self.full = self.unnoted = True
        with open(self.agent.state + "/filler", "wb", buffering=0) as filler:
            with contextlib.suppress(OSError):
                for size in (65536, 4096, 1):
                    with contextlib.suppress(OSError):
                        while filler.write(b"x" * size) == size:
                            pass

    def empty(self):
        self.full = False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.agent.state + "/filler")

    def settle(self):
        """Wait for what goes on behind: facts, addresses that are asked for."""
        seen, end = None, time.monotonic() + 5
        while time.monotonic() < end:
            log = len(self.agent.read_log())
            if log == seen:
                return
            seen = log
            time.sleep(0.15)

    def step(self, n):
        action = self.random.choices(
            (self.change, self.set_binding, self.suspend, self.remove, self.warmup, self.reload, self.save,
             self.addresses, self.kill, self.cut, self.fill, self.send),
            (40, 12, 10, 6, 5, 5, 2, 6, 5, 3, 4, 0 if self.words.uplinks else 8))[0]
        self.story.append("%d %s:" % (n, action.__name__))
        action()
        self.look()
        if n % 3 == 0:
            self.explain()
        if n % 8 == 0 and not self.probed():         # who is suspended is not probed
            self.settle()
            self.compare()

    def go(self, steps, show=False):
        for n in range(steps):
            try:
                self.step(n)
                if show and n % 100 == 99:
                    print("seed %d step %d memory %d kB, %d done, %d refused" % (
                        self.seed, n, self.memory() // 1024, sum("-> done" in line for line in self.story),
                        sum("-> org" in line for line in self.story)), flush=True)
            except Exception as failure:
                raise AssertionError("seed %d, step %d: %s\n%s\n%s" % (
                    self.seed, n, failure, "\n".join(self.story[-40:] if show else self.story[-12:]),
                    self.agent.read_log()[-1500:])) from failure


def run_seed(seed, steps, show=False):
    own_mounts()
    with contextlib.closing(Hosts()) as hosts:
        chaos = Chaos(seed, hosts)
        chaos.go(steps, show)
        for agent in hosts.agents:
            bad = [line for line in agent.read_log().splitlines() if "Sanitizer" in line or "runtime error:" in line]
            check("sanitizers", bad, [])


@test("random changes, faults and kills leave the agent as a fresh one would be", 90)
def _():
    run_seed(2, 150)


@test("random changes, faults and kills among uplinks leave the agent as a fresh one would be", 90)
def _():
    run_seed(7, 150)


if __name__ == "__main__":
    for one in options.seed:
        run_seed(one, options.steps, True)
        print("seed %d: %d steps passed" % (one, options.steps), flush=True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults, and for each what it may do to whom.

A fault is a function of the scene and of a random number generator of its own; it returns when the cause
is over. `may` says which clients may have new connections refused or late while it lasts and until they
work again; nothing ever may end a live connection, or send a packet from another address. `replaces`:
the next agent finds other files and writes the table anew, and a first datagram that is among the rules
in that microsecond may be refused (docs/design.md, Loading)."""

import collections
import contextlib
import os
import shutil
import signal
import subprocess
import time

Fault = collections.namedtuple("Fault", "name run may ends replaces")
FAULTS = []
NOBODY, SECOND, UPLINKS, EVERYBODY = "", "second", "first second", "main first second"     # by way out


def fault(name, may=NOBODY, ends=NOBODY, replaces=False):
    """may: whose new connections may fail; ends: whose live ones may end."""
    def enter(function):
        FAULTS.append(Fault(name, function, may, ends, replaces))
        return function
    return enter


def pause(rng, least, most):
    time.sleep(rng.uniform(least, most))


# --- the agent ----------------------------------------------------------------------------------


@fault("SIGKILL at a random moment of a reload", replaces=True)
def _(scene, rng):
    scene.write(extra=rng.randrange(1, 400))
    scene.agent.hangup()
    pause(rng, 0, 0.1)
    scene.agent.kill()
    pause(rng, 0, 0.3)
    scene.write()
    scene.agent.start()


@fault("SIGKILL at a random system call", replaces=True)
def _(scene, rng):
    scene.write(extra=rng.randrange(1, 400))
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=all", "-e",
                               "inject=all:signal=KILL:when=%d" % rng.randrange(1, 120), "-p", str(scene.agent.pid)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pause(rng, 0.05, 0.2)
    with contextlib.suppress(ProcessLookupError):
        scene.agent.hangup()
    end = time.monotonic() + 1.0
    while time.monotonic() < end and not scene.agent.ended():
        time.sleep(0.01)
    scene.killed_by_call += scene.agent.ended()
    scene.agent.kill()
    tracer.kill()
    tracer.wait()
    scene.write()
    scene.agent.start()


@fault("SIGSTOP for a while")
def _(scene, rng):
    os.kill(scene.agent.pid, signal.SIGSTOP)
    pause(rng, 0.2, 1.0)
    os.kill(scene.agent.pid, signal.SIGCONT)


@fault("clock jumps of the agent")
def _(scene, rng):
    for offset in (rng.choice(("3600", "86400", "-86400")), "0"):
        with open(scene.clock, "w") as clock:
            clock.write(offset + "\n")
        pause(rng, 0.1, 0.3)
        scene.agent.ctl("status")


# --- the table ----------------------------------------------------------------------------------


@fault("flush ruleset")
def _(scene, _rng):
    scene.lab.nft("flush", "ruleset", ok=False)


@fault("foreign edits of the table")
def _(scene, rng):
    edits = ["flush set inet outbind usable4", "delete table inet outbind", "flush chain inet outbind guard",
             "flush map inet outbind snat6", "flush chain inet outbind rewrite",
             "add element inet outbind by_user { 5001 : 0x2 }"]
    for edit in rng.sample(edits, 3):
        result = scene.lab.run("sender", "nft", *edit.split(), ok=False)
        if result.returncode == 0:
            raise AssertionError("the kernel took a foreign edit of an owned table: " + edit)


# --- routing and links --------------------------------------------------------------------------


def flush(scene, rng, *what):
    """Take entries of both families away, half of the times while nobody restores them: then the guard alone
    stands between the clients and the main table."""
    stopped = rng.random() < 0.5
    if stopped:
        os.kill(scene.agent.pid, signal.SIGSTOP)
    for family in ("-4", "-6"):
        scene.lab.run("sender", "ip", family, what[0], "flush", *what[1:], ok=False)
    if stopped:
        pause(rng, 0.2, 0.8)
        os.kill(scene.agent.pid, signal.SIGCONT)


@fault("rules of uplinks deleted", may=UPLINKS)
def _(scene, rng):
    flush(scene, rng, "rule", "protocol", "111")


@fault("routes of an uplink deleted", may=SECOND)
def _(scene, rng):
    flush(scene, rng, "route", "table", "102")


@fault("addresses removed", may=EVERYBODY)
def _(scene, rng):
    for address, link in rng.sample(sorted(scene.links_of.items()), 4):
        scene.lab.run("sender", "ip", "addr", "del", "%s/%d" % (address, 128 if ":" in address else 32),
                      "dev", link, ok=False)
        pause(rng, 0, 0.05)


@fault("the second uplink's link down and up", may=SECOND)
def _(scene, rng):
    scene.lab.run("sender", "ip", "link", "set", "eth1", "down")
    pause(rng, 0.05, 0.5)
    scene.lab.run("sender", "ip", "link", "set", "eth1", "up")
    scene.lab.run("sender", "ip", "addr", "replace", "2001:db8:3::1/64", "dev", "eth1", "nodad")


@fault("the second uplink loses its carrier", may=SECOND)
def _(scene, rng):
    scene.lab.run("receiver", "ip", "link", "set", "eth1", "down")
    pause(rng, 0.05, 0.5)
    scene.lab.run("receiver", "ip", "link", "set", "eth1", "up")
    scene.lab.run("receiver", "ip", "addr", "replace", "2001:db8:3::fe/64", "dev", "eth1", "nodad")


@fault("more notices than the agent's sockets can hold")
def _(scene, rng):
    lines = ["link add flood type veth peer name flood1", "link set flood up"]
    lines += ["addr add 10.%d.%d.%d/32 dev flood" % (rng.randrange(1, 250), i // 250, i % 250 + 1)
              for i in range(8000)]
    before = scene.agent.json("status")["notices_lost"]
    os.kill(scene.agent.pid, signal.SIGSTOP)
    scene.lab.ip("sender", *lines, "link del flood")
    os.kill(scene.agent.pid, signal.SIGCONT)
    scene.overruns += scene.agent.json("status")["notices_lost"] > before


# --- changes ------------------------------------------------------------------------------------


@fault("reloads that change other things")
def _(scene, rng):
    for _ in range(rng.randrange(1, 4)):
        scene.write(extra=rng.randrange(1, 50))
        scene.agent.ctl("reload")
    scene.write()
    scene.agent.ctl("reload")


@fault("reloads of what is not valid")
def _(scene, rng):
    bad = ["binding a { address 192.0.2.300; }", "policy { user 5001 use nobody; }", "binding {", "\0",
           "binding x { address 198.51.100.11; }", "uplink first { interface eth9; }"]
    for text in rng.sample(bad, 3):
        scene.write(more=text)
        if scene.agent.ctl("reload", ok=False).returncode == 0:
            raise AssertionError("accepted: " + text)
    scene.write()
    scene.agent.ctl("reload")


@fault("changes at run time")
def _(scene, rng):
    uid = rng.randrange(6000, 7000)
    ctl = scene.agent.ctl
    ctl("binding", "add", "extra", "address", "198.51.100.99")
    ctl("policy", "add", "user", str(uid), "use", "extra")
    ctl("binding", "suspend", "extra")
    ctl("binding", "resume", "extra")
    ctl("policy", "remove", "user", str(uid))
    pause(rng, 0, 0.1)
    ctl("apply", "-", text="remove binding extra;\n")


@fault("suspend and resume", may=EVERYBODY)
def _(scene, rng):
    name = rng.choice(scene.names)
    scene.agent.ctl("binding", "suspend", name)
    pause(rng, 0.1, 0.4)
    scene.agent.ctl("binding", "resume", name)


def fill(path):
    """Take all the room that is left; a file that the agent replaces meanwhile leaves some again."""
    for _ in range(3):
        with open(path, "ab", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"x" * 4096)
        time.sleep(0.02)


@fault("no room for the state files")
def _(scene, rng):
    uid = rng.randrange(30000, 40000)           # more text than the pages that are there already hold
    text = "policy {\n%s}\n" % "".join("user %d use a;\n" % (uid + i) for i in range(1000))
    fill(scene.agent.state + "/filler")
    before = scene.without_counts(scene.agent.ruleset())
    result = scene.agent.ctl("apply", "-", text=text, ok=False)
    after = scene.without_counts(scene.agent.ruleset())
    os.unlink(scene.agent.state + "/filler")
    if result.returncode == 0:
        raise AssertionError("took a change that it could not write down")
    if before != after:
        raise AssertionError("what could not be written down was applied")


TOOLS = {"strace": "SIGKILL at a random system call"}


def usable(clock):
    """The faults that can be done here, and why others cannot."""
    out, why = list(FAULTS), []
    for tool, name in TOOLS.items():
        if not shutil.which(tool):
            out = [one for one in out if one.name != name]
            why.append("%s: %s is not installed" % (name, tool))
    if not clock:
        out = [one for one in out if one.name != "clock jumps of the agent"]
        why.append("clock jumps of the agent: no build/faults/clock.so, which `make faults` makes")
    return out, why

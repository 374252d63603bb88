# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations that no one would write: they end, in bounded time, without a crash."""

import os
import random
import resource
import subprocess
import tempfile
import time

from cases import test
from lab import BUILD, FAR, Lab, binding, check, pool
from place import Skip


def check_file(text, seconds, memory=4 << 30):
    """(exit status, seconds) of `outbindctl check` on that text, without root where possible."""
    if not os.access(BUILD + "/outbindctl", os.X_OK):
        raise Skip("no %s/outbindctl: run make first" % BUILD)
    limit = "asan" not in BUILD

    def before():
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with tempfile.NamedTemporaryFile(prefix="ob-%d-" % os.getpid()) as file:
        file.write(text)
        file.flush()
        start = time.monotonic()
        result = subprocess.run([BUILD + "/outbindctl", "check", file.name], preexec_fn=before,
                                capture_output=True, timeout=seconds)
        return result.returncode, time.monotonic() - start, result.stderr


@test("a configuration of random bytes is refused, quickly and without a crash", seconds=120)
def _():
    random.seed(0x6f75)
    words = [b"binding ", b"policy ", b"{", b"}", b";", b"address ", b"user ", b"use ", b"\"", b"#", b"\n", b"port ",
             b"0x1fff", b"mark-mask ", b"include ", b",", b"2001:db8::1", b"192.0.2.1/24", b"-", b"\0", b"\xff"]
    for size in (0, 1, 10, 100, 1000, 10000, 100000):
        for _ in range(4):
            for text in (random.randbytes(size), b"".join(random.choice(words) for _ in range(size))):
                status, took, said = check_file(text, 20)
                check("exit status for %r: %r" % (text[:40], said[-300:]), status in ((0, 1) if size < 100 else (1,)), True)
                check("%d bytes in %.1f s" % (len(text), took), took < 10, True)
    for text in (b"{" * 1000000, b"binding a {" * 100000, b'"' + b"a" * 5000000, b"policy { user " + b"9" * 1000000,
                 b"a" * 10000000, b"\n" * 10000000, b"#" * 10000000):
        status, took, said = check_file(text, 20)
        check("exit status for %r..: %r" % (text[:20], said[-300:]), status in (0, 1), True)


@test("a configuration of 1,000,000 rules is checked without a crash", seconds=180)
def _():
    rules = b"".join(b"user %d use a;\n" % n for n in range(100000, 1100000))
    status, took, said = check_file(b"binding a { address 198.51.100.11; }\npolicy {\n" + rules + b"}\n", 120)
    check("exit status: %r" % said[-300:], status, 0)
    check("%.1f s is under 60" % took, took < 60, True)
    mixed = b"".join(b"source 10.%d.%d.%d port %d use a;\n" % (n >> 16, n >> 8 & 255, n & 255, 1 + n % 60000)
                     for n in range(100000))
    status, took, said = check_file(b"binding a { address 198.51.100.11; }\npolicy {\n" + mixed + b"}\n", 120)
    check("exit status: %r" % said[-300:], status in (0, 1), True)


@test("100,000 bindings and rules load into a running agent, and first and last are seen", seconds=180)
def _():
    n = 100000
    lines = ["mark-mask 0xfffff;"]
    lines += ["binding b%d { address 10.%d.%d.%d; }" % (i, i >> 16 & 255, i >> 8 & 255, i & 255) for i in range(n)]
    lines += ["policy {"] + ["user %d use b%d;" % (200000 + i, i) for i in range(n)] + ["}"]
    with Lab() as lab:
        lab.ip("sender", "route add local 10.0.0.0/8 dev lo")
        lab.ip("receiver", "route add 10.0.0.0/8 via 198.51.100.1")
        agent = lab.agent(binding("first", 11) + "mark-mask 0xfffff; policy { user 4001 use first; }")
        agent.write("\n".join(lines))
        agent.ctl("reload", timeout=60)
        for i in (1, 777, n - 1):
            check("user %d" % i, lab.source(FAR[4], uid=200000 + i),
                  "10.%d.%d.%d" % (i >> 16 & 255, i >> 8 & 255, i & 255))
        agent.write(binding("first", 11) + "mark-mask 0xfffff; policy { user 4001 use first; }")
        agent.ctl("reload", timeout=60)
        check("back to one", lab.source(FAR[4], uid=4001), pool(11, 4))

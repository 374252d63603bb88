#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What looking at connections costs: the agent's processor time while many begin and end.

    flows.py [--rate N] [--seconds N] [--entries N] [MODE...]

Modes: nobody looks, follow (one outbindctl, as text and as JSON), log (flow-log), both; and census, the work of one
count of so many entries. Each connection is one datagram to another destination, whose entry ends a second
later; so RATE begin and RATE end in a second.
"""

import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, ROOT + "/tests/netns")
from lab import BUILD, Lab, binding, wait_for  # noqa: E402

CONF = binding("a", 11) + "policy { user 4001 use a; }\n"
TICKS = os.sysconf("SC_CLK_TCK")


def ticks(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def resident(pid):
    with open("/proc/%d/statm" % pid) as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def prepare(lab):
    with lab.inside("sender"):
        for knob in ("udp_timeout", "udp_timeout_stream"):
            lab.sysctl("net.netfilter.nf_conntrack_" + knob, 1)
    lab.run("receiver", "nft", "-f", "-", text="table ip quiet {\n chain in { type filter hook input "
            "priority 0; policy accept; udp dport 1024-65535 drop; }\n}\n")


def load(lab, program, count, rate):
    out = lab.run("sender", program, "spread", "203.0.113.1", "2000", str(count), str(rate), "4001", timeout=120)
    seconds, failed = out.stdout.split()
    return float(seconds), int(failed)


def follower(lab, agent, path, words):
    pid = lab.spawn("sender", [BUILD + "/outbindctl", "--runtime-dir", agent.runtime, "flows", "--follow"] + words,
                    log=path)
    time.sleep(0.5)
    return pid


def lost(path):
    with open(path, errors="replace") as lines:
        return sum(json.loads(line)["lost"] for line in lines if '"lost"' in line[:10])


def measure(mode, program, rate, seconds):
    with Lab(serve=False) as lab:
        prepare(lab)
        log = lab.dir + "/flows.log"
        agent = lab.agent(('flow-log "%s";\n' % log if mode in ("log", "both") else "") + CONF)
        told = lab.dir + "/told"
        pid = follower(lab, agent, told, ["--json"]) if mode in ("follow", "both") else None
        before, start, tool = ticks(agent.pid), time.monotonic(), ticks(pid) if pid else 0
        took, failed = load(lab, program, rate * seconds, rate)
        sent = rate * seconds - failed
        time.sleep(2)
        passed = time.monotonic() - start
        used = (ticks(agent.pid) - before) / TICKS
        status = agent.json("status")
        line = "%-7s %6.0f/s begun in %.1f s: agent %.1f %% of a processor" % (
            mode, sent / took, took, 100 * used / passed)
        line += ", %d KiB resident, %d lost by the kernel" % (resident(agent.pid), status["sources"]["lost"])
        if pid:
            line += "; outbindctl %.1f %%, told %d, lost %d" % (
                100 * (ticks(pid) - tool) / TICKS / passed, sum(1 for _ in open(told)), lost(told))
        if mode in ("log", "both"):
            line += "; log: %d written, %d dropped" % (status["flow_log"]["written"], status["flow_log"]["dropped"])
        print(line, flush=True)


def path_cost(program, count, rounds):
    """How fast datagrams leave, with and without somebody who follows, interleaved."""
    with Lab(serve=False) as lab:
        prepare(lab)
        agent = lab.agent(CONF)
        speeds = {"nobody": [], "follow": []}
        for _ in range(rounds):
            for mode, list_ in speeds.items():
                pid = follower(lab, agent, "/dev/null", ["--json"]) if mode == "follow" else None
                took, failed = load(lab, program, count, 0)
                list_.append((count - failed) / took)
                if pid:
                    lab.end(pid)
                time.sleep(2.5)
        for list_ in speeds.values():
            list_.sort()
        alone, followed = (speeds[mode][rounds // 2] for mode in ("nobody", "follow"))
        print("as fast as it goes: %.0f/s alone, %.0f/s followed, ratio %.2f (medians of %d)" %
              (alone, followed, followed / alone, rounds), flush=True)


def census(program, entries):
    with Lab(serve=False) as lab:
        prepare(lab)
        with lab.inside("sender"):
            lab.sysctl("net.netfilter.nf_conntrack_udp_timeout", 100)
        agent = lab.agent(CONF)
        _, failed = load(lab, program, entries, 0)
        agent.ctl("capacity")
        wait_for("a census", lambda: agent.json("status")["census"]["serial"] > 0, 20)
        about = agent.json("status")["census"]
        print("census of %d entries: %.1f ms of work, %d KiB resident" %
              (about["entries"], about["took_us"] / 1000, resident(agent.pid)), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rate", type=int, default=20000)
    options.add_argument("--seconds", type=int, default=10)
    options.add_argument("--entries", type=int, default=100000)
    options.add_argument("modes", nargs="*", default=[])
    given = options.parse_args()
    program = BUILD + "/connect"
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-o", program, ROOT + "/tests/bench/connect.c"], check=True)
    for mode in given.modes or ["nobody", "follow", "log", "both", "path", "census"]:
        if mode == "census":
            census(program, given.entries)
        elif mode == "path":
            path_cost(program, 100000, 5)
        else:
            measure(mode, program, given.rate, given.seconds)


if __name__ == "__main__":
    main()

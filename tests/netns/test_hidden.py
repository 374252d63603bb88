# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent with ProtectProc=: as a user of its own with two capabilities, and a /proc that has no other
process in it. What is to be known of others it learns without, or outbindctl tells it."""

import contextlib
import itertools
import json
import os
import re
import shlex
import socket

import traffic
from cases import test
from lab import BUILD, FAR, Agent, Lab, PORT, binding, check, pool, wait_for
from test_capture import Capturing
from test_sockets import tagged

UID = 4777
CONF = (binding("low", 11, more='allow cgroup "/app.slice"; allow user 4005;') +
        binding("deep", 12, more='allow cgroup "/tree";') + binding("owner", 13) +
        'policy { cgroup "/x.slice" use owner; user 4001 use low; }\n')


def confined(lab, conf, hidepid):
    """An agent as the unit starts it."""
    agent = lab.agent(conf, start=False)
    plain = Agent.command(agent)
    inner = "mount -t proc -o hidepid=%s,nosuid,nodev,noexec proc /proc && exec setpriv --reuid %d --regid %d " \
        "--clear-groups --bounding-set -all,+net_admin,+net_raw --inh-caps -all,+net_admin,+net_raw " \
        "--ambient-caps -all,+net_admin,+net_raw --no-new-privs %s" % (hidepid, UID, UID, shlex.join(plain))
    agent.command = lambda: ["unshare", "--mount", "--propagation", "private", "sh", "-c", inner]
    for path in (agent.dir, agent.runtime, agent.state):
        os.chown(path, UID, UID)
    agent.start()
    with open("/proc/%d/status" % agent.pid) as status:
        has = dict(line.split(":", 1) for line in status)
    check("it is confined", (has["CapEff"].strip(), str(UID) in has["Uid"].split()), ("0000000000003000", True))
    return agent


def explained(agent, *words):
    return json.loads(agent.ctl("explain", *words, "--to", FAR[4], "--port", str(PORT), "--json", ok=False).stdout)


@test("with a /proc that hides all others, as the unit has it: tags by cgroup, explain and capture of a pid, doctor",
      seconds=120)
def _():
    for hidepid in ("noaccess", "invisible", "ptraceable"):
        with Lab() as lab:
            group, deep = lab.cgroup("/app.slice"), lab.cgroup("/tree/a/b/c")
            for i in range(40):
                lab.cgroup("/tree/z%d/y" % i)
            agent = confined(lab, CONF, hidepid)
            users = itertools.count(4100)       # each with time of its own for searches, which an emulator needs
            for name, cgroup, n in (("low", group, 11), ("deep", deep, 12), ("deep", lab.cgroup("/tree"), 12)):
                check(cgroup, tagged(lab, agent, name, uid=next(users), gid=1, cgroup=cgroup)[1], pool(n, 4))
            check("by user", tagged(lab, agent, "low", uid=4005, gid=1)[1], pool(11, 4))
            for name, cgroup in (("low", deep), ("deep", group), ("deep", lab.cgroup_root), ("low", None)):
                reply, source = tagged(lab, agent, name, uid=next(users), gid=1, **({"cgroup": cgroup} if cgroup else {}))
                check("from %s: %s" % (cgroup, reply), (reply.split()[:2], source), (["ERROR", "not-allowed"], None))
            ask_of_processes(lab, agent)
            check("the owner of a table", *of_owner(lab, agent))


def ask_of_processes(lab, agent):
    group = lab.cgroup("/x.slice/worker")
    pid = lab.spawn("sender", ["sleep", "60"], cgroup=group, uid=4009, gid=4008)
    wait_for("the process to be there", lambda: str(pid) in open(group + "/cgroup.procs").read().split())
    check("by cgroup of a pid", explained(agent, "--pid", str(pid))["binding"], "owner")
    other = lab.spawn("sender", ["sleep", "60"], uid=4001, gid=4001)
    wait_for("its user", lambda: os.stat("/proc/%d" % other).st_uid == 4001)
    check("by user of a pid", explained(agent, "--pid", str(other)).get("binding"), "low")
    whole = Capturing(lab, agent, "pid", str(other))
    check("sent meanwhile", lab.source(FAR[4], uid=4001), pool(11, 4))
    check("captured", {one["binding"] for one in whole.stop()}, {"low"})
    told = explained(agent, "--pid", str(other), "--user", "4002")
    check("with another user: %s" % told, (told.get("verdict"), told.get("binding")), ("unassigned", None))


def of_owner(lab, agent):
    """(what doctor says of a table with an owner, what it should say)"""
    owner = lab.spawn("sender", ["sh", "-c", "(printf 'add table ip mine { flags owner; }\\n"
                                 "add chain ip mine c { type nat hook postrouting priority 5; }\\n"
                                 "add rule ip mine c snat to 198.51.100.30\\n'; sleep 20) | exec nft -i"])

    def said():
        found = agent.json("doctor", ok=False)["findings"]
        return [one for one in found if one["about"] == "source-nat"]

    one = wait_for("the owned table", said)[0]
    lab.end(owner)
    text = re.search(r"; the table is owned by netlink port (\d+), the number of process nft$", one["evidence"])
    return (text and int(text.group(1)), "only its owner can change this table" in one["remedy"]), (one["owner"], True)


@test("a process that connected and ended gives nobody its cgroup, nor does one that comes after it")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        reply = lab.told("sender", outlived, agent.runtime, lab.cgroup("/app.slice"))
        check("who has it left: " + reply, reply.split()[:2], ["ERROR", "not-allowed"])


def outlived(runtime, cgroup):
    """The reply to one who asks by a connection that was made by another, in no cgroup, which has ended."""
    mine, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(1)
            os.setuid(4003)
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.connect(runtime + "/tag")
            socket.send_fds(theirs, [b"x"], [peer.fileno()])
        os._exit(0)
    _, fds, _, _ = socket.recv_fds(mine, 1, 1)
    os.waitpid(pid, 0)
    with open(cgroup + "/cgroup.procs", "w") as procs:
        procs.write("0")
    peer = socket.socket(fileno=fds[0])
    peer.settimeout(5)
    with socket.socket() as sock:
        socket.send_fds(peer, [b"TAG 1 low"], [sock.fileno()])
        return peer.recv(65536).decode()


@test("a search for a cgroup is bounded, told of, and not for the asking: its user waits, and nobody else")
def _():
    with Lab() as lab:
        for i in range(1100):
            os.makedirs(lab.cgroup_root + "/tree/c%d" % i)
        other = lab.cgroup("/other")
        agent = lab.agent(CONF)
        outside = {"uid": 4003, "gid": 1, "cgroup": other}
        reply, source = tagged(lab, agent, "deep", **outside)
        check("reply: " + reply, (reply.split()[:2], "1024" in reply, source), (["ERROR", "not-allowed"], True, None))
        check("the log says why", "1024" in agent.wait_event("tag.denied")[0], True)
        codes = lab.told("sender", many_times, agent.runtime, other)
        check("after %d" % len(codes), codes[-1], "too-many")
        check("another user", tagged(lab, agent, "low", uid=4006, gid=1, cgroup=lab.cgroup("/app.slice"))[1], pool(11, 4))
        check("by user", tagged(lab, agent, "low", uid=4005, gid=1, cgroup=other)[1], pool(11, 4))


def many_times(runtime, cgroup):
    """Codes of the answers to one who asks again and again, until it is another one."""
    traffic.enter({"cgroup": cgroup})
    os.setgroups([])
    os.setgid(1)
    os.setuid(4003)
    codes = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer, socket.socket() as sock:
        peer.connect(runtime + "/tag")
        peer.settimeout(20)
        while len(codes) < 400 and codes[-1:] != ["too-many"]:
            socket.send_fds(peer, [b"TAG 1 deep"], [sock.fileno()])
            codes.append(peer.recv(65536).decode().split()[1])
    return codes


@test("a process that /proc hides from who asks is not taken for none")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        pid = lab.spawn("sender", ["sleep", "60"], uid=4001, gid=4001)
        for hidepid in ("noaccess", "invisible"):
            for who, status, words in ((pid, 4, "hides it from you"), (2 ** 22 + 7, 5, "there is no process '%d'" % (2 ** 22 + 7))):
                inner = "mount -t proc -o hidepid=%s proc /proc && exec setpriv --reuid 4002 --regid 4002 --clear-groups " \
                    "%s/outbindctl --runtime-dir %s explain --pid %d --to %s" % (hidepid, BUILD, agent.runtime, who, FAR[4])
                result = lab.run("sender", "unshare", "--mount", "--propagation", "private", "sh", "-c", inner, ok=False)
                check("%s, %d: %s" % (hidepid, who, result.stderr), (result.returncode, words in result.stderr), (status, True))

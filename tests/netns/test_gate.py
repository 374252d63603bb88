# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reads what strangers write: a process that can do nothing else. And what strangers can do at most."""

import contextlib
import json
import os
import random
import resource
import signal
import socket
import statistics
import threading
import time

from cases import test
from figures import scrape
from lab import BUILD, FAR, Lab, PORT, answer, binding, call, check, wait_for

STRANGER, OTHER, READERS, RELAY, AGENT = 4001, 4002, 4900, 4901, 4902
CONF = binding("mine", 11, more="allow user %d;" % OTHER) + binding("closed", 12)


def lines_of(pid):
    with open("/proc/%d/status" % pid) as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def gates(agent):
    return {gate["peers"]: gate for gate in agent.json("status")["gates"]}


def gate_of(agent):
    return gates(agent)["strangers"]["pid"]


def anonymous(pid):
    """Resident KiB of its own."""
    return int(lines_of(pid)["RssAnon"].split()[0])


def let_in(agent, mode=0o666):
    """Strangers may connect to the control socket: what they may do there is another question."""
    os.chmod(agent.runtime + "/org.outbind", mode)


def with_names(lab, conf):
    """An agent that knows group `outbind` and user `outbind-relay`, whatever the host's files say."""
    for name, line in (("group", "outbind:x:%d:\n" % READERS),
                       ("passwd", "outbind-relay:x:%d:%d::/:/bin/false\n" % (RELAY, RELAY))):
        with open("/etc/" + name) as old, open("%s/%s" % (lab.dir, name), "w") as new:
            new.write("".join(one for one in old if not one.startswith("outbind")) + line)
    agent = lab.agent(conf, start=False)
    command = agent.command()
    agent.command = lambda: ["unshare", "-m", "sh", "-c", "mount --bind %s/group /etc/group && mount --bind %s/passwd "
                             "/etc/passwd && exec \"$@\"" % (lab.dir, lab.dir), "sh"] + command
    return agent.start()


def become(uid, gids=()):
    os.setgroups(list(gids))
    os.setgid(uid)
    os.setuid(uid)


def control(agent, wait=5):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(wait)
    peer.connect(agent.runtime + "/org.outbind")
    return peer


def tag(agent, wait=5):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.settimeout(wait)
    peer.connect(agent.runtime + "/tag")
    return peer


def as_user(lab, uid, work, *arguments, gids=(), namespace="sender"):
    """What work(*arguments) returns, run by a user of no privilege."""
    def child():
        become(uid, gids)
        return work(*arguments)
    return lab.told(namespace, child)


@test("what reads strangers' bytes has no capability, no file, no way to make a socket, and cannot get one")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        pid = wait_for("the gate", lambda: gates(agent)["strangers"]["ready"], 5) and gate_of(agent)
        status = lines_of(pid)
        for line, want in (("CapInh", 0), ("CapPrm", 0), ("CapEff", 0), ("CapBnd", 0), ("CapAmb", 0)):
            check(line, int(status[line], 16), want)
        check("NoNewPrivs", status["NoNewPrivs"], "1")
        check("Seccomp: a filter", status["Seccomp"], "2")
        check("one thread", status["Threads"], "1")
        kinds = sorted(os.readlink("/proc/%d/fd/%s" % (pid, fd)).split(":")[0] for fd in os.listdir("/proc/%d/fd" % pid))
        check("descriptors", kinds, ["/dev/null"] * 3 + ["anon_inode", "socket"])
        with open("/proc/%d/environ" % pid) as environ:
            check("environment", environ.read(), "")
        with open("/proc/%d/limits" % pid) as text:
            limits = {line[:25].strip(): line[26:].split()[0] for line in text}
        for name in ("Max processes", "Max file size", "Max core file size"):
            check(name, limits[name], "0")
        check("the agent's own", agent.json("status")["capabilities"], ["net_admin", "net_raw"])
        check("and in truth", int(lines_of(agent.pid)["CapPrm"], 16), 1 << 12 | 1 << 13)
        check("no way back", int(lines_of(agent.pid)["CapBnd"], 16), 1 << 12 | 1 << 13)
        agent.kill()
        wait_for("the gate to end with the agent", lambda: not os.path.exists("/proc/%d" % pid), 5)


@test("as its unit runs it, with that user's capabilities and system calls, the agent works and so do its gates "
      "and its exporter")
def _():
    unit = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../systemd/outbindd.service")
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        for path in (agent.dir, agent.runtime, agent.state):
            os.chown(path, AGENT, AGENT)
        os.chmod(lab.dir, 0o755)
        command, mask = agent.command(), os.umask(0)       # it writes to the socket of sd_notify
        agent.command = lambda: [os.path.join(os.path.dirname(unit), "../tests/netns/confine.py"), unit, str(AGENT), *command]
        agent.start()
        os.umask(mask)
        check("capabilities", int(lines_of(agent.pid)["CapEff"], 16), 1 << 12 | 1 << 13)
        wait_for("the gate", lambda: gates(agent)["strangers"]["ready"], 5)
        status = lines_of(gate_of(agent))
        for line in ("CapPrm", "CapEff", "CapAmb"):
            check(line + " of the gate", int(status[line], 16), 0)

        def ask():
            with tag(agent) as peer, socket.socket() as sock:
                socket.send_fds(peer, [b"TAG 1 mine"], [sock.fileno()])
                return peer.recv(999).decode().split()[0]
        check("a tag for a user who may", as_user(lab, OTHER, ask), "OK")
        check("and for one who may not", as_user(lab, STRANGER, ask), "ERROR")
        let_in(agent)

        def status_of():
            with control(agent) as peer:
                return call(peer, "org.outbind.GetStatus").get("error", "").split(".")[-1]
        check("a call by nobody", as_user(lab, STRANGER, status_of), "PermissionDenied")
        agent.write(CONF + binding("third", 13))
        agent.ctl("reload")
        check("a binding more", agent.json("status")["bindings"], 3)
        check("figures", scrape(agent)("outbind_bindings"), 3)
        check("what ended: " + agent.read_log(), [word for word in ("gate.ended", "metrics.failed") if word in agent.read_log()],
              [])


@test("without CAP_NET_ADMIN the agent does not start, and says what it lacks")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF, start=False)
        result = lab.run("sender", "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", *agent.command(),
                         ok=False)
        check("exit status", result.returncode, 1)
        check("words: " + result.stderr, "CAP_NET_ADMIN" in result.stderr and "start it as root" in result.stderr, True)


@test("a user without right is told what it lacks; a reader reads, listens and may not change; root may")
def _():
    def ask(agent):
        with control(agent) as peer:
            got = [call(peer, "org.outbind.GetStatus"), call(peer, "org.outbind.Reload"),
                   call(peer, "org.outbind.ShowBinding", name="mine"), call(peer, "org.outbind.ShowBinding", name=7),
                   call(peer, "org.outbind.Explain", to="203.0.113.1", port=443, user="4001"),
                   call(peer, "org.outbind.NoSuch"), call(peer, "org.varlink.service.GetInfo"),
                   call(peer, "org.outbind.Change", text="x" * 20000)]
            peer.sendall(b'{"method":"org.outbind.Monitor","more":true}\0')
            return got + [answer(peer)]
    with Lab() as lab:
        agent = with_names(lab, CONF)
        let_in(agent)
        errors = [got.get("error", "").split(".")[-1] for got in as_user(lab, STRANGER, ask, agent)]
        check("a stranger", errors, ["PermissionDenied"] * 5 + ["MethodNotFound", "", "PermissionDenied", "PermissionDenied"])
        needs = [got["parameters"]["needs"] for got in as_user(lab, STRANGER, ask, agent)[:2]]
        check("what it lacks", needs, ["root or group outbind", "root"])
        errors = [got.get("error", "").split(".")[-1] for got in as_user(lab, 0, ask, agent)]
        check("root", errors, [""] * 3 + ["InvalidParameter", "", "MethodNotFound", "", "ConfigurationInvalid", ""])
        got = as_user(lab, STRANGER, ask, agent, gids=(READERS,))
        check("a reader", [one.get("error", "").split(".")[-1] for one in got],
              ["", "PermissionDenied", "", "InvalidParameter", "", "MethodNotFound", "", "PermissionDenied", ""])
        check("what is shown", got[2]["parameters"]["binding"]["name"], "mine")


MALFORMED = [b"\0", b"{}\0", b"[]\0", b"garbage\0", b"\xff\xfe\0", b'{"method":7}\0', b'{"method":""}\0', b"[" * 40000 + b"\0",
             b'{"method":"org.outbind.ShowBinding","parameters":{"name":7}}\0', b"x" * 70000,
             b'{"method":"org.outbind.GetStatus"}\0' * 20, b'{"method":"org.outbind.GetS', b"{" * 31,
             b'{"method":"org.outbind.Explain","parameters":{"to":"x","port":99999999999}}\0']
REQUESTS = [b"TAG 1 mine", b"TAG 1 nosuch", b"TAG", b"\0" * 30, b"TAG 1 " + b"x" * 64, b"ASK 2 0 name:mine", b"x" * 60000,
            b"ASK 2 99999999999999999999 name:mine", b"TAG 2 0 address:1.2.3", b"WATCH 2", b"\xff" * 80]


def harass(agent, calls, seed):
    """`calls` calls of every bad kind by this process; returns kinds of answers."""
    random.seed(seed)
    seen, kept = {}, []

    def one(kind):
        try:
            if kind == "half":              # begun, never finished, kept open
                peer = control(agent)
                peer.sendall(random.choice(MALFORMED)[:20].rstrip(b"\0"))
                kept.append(peer)
            elif kind == "slow":
                peer = control(agent)
                for byte in b'{"method":"org.outbind.GetStatus"}\0'[:random.randrange(5, 36)]:
                    peer.sendall(bytes([byte]))
                kept.append(peer)
            elif kind == "deaf":            # asks much, reads nothing
                peer = control(agent)
                peer.setblocking(False)
                kept.append(peer)
                for _ in range(200):
                    peer.sendall(b'{"method":"org.varlink.service.GetInfo"}\0')
            elif kind == "call":
                with control(agent) as peer:
                    peer.sendall(random.choice(MALFORMED))
                    peer.shutdown(socket.SHUT_WR)
                    got = peer.recv(65536)
                    seen[got.split(b'"')[3].decode() if got.startswith(b'{"error') else "closed" if not got else "answer"] = 1
            else:
                with tag(agent) as peer, socket.socket() as sock:
                    fds = [sock.fileno()] * random.choice((0, 1, 1, 1, 2, 50))
                    socket.send_fds(peer, [random.choice(REQUESTS)], fds)
                    seen[" ".join(peer.recv(9000).decode().split()[:2])] = 1
        except OSError as error:
            seen["!" + type(error).__name__] = 1
    for _ in range(calls):
        one(random.choice(("call", "call", "call", "half", "slow", "deaf", "tag", "tag", "tag", "tag")))
        if len(kept) > 40:
            kept.pop(0).close()
    return sorted(seen)


def echo(peer):
    """Answers whatever comes, as fast as this machine lets any process at the moment."""
    with contextlib.suppress(OSError):
        while peer.recv(9000):
            peer.send(b"x")


class Client(threading.Thread):
    """Another user's program: calls and tags now and then, and notes how long each took; beside it how long a
    process took that does nothing but answer, because a busy machine makes everybody wait."""

    def __init__(self, agent, bare):
        super().__init__(daemon=True)
        self.agent, self.bare, self.end = agent, bare, threading.Event()
        self.calls, self.tags, self.waits = [], [], []

    def run(self):
        with control(self.agent) as peer, tag(self.agent) as tags, socket.socket() as sock:
            while not self.end.is_set():
                start = time.monotonic()
                self.bare.send(b"x")
                self.bare.recv(10)
                self.waits.append(time.monotonic() - start)
                start = time.monotonic()
                call(peer, "org.outbind.ShowBinding", name="mine")
                self.calls.append(time.monotonic() - start)
                start = time.monotonic()
                socket.send_fds(tags, [b"TAG 1 mine"], [sock.fileno()])
                tags.recv(9000)
                self.tags.append(time.monotonic() - start)
                time.sleep(0.003)


def watch_client(lab, agent, uid):
    """Start a Client as `uid`; returns a function that ends it and gives its times, sorted: calls, tags, echoes."""
    read, write = os.pipe()
    stop_read, stop_write = os.pipe()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def child():
        os.close(stop_write)
        far.close()
        become(uid)
        client = Client(agent, near)
        client.start()
        os.read(stop_read, 1)
        client.end.set()
        client.join(10)
        with os.fdopen(write, "w") as out:
            json.dump([sorted(times) for times in (client.calls, client.tags, client.waits)], out)

    def answer_all():
        os.close(stop_write)
        near.close()
        become(uid)
        echo(far)
    lab.fork("sender", answer_all)
    pid = lab.fork("sender", child)
    os.close(write)
    near.close()
    far.close()

    def stop():
        os.close(stop_write)
        with os.fdopen(read) as pipe:
            times = json.loads(pipe.read())
        lab.reap(pid)
        return times
    return stop


@test("10,000 malformed, half-sent, slow and parallel calls of an unprivileged user: no crash, memory flat, others "
      "answered in under 10 ms", seconds=300)
def _():
    workers, calls = 8, 1250
    with Lab() as lab:
        agent = lab.agent(CONF)
        let_in(agent)
        pids = (agent.pid, gate_of(agent))

        def work(seed, count):
            become(STRANGER)
            seen = harass(agent, count, seed)
            os.write(write, ("\n".join(seen) + "\n").encode())
        read, write = os.pipe()
        for seed in range(workers):         # once to warm up: buffers have their size then
            lab.reap(lab.fork("sender", work, seed, 50))
        time.sleep(1)
        before = [anonymous(pid) for pid in pids]
        stop = watch_client(lab, agent, OTHER)
        running = [lab.fork("sender", work, 100 + seed, calls) for seed in range(workers)]
        for pid in running:
            lab.reap(pid, seconds=200)
        times = stop()
        os.close(write)
        with os.fdopen(read) as pipe:
            seen = set(pipe.read().splitlines())
        check("the gate is the same", gate_of(agent), pids[1])
        check("none has ended", gates(agent)["strangers"]["ended"], 0)
        for words in ("org.outbind.PermissionDenied", "ERROR not-allowed", "ERROR bad-request", "closed"):
            check("%s among %s" % (words, sorted(seen)), words in seen, True)
        machine = times[2][len(times[2]) * 99 // 100]
        for what, took in zip(("call", "tag", "bare echo"), times):
            said = "%s: %d of them, median %.2f ms, 99 %% %.2f ms, longest %.2f ms" % (
                what, len(took), statistics.median(took) * 1e3, took[len(took) * 99 // 100] * 1e3, took[-1] * 1e3)
            print(said)
            if "asan" not in BUILD:         # what any process waits for a processor is not the agent's
                check(said, took[len(took) * 99 // 100] < 0.010 + 3 * machine, True)
                check(said, statistics.median(took) < 0.010, True)
        wait_for("connections to be closed", lambda: agent.json("status")["control"]["peers"] <= 1, 5)
        after = [anonymous(pid) for pid in pids]
        print("KiB of agent and gate: before %s, after %s" % (before, after))
        if "asan" not in BUILD:
            check("agent %s" % [before, after], after[0] - before[0] < 1024, True)
            check("gate %s" % [before, after], after[1] - before[1] < 1024, True)


@test("who asks too often is told so and slowed down, others are not; the status counts it")
def _():
    def flood(agent):
        found = {}
        with contextlib.ExitStack() as stack, tag(agent) as tags:
            callers = [stack.enter_context(control(agent)) for _ in range(8)]
            for peer in callers:
                peer.sendall(b'{"method":"org.varlink.service.GetInfo"}\0' * 400)
            for peer in callers:
                got = b""
                while got.count(b"\0") < 400 and b"TooManyCalls" not in got:
                    got += peer.recv(65536)
                if b"TooManyCalls" in got:
                    found["call"] = "org.outbind.TooManyCalls"
            with contextlib.ExitStack() as stack:
                many = [stack.enter_context(tag(agent)) for _ in range(8)]
                for turn in range(9600):    # eight in a row are under way
                    if turn >= 8:
                        reply = many[turn % 8].recv(9000).decode()
                        if " too-many " in reply:
                            found["tag"] = reply
                            break
                    many[turn % 8].send(b"TAG 1 nosuch")
            start, refused = time.monotonic(), 0
            for _ in range(400):
                tags.send(b"TAG 1 nosuch")
                refused += b" too-many " in tags.recv(9000)
            found["refused"], found["seconds"] = refused, time.monotonic() - start
        return found

    def polite(agent):
        with control(agent) as peer, tag(agent) as tags:
            tags.send(b"TAG 1 nosuch")
            return [call(peer, "org.outbind.GetStatus")["error"], tags.recv(9000).decode().split()[1]]
    with Lab() as lab:
        agent = lab.agent(CONF)
        let_in(agent)
        found = as_user(lab, STRANGER, flood, agent)
        check("call", found.get("call"), "org.outbind.TooManyCalls")
        check("tag: %s" % found.get("tag"), found.get("tag", "").startswith("ERROR too-many more than 2000 requests"), True)
        check("not more than a refusal in a tick: %s" % found, found["refused"] <= 2 + found["seconds"] / 0.05, True)
        check("another user", as_user(lab, OTHER, polite, agent), ["org.outbind.PermissionDenied", "unknown-binding"])
        status = agent.json("status")
        check("counted: %s" % status["control"], status["control"]["limited"] > 0, True)
        check("counted: %s" % status["tags"], status["tags"]["limited"] > 0, True)
        check("in words", "asked too often" in agent.ctl("status").stdout, True)


@test("a gate that is killed under load is started again; clients connect again, and traffic goes on")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF + "policy { user 4005 use mine; }")
        stop = lab.stream(FAR[4], 4, uid=4005)
        done = os.pipe()

        def insist():
            """Tag all the time; reconnect when the connection is closed. How often which."""
            become(OTHER)
            good = lost = 0
            end = time.monotonic() + 4
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.socket() as sock:
                    with tag(agent) as peer:
                        while time.monotonic() < end:
                            socket.send_fds(peer, [b"TAG 1 mine"], [sock.fileno()])
                            reply = peer.recv(9000)
                            if not reply:
                                break
                            good += reply.startswith(b"OK ")
                            time.sleep(0.002)
                lost += 1
            os.write(done[1], json.dumps([good, lost]).encode())
        pid = lab.fork("sender", insist)
        killed = []
        for _ in range(3):
            time.sleep(0.8)
            killed.append(gate_of(agent))
            os.kill(killed[-1], signal.SIGKILL)
            wait_for("another gate", lambda: gate_of(agent) not in killed + [0] and gates(agent)["strangers"]["ready"], 5)
        lab.reap(pid)
        good, lost = json.loads(os.read(done[0], 100))
        check("%d tags, %d times reconnected" % (good, lost), good > 100 and 1 <= lost <= 12, True)
        check("three gates", len(set(killed)), 3)
        check("counted", gates(agent)["strangers"]["ended"], 3)
        check("logged", len([line for line in agent.events("gate.ended") if "Killed" in line]), 3)
        result = stop()
        check("streams: %s" % result, (result["errors"], result["unfinished"], result["inexact"]), ([], 0, 0))
        check("the agent is the same", agent.json("status")["pid"], agent.pid)
        check("new connections", lab.source(FAR[4], PORT, uid=4005), "198.51.100.11")


@test("a gate that dies again and again is started at a bounded rate")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            pid = gate_of(agent)
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        ended = gates(agent)["strangers"]["ended"]
        check("%d ends in 4 s" % ended, 5 <= ended <= 11, True)
        wait_for("it to be back", lambda: gates(agent)["strangers"]["ready"], 5)


@test("a gate that is stopped and does not answer is replaced within 15 s, and root is served meanwhile", seconds=90)
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        pid = gate_of(agent)
        os.kill(pid, signal.SIGSTOP)
        check("root is answered", agent.json("status")["gates"][0]["pid"], pid)
        wait_for("another one", lambda: gate_of(agent) not in (pid, 0), 20)
        check("logged", "does not answer" in agent.events("gate.nonsense")[0], True)


@test("a connection that cannot be handed over yet, because too many descriptors are on their way, is served later")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (64, 64))
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(os.devnull) as some:
            socket.send_fds(near, [b"x"], [some.fileno()] * 100)
        done = os.pipe()

        def ask():
            near.close()                    # what is under way must not live here
            far.close()
            become(OTHER)
            with tag(agent) as peer, socket.socket() as sock:
                socket.send_fds(peer, [b"TAG 1 mine"], [sock.fileno()])
                start = time.monotonic()
                reply = peer.recv(9000).decode()
                os.write(done[1], json.dumps([reply.split()[0:2], time.monotonic() - start]).encode())
        pid = lab.fork("sender", ask)
        time.sleep(0.5)
        near.close()
        far.close()
        lab.reap(pid)
        reply, took = json.loads(os.read(done[0], 200))
        check("reply", reply, ["OK", str(agent.mark("mine"))])
        check("it waited: %.2f s" % took, 0.3 < took < 2, True)


@test("the relay's requests have a gate of their own, which what happens to the other does not touch")
def _():
    def ask(agent):
        with tag(agent) as peer, socket.socket() as sock:
            socket.send_fds(peer, [b"TAG 2 7 name:closed"], [sock.fileno()])
            return peer.recv(9000).decode()
    with Lab() as lab:
        agent = with_names(lab, CONF)
        check("two", sorted(gates(agent)), ["relay", "strangers"])
        check("its right", as_user(lab, RELAY, ask, agent)[:8], "OK mark=")
        mine = gates(agent)["relay"]["pid"]
        os.kill(gate_of(agent), signal.SIGKILL)
        wait_for("the other to be back", lambda: gates(agent)["strangers"]["ready"], 5)
        check("untouched", gates(agent)["relay"]["pid"], mine)
        check("its right", as_user(lab, RELAY, ask, agent)[:8], "OK mark=")
        check("who is not the relay", as_user(lab, OTHER, ask, agent).split()[:2], ["ERROR", "not-allowed"])

# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's two sockets: programs without privilege tag theirs, and nobody can do harm there."""

import array
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

import traffic
from cases import test
from lab import BUILD, FAR, HOST, Lab, PORT, ROOT, answer, binding, check, pool, wait_for
from place import run, setns

CONF = (binding("mine", 11, more="allow user 4001; allow group 6001;") + binding("closed", 12) +
        binding("ranged", 13, more="allow user 5000-5999;") + binding("grouped", 14, more='allow cgroup "/app.slice";') +
        binding("only4", 15, families=(4,), more="allow user 4001;"))


def ask(agent, name, fds, wait=5):
    """One request on a connection of its own: the reply as text."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.connect(agent.runtime + "/tag")    # blocking: waits for a place in the queue
        peer.settimeout(wait)
        socket.send_fds(peer, [name if isinstance(name, bytes) else b"TAG 1 " + name.encode()], fds)
        return peer.recv(65536).decode()


def tagged(lab, agent, name, family=4, proto="tcp", **who):
    """(reply, source) of a client that has its socket tagged and then connects."""
    def work():
        traffic.enter(who)
        if "gid" in who:
            os.setgroups([])
            os.setgid(who["gid"])
        if "uid" in who:
            os.setuid(who["uid"])
        sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, traffic.PROTOCOL_OF[proto])
        sock.settimeout(3)
        source = None
        try:
            reply = ask(agent, name, [sock.fileno()])
        except OSError as error:
            reply = "!" + str(error)
        if reply.startswith("OK "):
            sock.connect((FAR[family], PORT))   # a failure is the test's
            if proto == "udp":
                sock.send(b"who")
            source = sock.recv(200).split()[0].decode()
        return [reply, source]

    return lab.told("sender", work)


@test("an unprivileged program's tagged socket is seen from the binding; others are refused with the reason")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        for family in (4, 6):
            for proto in ("tcp", "udp"):
                reply, source = tagged(lab, agent, "mine", family, proto, uid=4001, gid=4001)
                check("reply " + reply, reply.split()[:2], ["OK", str(agent.mark("mine"))])
                check("addresses in " + reply, pool(11, family) in reply, True)
                check("source", source, pool(11, family))
        check("root", tagged(lab, agent, "closed")[1], pool(12, 4))
        check("group", tagged(lab, agent, "mine", uid=4002, gid=6001)[1], pool(11, 4))
        check("range", tagged(lab, agent, "ranged", uid=5999, gid=1)[1], pool(13, 4))
        group = lab.cgroup("/app.slice/worker")
        check("cgroup", tagged(lab, agent, "grouped", uid=4003, gid=1, cgroup=group)[1], pool(14, 4))
        for name, uid, code in (("closed", 4001, "not-allowed"), ("mine", 4002, "not-allowed"),
                                ("ranged", 6000, "not-allowed"), ("grouped", 4003, "not-allowed"),
                                ("nosuch", 4001, "unknown-binding")):
            reply, source = tagged(lab, agent, name, uid=uid, gid=1)
            check("%s for %d: %s" % (name, uid, reply), (reply.split()[:2], source), (["ERROR", code], None))
            check("there is a text: " + reply, len(reply.split()) > 3, True)
        for only, want in ((1, ["ERROR", "unusable"]), (0, ["OK", str(agent.mark("only4"))])):
            with inet(agent, socket.AF_INET6) as sock:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
                reply = ask(agent, "only4", [sock.fileno()])
                check("v6 socket, v6only=%d: %s" % (only, reply), reply.split()[:2], want)
        check("what is logged", len(agent.events("tag.denied")) >= 1, True)


@test("the Python and the C example run without privilege and are seen from their binding")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        with open(ROOT + "/lib/examples/tag.py") as example:
            text = example.read().replace("/run/outbind/tag", agent.runtime + "/tag")
        with open(lab.dir + "/tag.py", "w") as out:
            out.write(text)
        program = lab.dir + "/tag"
        shutil.copy(BUILD + "/liboutbind.so", lab.dir + "/liboutbind.so.0")
        os.symlink("liboutbind.so.0", lab.dir + "/liboutbind.so")
        flags = ["-fsanitize=address,undefined"] if "asan" in BUILD else []
        run("gcc", *flags, "-I" + ROOT + "/lib", "-o", program, ROOT + "/lib/examples/tag.c", "-L" + lab.dir,
            "-loutbind", "-Wl,-rpath," + lab.dir)
        os.chmod(program, 0o755)
        python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        env = dict(os.environ, OUTBIND_RUNTIME_DIR=agent.runtime, ASAN_OPTIONS="detect_leaks=0")
        for command in ([program], [python, lab.dir + "/tag.py"]):
            for uid, name, ok in ((4001, "mine", True), (4002, "mine", False), (4001, "nosuch", False)):
                time.sleep(0.2)                 # what the last one still had to say
                capture = lab.capture()
                result = as_user(lab, command + [name, FAR[4], str(PORT)], uid, env)
                what = "%s as %d: %s" % (command[-1], uid, result)
                check(what, result[0] == 0, ok)
                check(what, (pool(11, 4) in result[1]), ok)
                check(what, capture.sources(), {pool(11, 4)} if ok else set())


def as_user(lab, command, uid, env):
    """(exit status, all output) of a program run without privilege in the sender."""
    def before():
        setns(lab.path("sender"))
        os.setgroups([])
        os.setgid(4999)
        os.setuid(uid)
    result = subprocess.run(command, preexec_fn=before, env=env, cwd="/", capture_output=True, text=True, timeout=20)
    return result.returncode, result.stdout + result.stderr


def inet(agent, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    """A socket of the agent's own network namespace; of another one it takes none."""
    with agent.lab.inside("sender"):
        return socket.socket(family, kind)


def fds_of(agent):
    return len(os.listdir("/proc/%d/fd" % agent.pid))


def memory_of(agent):
    """Resident KiB of its own, files not counted."""
    with open("/proc/%d/status" % agent.pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def check_memory(agent, before, most):
    """Resident memory grew by at most `most` KiB; a sanitizer keeps what is freed, so not there."""
    grown = memory_of(agent) - before
    if "asan" not in BUILD:
        check("memory grew by %d KiB, at most %d" % (grown, most), grown < most, True)


def prompt(agent, what):
    """The agent still answers on both sockets in under half a second: the best of three tries."""
    best = []
    for _ in range(3):
        start = time.monotonic()
        with inet(agent) as sock:
            reply = ask(agent, "mine", [sock.fileno()])
        best.append(time.monotonic() - start)
        check(what + ": " + reply, reply[:3], "OK ")
    check("%s: tagged in %.0f ms" % (what, min(best) * 1000), min(best) < 0.5, True)
    best = []
    for _ in range(3):
        start = time.monotonic()
        with call(agent, b'{"method":"org.outbind.ShowBinding","parameters":{"name":"mine"}}\0') as peer:
            check(what, b'"mine"' in peer.recv(65536), True)
        best.append(time.monotonic() - start)
    check("%s: answered in %.0f ms" % (what, min(best) * 1000), min(best) < 0.5, True)


@contextlib.contextmanager
def call(agent, payload=b""):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(5)
        peer.connect(agent.runtime + "/org.outbind")
        if payload:
            peer.sendall(payload)
        yield peer


@test("wrong requests and wrong kinds of descriptors on the tag socket are refused, each with its code")
def _():
    with Lab() as lab:
        lab.serve("sender", (7000,))
        agent = lab.agent(CONF)
        fds = fds_of(agent)

        def kinds():
            plain = open("/etc/hostname" if os.path.exists("/etc/hostname") else __file__, "rb")
            pipe = os.pipe()
            unix = socket.socket(socket.AF_UNIX)
            with lab.inside("sender"):
                connected = socket.create_connection(("127.0.0.1", 7000), 2)
                listening = socket.create_server(("127.0.0.1", 0))
                connected_udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                connected_udp.connect(("127.0.0.1", 9))
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            good, elsewhere = inet(agent), socket.socket()
            return [("file", [plain.fileno()], plain), ("pipe", [pipe[0]], pipe), ("unix", [unix.fileno()], unix),
                    ("connected TCP", [connected.fileno()], connected),
                    ("listening", [listening.fileno()], listening),
                    ("connected UDP", [connected_udp.fileno()], connected_udp),
                    ("packet", [raw.fileno()], raw), ("netlink", [netlink.fileno()], netlink),
                    ("another namespace's", [elsewhere.fileno()], elsewhere), ("none", [], None), ("two", [good.fileno()] * 2, good), ("a hundred", [good.fileno()] * 100, good)]

        for what, list_of, keep in kinds():
            reply = ask(agent, "mine", list_of)
            check("%s: %s" % (what, reply), reply.split()[:2], ["ERROR", "bad-socket"])
            del keep
        with inet(agent) as good:
            for request in (b"", b"\0", b"TAG", b"TAG 1", b"TAG 1 ", b"TAG 2 mine", b"tag 1 mine", b"TAG 1 mine\n",
                            b"TAG 1 " + b"x" * 64, b"TAG 1 a b", b"\xff" * 69, b"x" * 60000):
                reply = "" if not request else ask(agent, request, [good.fileno()])
                if request:
                    check("%r: %s" % (request[:20], reply), reply.split()[0], "ERROR")
        prompt(agent, "afterwards")
        wait_for("no descriptor is kept", lambda: fds_of(agent) <= fds, 2)


@test("a peer that floods, never reads or opens many connections on the tag socket harms nobody")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        prompt(agent, "before")
        fds, peers = fds_of(agent), []
        good = inet(agent)
        memory = memory_of(agent)

        def open_peer():
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            peer.setblocking(False)
            peer.connect(agent.runtime + "/tag")
            return peer
        for _ in range(20):                     # never read what comes back
            peer = open_peer()
            peers.append(peer)
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    peer.sendmsg([b"TAG 1 nosuch"],
                                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [good.fileno()] * 50))])
        prompt(agent, "with peers that never read")
        for _ in range(600):                    # more than it may serve at once
            try:
                peers.append(open_peer())
            except OSError:
                break
        for peer in peers:
            peer.close()
        prompt(agent, "after many connections")
        wait_for("descriptors to be closed", lambda: fds_of(agent) <= fds + 1, 5)
        check_memory(agent, memory, 4096)


@test("many idle connections of one user do not keep another from tagging")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)

        def hog():
            os.setgid(4999)
            os.setuid(4998)
            peers = []
            for _ in range(900):
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                peer.settimeout(0.2)
                try:
                    peer.connect(agent.runtime + "/tag")
                except OSError:
                    break
                peers.append(peer)
            os.write(write, b"x")
            time.sleep(60)

        read, write = os.pipe()
        pid = lab.fork("sender", hog)
        os.read(read, 1)
        reply, source = tagged(lab, agent, "mine", uid=4001, gid=1)
        check("another user: " + reply, source, pool(11, 4))
        lab.end(pid)
        prompt(agent, "afterwards")


@test("garbage, half messages and huge messages on the control socket harm nobody")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        prompt(agent, "before")
        fds, memory, peers = fds_of(agent), memory_of(agent), []
        payloads = [b"\0", b"{}\0", b"[]\0", b"null\0", b"garbage\0", b"\xff\xfe\0", b'{"method":7}\0', b'{"method":""}\0',
                    b'{"method":"org.outbind.NoSuch"}\0', b'{"method":"no.such.Interface"}\0',
                    b'{"method":"org.outbind.GetStatus","parameters":[]}\0',
                    b'{"method":"org.outbind.ShowBinding"}\0', b'{"method":"org.outbind.ShowBinding","parameters":{"name":7}}\0',
                    b'{"method":"org.outbind.Explain","parameters":{"to":"x","port":-1}}\0',
                    b'{"method":"org.outbind.Explain","parameters":{"to":"203.0.113.1","port":99999999999}}\0',
                    b"[" * 100000 + b"\0", b'{"a":' * 40 + b"1" + b"}" * 40 + b"\0", b"x" * (3 << 20),
                    os.urandom(1 << 16), b'{"method":"org.outbind.GetStatus"}\0' * 2000]
        for payload in payloads:
            with call(agent) as peer:
                with contextlib.suppress(OSError):
                    peer.sendall(payload)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(65536):
                        pass
        for half in (b"", b"{", b'{"method":"org.outbind.GetStatus"}', b'{"method":"org.outbind.GetS'):
            for _ in range(10):
                peer = socket.socket(socket.AF_UNIX)
                peer.connect(agent.runtime + "/org.outbind")
                peer.sendall(half)
                peers.append(peer)
        prompt(agent, "with half messages pending")
        for _ in range(10):                     # ask much, read nothing
            peer = socket.socket(socket.AF_UNIX)
            peer.setblocking(False)
            peer.connect(agent.runtime + "/org.outbind")
            with contextlib.suppress(OSError):
                for _ in range(20000):
                    peer.sendall(b'{"method":"org.outbind.GetStatus"}\0')
            peers.append(peer)
        prompt(agent, "with peers that never read")
        for peer in peers:
            peer.close()
        prompt(agent, "afterwards")
        wait_for("descriptors to be closed", lambda: fds_of(agent) <= fds + 1, 5)
        check_memory(agent, memory, 6144)


@test("a user outside the group gets nothing from the control socket, and nobody but root may change")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)

        def attempt(uid, gid, method):
            read, write = os.pipe()

            def work():
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
                try:
                    with call(agent, b'{"method":"%s","parameters":{"name":"mine"}}\0' % method) as peer:
                        os.write(write, peer.recv(4000))
                except OSError as error:
                    os.write(write, b"!" + error.strerror.encode())
            lab.reap(lab.fork("sender", work))
            os.close(write)
            with os.fdopen(read, "rb") as pipe:
                return pipe.read()

        for method in (b"org.outbind.GetStatus", b"org.outbind.ShowBinding", b"org.outbind.Reload",
                       b"org.outbind.Render"):
            got = attempt(4001, 4001, method)
            check("%s: %r" % (method.decode(), got), b"PermissionDenied" in got or got.startswith(b"!Permission denied"), True)
            check("nothing is told", b"198.51.100.11" in got, False)
        check("root", b'"mine"' in attempt(0, 0, b"org.outbind.ShowBinding"), True)
        os.chmod(agent.runtime + "/org.outbind", 0o666)
        got = attempt(4001, 4001, b"org.outbind.ShowBinding")
        check("credentials count, not the file's mode: %r" % got, b"PermissionDenied" in got, True)
        tool = shutil.copy(BUILD + "/outbindctl", lab.dir)     # the tree may be where no user can go
        result = as_user(lab, [tool, "--runtime-dir", agent.runtime, "status"], 4001, dict(os.environ))
        check("exit status: " + result[1], result[0], 4)


@test("varlink clients get GetInfo and the interface description")
def _():
    with Lab() as lab:
        agent = lab.agent(CONF)
        with call(agent, b'{"method":"org.varlink.service.GetInfo"}\0') as peer:
            reply = answer(peer)
        check("interfaces", set(reply["parameters"]["interfaces"]) >= {"org.outbind", "org.varlink.service"}, True)
        for key in ("vendor", "product", "version", "url"):
            check(key, key in reply["parameters"], True)
        request = (b'{"method":"org.varlink.service.GetInterfaceDescription",'
                   b'"parameters":{"interface":"org.outbind"}}\0')
        with call(agent, request) as peer:
            reply = answer(peer)
        with open(ROOT + "/agent/proto/org.outbind.varlink") as file:
            check("description", reply["parameters"]["description"], file.read())
        check("hosts are", HOST[4], "198.51.100.1")

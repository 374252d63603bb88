# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand clients that say nothing, clients that say one octet a second, and ends and reloads under load."""

import json
import os
import resource
import select
import signal
import socket
import threading
import time

from cases import test
from lab import FAR, check, pool
from place import Skip, wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_client import Client, Gone, proxy_header, tcp
from smtp_peer import Manner, SENT

CLIENTS = int(os.environ.get("OUTBIND_CLIENTS", "10000"))
MEMORY_MAX = 100 << 20
BINDINGS = mail_binding("acme", 11) + mail_binding("beta", 12) + mail_binding("last", 13)


def raise_files(wanted):
    """How many descriptors a process may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hold(pipe, count, slow):
    """In a child: that many clients which said EHLO and then wait, and some that never end a line."""
    raise_files(count + 100)
    sockets, greeted = [], 0
    try:
        for n in range(count):
            sock = tcp("127.0.0.1", 2500, bind="127.0.%d.%d" % (1 + n // 200, 1 + n % 200))
            sockets.append(sock)
            greeted += sock.recv(200).startswith(b"220")
            sock.sendall(b"EHLO slow.example\r\n" if n >= slow else b"E")
            if n >= slow:
                got = b""
                while b"\r\n250 " not in got:
                    got += sock.recv(2000)
    except OSError as error:
        os.write(pipe, json.dumps([greeted, str(error)]).encode())
        return
    os.write(pipe, json.dumps([greeted, "ok"]).encode())
    while True:                                 # a slowloris: never a whole line, never quite silent
        for sock in sockets[:slow]:
            try:
                sock.send(b"x")
            except OSError:
                pass
        select.select([], [], [], 1)


def seconds_for(lab, count):
    """How long a fast client needs for so many messages."""
    with lab.client(2500) as client:
        began = time.monotonic()
        for n in range(count):
            outcome = client.transaction("fast@b.example", ["c@d.example"], b"Subject: %d\r\n\r\nx\r\n" % n, True)
            if outcome.code != 250:
                raise AssertionError("message %d: %s" % (n, outcome))
        return time.monotonic() - began


@test("10,000 clients that wait and a slowloris do not stop a fast one, and cost less than 100 MB", seconds=150)
def _():
    if raise_files(CLIENTS + 1000) < CLIENTS + 1000:
        raise Skip("only %d descriptors for a process here" % raise_files(CLIENTS + 1000))
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        with lab.inside("sender"):
            lab.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        relay = lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\nsender \"b.example\" use acme;", smarthost=smarthost(), sessions=CLIENTS + 1000))
        alone = seconds_for(lab, 300)
        read, write = os.pipe()
        lab.fork("sender", hold, write, CLIENTS, 200)
        os.close(write)
        with os.fdopen(read, "rb", buffering=0) as pipe:
            ready, _, _ = select.select([pipe], [], [], 100)
            greeted, why = json.loads(pipe.read(1000)) if ready else (0, "nothing within 100 s")
            check("clients let in: " + why, greeted, CLIENTS)
            memory = relay.memory()
            check("memory of the relay: %d MB" % (memory >> 20), memory < MEMORY_MAX, True)
            crowded = seconds_for(lab, 300)
            print("%d clients, %d KB a client; 300 messages in %.2f s, alone %.2f s" % (
                CLIENTS, memory // CLIENTS >> 10, crowded, alone))
            check("fast enough: %.2f s, alone %.2f s" % (crowded, alone), crowded < alone * 5 + 2, True)
        check("connections of those who wait", receiver.n_connections <= 10, True)
        check("violations", receiver.violations, [])


@test("who opens more sessions than allowed gets 421, and others are served", seconds=60)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost(), client_sessions=20))
        clients = [lab.client(2500) for _ in range(20)]
        with lab.inside("sender"):
            with Client(tcp("127.0.0.1", 2500)) as client:
                check("one too many", client.banner[0], 421)
            with Client(tcp("127.0.0.1", 2500, "127.0.0.2")) as client:
                check("another client", client.banner[0], 220)
        clients.pop().quit()
        wait_for("a place", lambda: try_banner(lab) == 220, 5)
        for client in clients:
            client.sock.close()


def status(relay):
    return json.loads(relay.ctl("relay", "status", "--json", "--relay-socket", relay.path("control")).stdout)


def let_in(open_one, count, address):
    """So many connections from there; those that got a first word."""
    held, sockets = [], [open_one(address) for _ in range(count)]
    for sock, what in sockets:
        try:
            got = sock.recv(len(what))
        except ConnectionResetError:
            got = b""
        if got == what:
            held.append(sock)
        else:
            sock.close()
    return held


@test("limits of sessions hold over all workers, fronts and kinds of fronts, and give way as clients end", seconds=60)
def _():
    def mail(address):
        return tcp("127.0.0.1", 2500, address), b"220"

    def socks(address):
        sock = tcp("127.0.0.1", 2520, address)
        sock.sendall(b"\5\1\0")
        return sock, b"\5\0"

    def header(address):
        sock = tcp("127.0.0.1", 2530, address)
        sock.sendall(proxy_header("192.0.2.1", FAR[4], DESTINATION, "acme"))
        return sock, b"220"

    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block("""listen 127.0.0.1:2500 { name mail; }
            listen 127.0.0.1:2520 { protocol socks5; name socks; }
            listen 127.0.0.1:2530 { protocol proxy; }
            otherwise use acme;""", smarthost=smarthost(), workers=3, sessions=50, client_sessions=20))
        with lab.inside("sender"):
            held = let_in(mail, 30, "127.0.0.1")
            check("of one address at the mail front", len(held), 20)
            check("of the same at others", (len(let_in(socks, 5, "127.0.0.1")), len(let_in(header, 5, "127.0.0.1"))), (0, 0))
            for sock in held[:7]:
                sock.close()
            wait_for("places", lambda: len(let_in(socks, 1, "127.0.0.1")) == 1, 5)
            more = let_in(socks, 30, "127.0.0.2")
            check("of another at SOCKS5", len(more), 20)
            more += let_in(header, 10, "127.0.0.3")
            check("with PROXY headers, whoever they name", len(more), 30)
            wait_for("all places but 7 to be taken", lambda: status(relay)["sessions"] == 43, 5)
            more += let_in(mail, 9, "127.0.0.4")
            check("no more in all", len(more), 37)
            refused = {one["name"]: one["refused"] for one in status(relay)["listeners"]}
            check("refusals: %s" % refused, (refused["mail"], refused["socks"] >= 15), (12, True))
            for sock in held + more:
                sock.close()
            wait_for("the end of all", lambda: status(relay)["sessions"] == 0, 10)
            check("room for others", len(let_in(mail, 20, "127.0.0.5")), 20)


def name_domains(client, first, count):
    """A transaction that names so many new domains, of which one destination can have the first."""
    lines = ["MAIL FROM:<a@b.example>"] + ["RCPT TO:<c@d%d.example>" % n for n in range(first, first + count)] + ["RSET"]
    client.send("\r\n".join(lines + [""]).encode())
    return [client.reply()[0] for _ in lines]


@test("a session that names ever new domains does not grow", seconds=60)
def _():
    with RelayLab() as lab:
        lab.receiver({25: Manner()})
        lab.resolver({"%s %s" % (name, kind): data for n in range(0, 20000, 500) for name, kind, data in (
            ("d%d.example" % n, "MX", ["10 mx.example."]), ("mx.example", "A", ["203.0.113.9"]))})
        relay = lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;"))
        with lab.client(2500) as client:
            for first in range(0, 2000, 500):
                check("of 500 domains", name_domains(client, first, 500), [250, 250] + [452] * 499 + [250])
            before = relay.memory()
            for first in range(2000, 20000, 500):
                name_domains(client, first, 500)
            grown = relay.memory() - before
            check("memory, which grew by %d KB" % (grown >> 10), grown < 1 << 20, True)


def try_banner(lab):
    with lab.inside("sender"), Client(tcp("127.0.0.1", 2500)) as client:
        return client.banner[0]


class Sender(threading.Thread):
    """A client that sends and sends; rows of (sender, acknowledged, code)."""

    def __init__(self, lab, name, stop, slow=False):
        super().__init__(daemon=True)
        self.lab, self.label, self.stop, self.slow, self.rows, self.failed = lab, name, stop, slow, [], None
        self.refused = 0

    def run(self):
        try:
            while not self.stop.is_set():
                try:
                    self.session()
                except (Gone, ConnectionError, socket.timeout):
                    self.refused += 1
                    time.sleep(0.01)
        except BaseException as error:
            self.failed = repr(error)

    def session(self):
        with self.lab.client(2500, hello=False, timeout=20) as client:
            if client.banner[0] != 220 or client.hello()[0] != 250:
                return
            for _ in range(20):
                sender = "%s.%d%s@b.example" % (self.label, len(self.rows), "+end-stall-1" if self.slow else "")
                outcome = client.transaction(sender, ["c@d.example"], b"Subject: x\r\n\r\n" + b"y" * 3000 + b"\r\n", len(self.rows) % 2 == 0)
                self.rows.append((sender, outcome))
                if self.stop.is_set() or outcome.gone or (outcome.last and outcome.last[0] == 421):
                    return


def under_load(lab, count=6):
    stop = threading.Event()
    senders = [Sender(lab, "t%d" % n, stop, slow=n % 3 == 0) for n in range(count)]
    for sender in senders:
        sender.start()
    return stop, senders


def judge(senders, receiver):
    """Nothing acknowledged is missing, nothing arrived twice; (transactions, not acknowledged)."""
    arrived = {}
    for message in receiver.messages:
        arrived[message.sender] = arrived.get(message.sender, 0) + 1
    wrong, refused = [], []
    for thread in senders:
        if thread.failed:
            wrong.append(thread.failed)
        for sender, outcome in thread.rows:
            count = arrived.get(sender, 0)
            if outcome.acknowledged and count != 1:
                wrong.append("%s acknowledged, arrived %d times" % (sender, count))
            if not outcome.acknowledged:
                refused.append("%s: %s" % (sender, outcome))
                if count:
                    wrong.append("%s arrived %d times: %s" % (sender, count, outcome))
    check("what went wrong", "\n".join(wrong[:10]), "")
    receiver.settle()
    check("all replies were sent whole", {message.replied for message in receiver.messages}, {SENT})
    return sum(len(thread.rows) for thread in senders), refused


def later(lab, receiver):
    """Where a message that the rule under change is about comes from now."""
    with lab.client(2500) as client:
        check("reply", client.transaction("x@later.example", ["c@d.example"], b"x\r\n").code, 250)
    return receiver.of_sender("x@later.example")[-1].source


@test("a reload under load loses nothing and refuses nothing; what is new holds for new sessions", seconds=60)
def _():
    text = "listen 127.0.0.1:2500;\nsender \"later.example\" use %s;\notherwise use acme;"
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block(text % "acme", smarthost=smarthost(), workers=2))
        stop, senders = under_load(lab)
        for n in range(10):
            time.sleep(0.2)
            relay.write(BINDINGS + relay_block(text % ("beta" if n % 2 else "acme"), smarthost=smarthost(), workers=2))
            relay.signal(signal.SIGHUP)
        relay.write(BINDINGS + relay_block(text % "last", smarthost=smarthost(), workers=2))
        relay.signal(signal.SIGHUP)
        wait_for("the last rule", lambda: later(lab, receiver) == pool(13, 4), 10, step=0.1)
        relay.write("relay { listen nonsense; }\n")
        relay.signal(signal.SIGHUP)             # refused whole: what holds goes on
        time.sleep(0.3)
        check("still by the last rule", later(lab, receiver), pool(13, 4))
        stop.set()
        for thread in senders:
            thread.join(20)
        count, refused = judge(senders, receiver)
        check("refused: %s" % refused[:3], refused, [])
        check("sessions refused", sum(thread.refused for thread in senders), 0)
        check("transactions: %d" % count, count > 100, True)


@test("the end under load: what is in hand is finished, everybody else gets 421, and nothing is lost or doubled", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        conf = BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost(), workers=2)
        for _ in range(3):
            relay = lab.relay(conf, agent=lab.agents[0] if lab.agents else None)
            stop, senders = under_load(lab)
            with lab.client(2500) as idle:
                time.sleep(0.7)
                began = time.monotonic()
                relay.signal(signal.SIGTERM)
                check("an idle session", idle.reply()[0], 421)
            wait_for("the end", relay.ended, 15)
            check("it took %.1f s" % (time.monotonic() - began), time.monotonic() - began < 5, True)
            stop.set()
            for thread in senders:
                thread.join(20)
            check("exit status", relay.stop(), 0)
            count, refused = judge(senders, receiver)
            check("transactions: %d" % count, count > 30, True)
            lost = [text for text in refused if "421" not in text and "gone" not in text]
            check("refused otherwise", lost, [])
            receiver.forget()


@test("killed under load: nothing that was acknowledged is missing, nothing arrived in part", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        conf = BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost(), workers=2)
        for _ in range(3):
            relay = lab.relay(conf, agent=lab.agents[0] if lab.agents else None)
            stop, senders = under_load(lab)
            time.sleep(0.5)
            relay.kill()
            stop.set()
            for thread in senders:
                thread.join(20)
            time.sleep(0.2)
            arrived = [message.sender for message in receiver.messages]
            said = [sender for thread in senders for sender, outcome in thread.rows if outcome.acknowledged]
            check("missing", [sender for sender in said if sender not in arrived], [])
            check("in part", [message.sender for message in receiver.messages if len(message.text) != 3016], [])
            check("some arrived", len(arrived) > 20, True)
            receiver.forget()

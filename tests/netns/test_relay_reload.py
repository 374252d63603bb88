# SPDX-License-Identifier: GPL-2.0-or-later
"""A reload that takes away or changes what a session waits for: it is told 451, soon, and goes on."""

import threading
import time

from cases import test
from lab import check, pool
from place import wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_peer import Manner
from socketmap import SocketMap

BINDINGS = mail_binding("acme", 11) + mail_binding("beta", 12)
TEXT = b"Subject: x\r\n\r\nx\r\n"


class Tables:
    """Tables "one", which does not answer, and "two", which says NOTFOUND."""

    def __init__(self, lab, answer="NOTFOUND "):
        self.lab, self.answer_now = lab, threading.Event()
        self.one = SocketMap(lab.dir + "/one", self.never)
        self.two = SocketMap(lab.dir + "/two", lambda _: answer)
        lab.closing += [self.one, self.two]

    def never(self, _):
        self.answer_now.wait(30)
        return "NOTFOUND "

    def setting(self, name):
        return '"socketmap:unix:%s/%s:m"' % (self.lab.dir, name)


def while_asked(lab, relay, table, lines, conf):
    """A client sends lines, the last of which makes the relay ask `table`; the configuration is changed then.
    The client, the reply to the last line, and the seconds that it took."""
    client = lab.client(2500)
    for line in lines[:-1]:
        check(line, client.command(line)[0], 250)
    before = len(table.asked)
    client.send(lines[-1].encode() + b"\r\n")
    wait_for("the table to be asked", lambda: len(table.asked) > before, 5)
    began = time.monotonic()
    relay.reload(conf)
    reply = client.reply()
    return client, reply, time.monotonic() - began


@test("another policy-map while the first is asked: 451 at once; then the second is, and no session outlives its rules", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        tables = Tables(lab, "OK beta")
        text = "listen *:2500;\notherwise use acme;"
        conf = {name: BINDINGS + relay_block(text, smarthost=smarthost(), policy_map=tables.setting(name)) for name in ("one", "two")}
        none = BINDINGS + relay_block(text, smarthost=smarthost())
        relay = lab.relay(conf["one"])
        lines = ["MAIL FROM:<a@b.example>"]
        client, reply, seconds = while_asked(lab, relay, tables.one, lines, conf["two"])
        check("told %s after %.1f s" % (reply, seconds), (reply[0], seconds < 2), (451, True))
        check("by the second", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        check("source", receiver.messages[-1].source, pool(12, 4))
        relay.reload(none)
        outcome = client.transaction("a@b.example", ["c@d.example"], TEXT)
        check("its rules stand behind a map: %s" % outcome, outcome.code, 451)
        client.sock.close()
        with lab.client(2500) as client:
            check("a new session", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        check("source", receiver.messages[-1].source, pool(11, 4))
        relay.reload(conf["one"])
        client, reply, _ = while_asked(lab, relay, tables.one, lines, none)
        check("taken away while asked: %s" % (reply,), reply[0], 451)
        client.sock.close()
        relay.reload(conf["one"])
        client = lab.client(2500)
        client.send(b"MAIL FROM:<gone@b.example>\r\n")
        wait_for("the table to be asked", lambda: "sender=gone@" in tables.one.asked[-1], 5)
        client.sock.close()
        relay.reload(none)
        with lab.client(2500) as client:
            check("one that had gone harms nobody", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        check("the end", relay.stop(), 0)


@test("another sts-map while the first is asked: 451; without one, a session that began with it sends nothing", seconds=60)
def _():
    zone = {"d.example MX": ["10 mx.d.example."], "mx.d.example A": ["203.0.113.9"]}
    with RelayLab() as lab:
        lab.receiver({25: Manner()})
        lab.resolver(zone)
        tables = Tables(lab)
        text = "listen *:2500;\notherwise use acme;"
        conf = {name: BINDINGS + relay_block(text, sts_map=tables.setting(name)) for name in ("one", "two")}
        none = BINDINGS + relay_block(text)
        relay = lab.relay(conf["one"])
        lines = ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"]
        client, reply, seconds = while_asked(lab, relay, tables.one, lines, conf["two"])
        check("told %s after %.1f s" % (reply, seconds), (reply[0], seconds < 2), (451, True))
        client.command("RSET")
        check("by the second", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        client.sock.close()
        relay.reload(BINDINGS + relay_block(text, sts_map=tables.setting("two"), reuse="off"))
        with lab.client(2500) as client:
            relay.reload(none)
            outcome = client.transaction("a@b.example", ["c@d.example"], TEXT)
            check("the policy cannot be had: %s" % outcome, outcome.code, 451)
        with lab.client(2500) as client:
            check("a new session", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        check("the end", relay.stop(), 0)


@test("another resolver while the first is asked: the session is told 451, and the next asks the new one", seconds=60)
def _():
    zone = {"d.example MX": ["10 mx.d.example."], "mx.d.example A": ["203.0.113.9"]}
    with RelayLab() as lab:
        lab.receiver({25: Manner()})
        lab.resolver(zone)
        text = "listen *:2500;\notherwise use acme;"
        relay = lab.relay(BINDINGS + relay_block(text, resolver="127.0.0.1:5999"))
        clients = [lab.client(2500, timeout=40) for _ in range(5)]
        for n, client in enumerate(clients):
            check("MAIL", client.command("MAIL FROM:<a@b.example>")[0], 250)
            client.send(b"RCPT TO:<c@d%d.example>\r\n" % n)
        relay.reload(BINDINGS + relay_block(text))
        with lab.client(2500) as client:
            check("by the new one", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
        for client in clients:
            check("asked of the old one", client.reply()[0], 451)
            client.sock.close()
        check("the end", relay.stop(), 0)


@test("look-ups that are open at a resolver that says nothing end with the reload that replaces it", seconds=60)
def _():
    zone = {"d.example MX": ["10 mx.d.example."], "mx.d.example A": ["203.0.113.9"]}
    silent = {"d%d.example MX" % n: "DROP" for n in range(4)}
    silent.update({"d4.example MX": ["10 mx4.example."], "mx4.example A": "DROP", "mx4.example AAAA": "DROP"})
    with RelayLab() as lab:
        lab.receiver({25: Manner()})
        lab.resolver(zone)
        old = lab.resolver(silent, port=5354)
        text = "listen *:2500;\notherwise use acme;"
        relay = lab.relay(BINDINGS + relay_block(text, resolver="127.0.0.1:5354"))
        clients = [lab.client(2500, timeout=40) for _ in range(5)]
        for n, client in enumerate(clients):
            check("MAIL", client.command("MAIL FROM:<a@b.example>")[0], 250)
            client.send(b"RCPT TO:<c@d%d.example>\r\n" % n)
        wait_for("all to be asked", lambda: "mx4.example A" in old.asked and "d3.example MX" in old.asked, 5)
        began = time.monotonic()
        relay.reload(BINDINGS + relay_block(text))
        for client in clients:
            check("asked of the old one", client.reply()[0], 451)
        took = time.monotonic() - began
        check("at once, not after %.1f s" % took, took < 2, True)
        for client in clients:
            client.command("RSET")
            check("asks the new one", client.transaction("a@b.example", ["c@d.example"], TEXT).code, 250)
            client.sock.close()
        check("the end", relay.stop(), 0)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a message must not leave, it does not: 451 with the reason, and no connection at the destination."""

import signal
import socket
import struct
import time

from cases import test
from lab import FAR, check, pool
from place import wait_for
from relay_lab import DESTINATION, RelayLab, mail_binding, relay_block, smarthost
from smtp_client import Client, Gone, Refused, proxy, proxy_header, socks5, tcp, unix
from smtp_peer import Manner

BINDINGS = mail_binding("acme", 11) + mail_binding("only4", 12, families=(4,)) + mail_binding("gone", 13) + \
    "binding forbidden { address %s; }\n" % pool(14, 4)
CONF = BINDINGS + relay_block(
    """listen *:2500 { trust parameter; }
    listen "RUN/smtp" { mode 0666; trust parameter; }
    listen *:2510 { protocol lmtp; trust parameter; }
    listen *:2520 { protocol socks5; }
    listen *:2530 { protocol proxy; }
    """ + "".join('intercept %s { cgroup "/%s.slice"; port 25; listen *:%d; }\nlistener %s use %s;\n' % (name, name, port, name, name)
                  for name, port in (("acme", 2540), ("only4", 2541), ("gone", 2542))) +
    """sender "six.example" use only4 smarthost "[%s]:%d";
    sender "refused.example" reject "not by this way";
    sender "acme.example" use acme;\n""" % (FAR[6], DESTINATION), smarthost=smarthost())
MAIL_FRONTS = ("smtp", "unix", "lmtp")


def connect(relay, front):
    if front == "unix":
        return unix(relay.path("smtp"))
    return tcp("127.0.0.1", {"smtp": 2500, "lmtp": 2510}[front])


def by_mail(lab, relay, front, sender="a@b.example", params="", rcpts=("c@d.example",)):
    """The reply that decided, as (code, text)."""
    with lab.inside("sender"):
        sock = connect(relay, front)
    with Client(sock, front == "lmtp") as client:
        client.hello()
        return client.transaction(sender, list(rcpts), b"x\r\n", params=params).last


def by_intercept(to, port=25):
    """What a client meets: "reset" before any banner, or the first reply that refuses."""
    try:
        with Client(tcp(to, port), timeout=10) as client:
            if client.banner[0] != 220:
                return "%d %s" % client.banner
            reply = client.hello()
            return "%d %s" % (reply if reply[0] != 250 else client.transaction("a@b.example", ["c@d.example"], b"x\r\n").last)
    except (Gone, OSError):
        return "reset"


def expect(lab, relay, receiver, what, name, words, family=4):
    """No front lets a message of that binding out, and each says why."""
    for front in MAIL_FRONTS:
        reply = by_mail(lab, relay, front, params="XOUTBIND=" + name)
        check("%s, %s: %s" % (what, front, reply), (reply[0], any(word in reply[1] for word in words)), (451, True))
    with lab.inside("sender"):
        try:
            socks5(("127.0.0.1", 2520), FAR[family], DESTINATION, user=name).close()
            raise AssertionError("%s: SOCKS5 connected" % what)
        except (Refused, Gone):
            pass
        with proxy(("127.0.0.1", 2530), "192.0.2.7", FAR[4], DESTINATION, authority=name) as sock:
            try:
                got = sock.recv(10)
            except ConnectionResetError:
                got = b""
            check(what + ", PROXY", got, b"")
    check(what + ": connections", receiver.n_connections, 0)


def served(lab, relay, receiver):
    """All fronts work: else refusals prove nothing."""
    for front in MAIL_FRONTS:
        check(front, by_mail(lab, relay, front, params="XOUTBIND=acme")[0], 250)
        check("source", receiver.messages[-1].source, pool(11, 4))
    with lab.inside("sender"):
        socks5(("127.0.0.1", 2520), FAR[4], DESTINATION, user="acme").close()
        with proxy(("127.0.0.1", 2530), "192.0.2.7", FAR[4], DESTINATION, authority="acme") as sock:
            check("banner", sock.recv(4), b"220 ")
    check("intercept", lab.as_client(by_intercept, FAR[4], cgroup=lab.turned("/acme.slice"))[:3], "250")


@test("the agent is dead: 451 and no connection at any front, also not by a session that idles; it comes back: served", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        served(lab, relay, receiver)
        relay.agent.kill()
        wait_for("the relay to see it", lambda: by_mail(lab, relay, "smtp", params="XOUTBIND=acme")[0] == 451, 5)
        n_octets = receiver.n_octets
        receiver.forget()
        expect(lab, relay, receiver, "no agent", "acme", ("agent",))
        check("messages", receiver.messages, [])
        check("octets by connections of before", receiver.n_octets - n_octets < 200, True)
        relay.agent.start()
        wait_for("service", lambda: by_mail(lab, relay, "smtp", params="XOUTBIND=acme")[0] == 250, 10)
        served(lab, relay, receiver)


@test("the agent ends while the relay does not look: who calls then is told so, and the relay serves when it is back", seconds=60)
def _():
    conf = mail_binding("acme", 11) + relay_block("listen *:2500;\notherwise use acme;", smarthost=smarthost())
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(conf)
        check("before", by_mail(lab, relay, "smtp")[0], 250)
        relay.signal(signal.SIGSTOP)
        relay.agent.kill()
        socks = [lab.connect() for _ in range(5)]   # called at accept: asked on a connection that is no more
        relay.signal(signal.SIGCONT)
        for sock in socks:
            with Client(sock) as client:
                check("banner or refusal", client.banner[0] in (220, 421, 451), True)
        wait_for("a refusal", lambda: by_mail(lab, relay, "smtp")[0] == 451, 5)
        relay.agent.start()
        wait_for("service", lambda: by_mail(lab, relay, "smtp")[0] == 250, 10)
        check("the end", relay.stop(), 0)


@test("a binding that is suspended: 451 with that reason, at once, also where a session to the destination idles", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        served(lab, relay, receiver)
        relay.ctl("binding", "suspend", "acme")
        receiver.forget()
        expect(lab, relay, receiver, "suspended", "acme", ("suspend",))
        seen = lab.as_client(by_intercept, FAR[4], cgroup=lab.turned("/acme.slice"))
        check("intercepted: " + seen, seen == "reset" or seen.startswith("4"), True)
        check("connections", receiver.n_connections, 0)
        relay.ctl("binding", "resume", "acme")
        served(lab, relay, receiver)


@test("a binding that is unusable, unknown, not allowed, or lacks the family: 451 with that reason and no connection", seconds=90)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner(), 25: Manner()})
        relay = lab.relay(CONF)
        served(lab, relay, receiver)
        receiver.forget()
        lab.ip("sender", "addr del %s dev eth0" % pool(13, 4), "addr del %s/128 dev eth0" % pool(13, 6))
        relay.agent.wait_event("binding.unusable")
        expect(lab, relay, receiver, "unusable", "gone", ("address", "usable"))
        expect(lab, relay, receiver, "unknown", "nosuch", ("unknown", "no binding", "no such"))
        expect(lab, relay, receiver, "not allowed", "forbidden", ("allow", "may not"))
        for front in MAIL_FRONTS:
            reply = by_mail(lab, relay, front, "a@six.example")
            check("family, %s: %s" % (front, reply), (reply[0], "IPv6" in reply[1] or "famil" in reply[1]), (451, True))
            reply = by_mail(lab, relay, front, "a@refused.example")
            check("rejected, %s: %s" % (front, reply), (reply[0], "not by this way" in reply[1]), (550, True))
            reply = by_mail(lab, relay, front, "a@nobody.example")
            check("no rule, %s: %s" % (front, reply), (reply[0], "no relay rule" in reply[1]), (451, True))
        for name, to in (("gone", FAR[4]), ("only4", FAR[6])):
            seen = lab.as_client(by_intercept, to, cgroup=lab.turned("/%s.slice" % name))
            check("intercepted, %s: %s" % (name, seen), seen == "reset" or seen.startswith("4"), True)
        check("connections", receiver.n_connections, 0)
        check("only4 by IPv4", lab.as_client(by_intercept, FAR[4], cgroup=lab.turned("/only4.slice"))[:3], "250")


@test("intercepted: a destination that refuses, resets or is not there is passed on before any banner", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({26: Manner("connect-reset"), 27: Manner("greeting-close"), 28: Manner("greeting-5xx"), 29: Manner()})
        lab.relay(mail_binding("acme", 11) + relay_block(
            'intercept clients { cgroup "/mail.slice"; port 25-29; listen *:2540; }\notherwise use acme;'))
        for port, want in ((25, ("reset",)), (26, ("reset",)), (27, ("reset", "4")), (28, ("5", "4", "reset")), (29, ("250",))):
            for family in (4, 6):
                seen = lab.as_client(by_intercept, FAR[family], port, cgroup=lab.turned("/mail.slice"))
                check("port %d: %s" % (port, seen), seen.startswith(want), True)
        check("sources", {message.source for message in receiver.messages}, {pool(11, 4), pool(11, 6)})


@test("an address that a socket cannot be bound to: 451 that names it, and no connection; one of a prefix that is local can be had")
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost()))
        lab.ip("sender", "route del local %s dev eth0 table local" % pool(11, 4))   # there, but no socket can have it
        reply = by_mail(lab, relay, "smtp")
        check("reply: %s" % (reply,), (reply[0], pool(11, 4) in reply[1]), (451, True))
        check("connections", receiver.n_connections, 0)
        check("nor does the log say that one was made", [line for line in relay.events("relay.delivery") if "routed" in line], [])
        lab.ip("sender", "route add local 198.51.100.96/27 dev lo", "route add local 2001:db8:1::6:0/112 dev lo")
        lab.ip("receiver", "route add 2001:db8:1::6:0/112 via " + pool(12, 6))
        for address, far in (("198.51.100.99", FAR[4]), ("2001:db8:1::6:7", FAR[6])):
            relay.ctl("binding", "set", "acme", "address", address)
            relay.reload(BINDINGS + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost='"[%s]:%d"' % (far, DESTINATION)))
            reply = by_mail(lab, relay, "smtp")
            check("of a prefix that is local: %s" % (reply,), (reply[0], receiver.messages[-1].source), (250, address))
            wait_for("its line in the log", lambda: 'source="%s"' % address in relay.events("relay.delivery")[-1], 2)


def unanswered(lab, yes):
    """From now on the receiver leaves SYNs without an answer, or takes them again."""
    text = "table inet silent\ndelete table inet silent\n"
    if yes:
        text += "table inet silent { chain input { type filter hook input priority 0; tcp flags syn / syn,ack drop; }; }\n"
    lab.run("receiver", "nft", "-f", "-", text=text)


@test("a SOCKS5 or PROXY client that goes away while its destination is called: the call ends, nobody is reached", seconds=60)
def _():
    conf = mail_binding("acme", 11) + relay_block(
        "listen 127.0.0.1:2520 { protocol socks5; }\nlisten 127.0.0.1:2530 { protocol proxy; }\notherwise use acme;")
    ask = b"\x05\x01\x00\x05\x01\x00\x01" + socket.inet_aton(FAR[4]) + struct.pack("!H", DESTINATION)
    header = proxy_header(pool(11, 4), FAR[4], DESTINATION)
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(conf)
        for port, says, how in ((2520, ask, "close"), (2520, ask, "reset"), (2520, ask + b"early", "close"), (2530, header, "reset")):
            unanswered(lab, True)
            before = len(relay.events("relay.connection"))
            sock = lab.connect(port=port)
            sock.sendall(says)
            wait_for("the client", lambda: relay.sessions() == 1, 3)
            time.sleep(0.3)                     # the first SYN is lost by now, the next comes after a second
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            unanswered(lab, False)
            wait_for("the end of the session: %d, %s" % (port, how), lambda: relay.sessions() == 0, 0.5)
            time.sleep(1.2)
            check("connections, %d, %s" % (port, how), receiver.n_connections, 0)
            wait_for("its line", lambda: len(relay.events("relay.connection")) == before + 1, 3)
            line = relay.events("relay.connection")[-1]
            check("the line: " + line, "outcome=refused" in line and "went away" in line, True)


@test("a PROXY client that has said all and closed its half is served, and what came early is not lost", seconds=40)
def _():
    conf = mail_binding("acme", 11) + relay_block(
        "listen 127.0.0.1:2520 { protocol socks5; }\nlisten 127.0.0.1:2530 { protocol proxy; }\notherwise use acme;")
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        lab.relay(conf)
        unanswered(lab, True)
        dialogue = b"EHLO early.example\r\nNOOP\r\nQUIT\r\n"
        ask = b"\x05\x01\x00\x05\x01\x00\x01" + socket.inet_aton(FAR[4]) + struct.pack("!H", DESTINATION)
        with lab.connect(port=2530) as half, lab.connect(port=2520) as early:
            half.sendall(proxy_header(pool(11, 4), FAR[4], DESTINATION))
            early.sendall(ask)
            time.sleep(0.2)
            half.sendall(dialogue[:10])
            early.sendall(dialogue[:10])
            time.sleep(0.1)
            half.sendall(dialogue[10:])
            early.sendall(dialogue[10:])
            half.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
            unanswered(lab, False)
            for sock in (half, early):
                sock.settimeout(10)
                got = b""
                while b"\r\n221 " not in got:
                    octets = sock.recv(4096)
                    if not octets:
                        break
                    got += octets
                check("answers: %r" % got, b"220 " in got and b"\r\n221 " in got, True)
        check("connections", receiver.n_connections, 2)

# SPDX-License-Identifier: GPL-2.0-or-later
"""outbind-relay as a program: its sockets handed over by systemd, --check, users of a SASL server."""

import base64
import contextlib
import os
import signal
import socket

from cases import test
from lab import BUILD, check, pool
from relay_lab import DESTINATION, RelayLab, certificate, mail_binding, relay_block, smarthost
from smtp_peer import Manner
from unix_server import UnixServer

ACME = mail_binding("acme", 11)
# What systemd does for a service with sockets, sd_listen_fds(3); they block, as systemd's do.
ACTIVATE = """
import os, socket, sys
path, command = sys.argv[1], sys.argv[2:]
inet, local = socket.socket(), socket.socket(socket.AF_UNIX)
inet.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
inet.bind(("127.0.0.1", 2500))
local.bind(path)
inet.listen(100)
local.listen(100)
for number, fd in enumerate([os.dup(inet.fileno()), os.dup(local.fileno())]):  # neither of them is 3 or 4
    os.dup2(fd, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(command[0], command)
"""


@test("sockets that systemd hands over are used as they are, by every worker, and outlive a stop of the relay", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        text = 'listen 127.0.0.1:2500;\nlisten "RUN/lmtp" { protocol lmtp; }\notherwise use acme;'
        relay = lab.relay(ACME + relay_block(text, workers=3, smarthost=smarthost()), start=False)
        plain = relay.command()
        relay.command = lambda: ["/usr/bin/python3", "-c", ACTIVATE, relay.path("lmtp")] + plain
        relay.start()
        with contextlib.ExitStack() as held:        # none of the workers waits in accept() meanwhile
            clients = [held.enter_context(lab.client(port, lmtp=port != 2500))
                       for port in (2500, relay.path("lmtp")) for _ in range(12)]
            for n, client in enumerate(clients):
                check("reply", client.transaction("a@b.example", ["x%d@d.example" % n], b"x\r\n").acknowledged, True)
        check("arrived", len(receiver.messages), len(clients))
        check("the end", relay.stop(), 0)
        check("the socket file stays, it is systemd's", os.path.exists(relay.path("lmtp")), True)


@test("`outbind-relay --check`: silent and 0 if all is well, else the place, what was found, and 2; nothing is opened", seconds=60)
def _():
    with RelayLab() as lab:
        cert, key = certificate(lab.dir)
        conf = lab.dir + "/checked.conf"

        def verdict(text):
            with open(conf, "w") as out:
                out.write(ACME + relay_block(text, smarthost=smarthost()))
            ended = lab.run("sender", BUILD + "/outbind-relay", "--check", "--config", conf, ok=False)
            return ended.returncode, (ended.stdout + ended.stderr).replace(lab.dir + "/", "")

        tls = 'listen 127.0.0.1:2500 { tls offered; certificate "%s"; key "%s"; }\notherwise use acme;'
        with lab.inside("sender"):
            taken = socket.create_server(("127.0.0.1", 2500))
        with taken:
            check("well, whoever has the port", verdict(tls % (cert, key)), (0, ""))
        code, said = verdict("listen 127.0.0.1:2500;\notherwise use nobody;")
        check("what may come at run time is no error: " + said, (code, "warning: binding 'nobody'" in said), (0, True))
        for text, want in (("listen 127.0.0.1:99999;\notherwise use acme;", "checked.conf:7:8: "),
                           ("listen 127.0.0.1:2500;\notherwise use acme; surprise;", "surprise"),
                           (tls % (lab.dir + "/none.pem", key), "none.pem"),
                           (tls % (cert, conf), "checked.conf")):
            code, said = verdict(text)
            check("%s: %s" % (text, said), (code, want in said), (2, True))


class Sasl(UnixServer):
    """An authentication server by Dovecot's client protocol, version 1.1."""

    def __init__(self, path, users):
        self.users = users
        super().__init__(path)

    def serve(self, sock):
        sock.settimeout(5)
        sock.sendall(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")
        pending = b""
        while b"resp=" not in pending or not pending.endswith(b"\n"):
            got = sock.recv(4096)
            if not got:
                return
            pending += got
        _, user, password = base64.b64decode(pending.rpartition(b"resp=")[2]).split(b"\0")
        answer = self.users.get((user.decode(), password.decode()), "FAIL\t%s")
        if answer:
            for octet in (answer % "1" + "\tuser=" + user.decode() + "\n").encode():
                sock.sendall(bytes([octet]))


@test("users of a SASL server log in by its word; while it cannot say, nobody does, and is told to come again", seconds=60)
def _():
    with RelayLab() as lab:
        receiver = lab.receiver({DESTINATION: Manner()})
        sasl = Sasl(lab.dir + "/sasl", {("ann", "right"): "OK\t%s", ("ann", "later"): "FAIL\t%s\ttemp", ("ann", "broken"): ""})
        lab.closing.append(sasl)
        lab.relay(ACME + relay_block('listen 127.0.0.1:2500 { auth socket "%s"; auth plain-text; }\nauth "ann" use acme;' % (
            lab.dir + "/sasl"), smarthost=smarthost()))
        for user, password, code in (("ann", "right", 235), ("ann", "wrong", 535), ("ann", "later", 454), ("ann", "broken", 454),
                                     ("ann\0ann", "right", 501), ("nobody", "right", 535), ("", "right", 501)):
            with lab.client(2500) as client:
                reply = client.login(user, password)
                check("%s %s: %s" % (user, password, reply), reply[0], code)
                outcome = client.transaction("a@b.example", ["x@d.example"], b"x\r\n")
                check("%s %s: %s" % (user, password, outcome), outcome.code, 250 if code == 235 else 451)
        sasl.close()
        os.unlink(lab.dir + "/sasl")
        with lab.client(2500) as client:
            check("nobody listens", client.login("ann", "right")[0], 454)
        check("arrived", len(receiver.messages), 1)


@test("a second SIGTERM ends what the first let finish, and its lines in the log say where it was going", seconds=60)
def _():
    with RelayLab() as lab:
        lab.receiver({DESTINATION: Manner()})
        relay = lab.relay(ACME + relay_block("listen 127.0.0.1:2500;\notherwise use acme;", smarthost=smarthost()))
        with lab.client(2500) as idle, lab.client(2500) as client:
            check("MAIL", client.command("MAIL FROM:<a@b.example>")[0], 250)
            check("RCPT", client.command("RCPT TO:<c@d.example>")[0], 250)
            relay.signal(signal.SIGTERM)
            check("who has nothing in hand", idle.reply()[0], 421)
            check("the end", relay.stop(), 0)
        line, = relay.events("relay.delivery")
        for word in ('outcome=aborted', 'member="acme"', 'source="%s"' % pool(11, 4), " to=[", " reused=no"):
            check("%s in %s" % (word, line), word in line, True)

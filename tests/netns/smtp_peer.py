# SPDX-License-Identifier: GPL-2.0-or-later
"""A destination that records what it got, to the octet, and fails where it is told to.

Receiver listens on ports of its own, in the namespace in which it was made, a thread a connection.
What it does wrong is a Fault, written VERB-WHAT-AT, from two places: a Manner, for every connection of a
port or for the first ones of it (greeting, EHLO, STARTTLS are only there); and the envelope, so that a client
decides for each message: "m17+end-cut-3@acme.example" as a sender, "r+rcpt-4xx@..." as a recipient.

It is strict about its client: whatever breaks RFC 5321, or was not offered, is in `violations`.
A message is recorded, with all that is known of it, before it is acknowledged; `replied` says how
much of the acknowledgement was sent.
"""

import collections
import contextlib
import re
import socket
import ssl
import struct
import threading
import time

from traffic import plain

CAPS = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN", "CHUNKING", "VRFY")
LINE_MAX = 2048
SENT = "sent whole"

Fault = collections.namedtuple("Fault", "verb what at")


def fault(text):
    """VERB-WHAT or VERB-WHAT-AT as a Fault."""
    verb, what, *at = text.split("-")
    return Fault(verb.upper(), what, int(at[0]) if at else 0)


def fault_of(address):
    """The fault that an address asks for, or None."""
    match = re.search(r"\+([a-z]+-[0-9a-z]+(-\d+)?)@", address)
    return fault(match[1]) if match else None


class Manner:
    """How the receiver behaves at one port."""

    def __init__(self, *faults, caps=CAPS, tls=None, lmtp=False, script=None, messages=0, name="mx.receiver.example"):
        self.faults = {found.verb: found for found in map(fault, faults)}
        self.caps, self.tls, self.lmtp, self.name = tuple(caps), tls, lmtp, name
        self.script = script                    # faults of the first, second, ... connection; then none
        self.messages = messages                # closes after so many, without a word

    def faults_of(self, number):
        if self.script is None:
            return self.faults
        texts = self.script[number] if number < len(self.script) else ()
        return {found.verb: found for found in map(fault, texts)}

    def offers(self, word):
        return any(cap.split()[0] == word for cap in self.caps)


class Message:
    def __init__(self, peer, sender, params):
        self.source, self.port, self.helo = peer.source, peer.port, peer.helo
        self.connection, self.tls, self.to = peer.number, peer.tls, peer.local
        self.sender, self.params = sender, params
        self.rcpts, self.rcpt_params, self.content, self.replied = [], [], None, ""

    @property
    def trace(self):
        """The first Received field with its lines, or b""."""
        match = re.match(rb"Received:.*\r\n(?:[ \t].*\r\n)*", self.content)
        return match[0] if match else b""

    @property
    def text(self):
        """Content without the first Received field."""
        return self.content[len(self.trace):]


class Gone(Exception):
    """The connection has ended, or is to be ended: "close" or "reset"."""


def unstuff(raw, violations):
    """Content of what stood between 354 and the final dot."""
    if re.search(rb"(?:^|\r\n)\.(?!\.)", raw):
        violations.append("a line that begins with a dot was not stuffed")
    if re.search(rb"[^\r]\n|^\n|\r[^\n]|\r\Z", raw):
        violations.append("bare CR or LF in the text of a message")
    if raw.startswith(b".."):
        raw = raw[1:]
    return raw.replace(b"\r\n..", b"\r\n.")


class Peer:
    """One connection."""

    def __init__(self, receiver, manner, sock, address, number):
        self.receiver, self.manner, self.sock, self.number = receiver, manner, sock, number
        self.source = plain(address[0])
        self.local, self.port = plain(sock.getsockname()[0]), sock.getsockname()[1]
        self.faults, self.pending = manner.faults_of(number), b""
        self.helo, self.tls, self.message, self.n_messages, self.out_of_step = None, None, None, 0, False

    # --- bytes ----------------------------------------------------------------------------------

    def blame(self, text):
        self.receiver.violations.append("connection %d of port %d: %s" % (self.number, self.port, text))

    def read(self, size=65536):
        try:
            got = self.sock.recv(size)
        except OSError:
            got = b""
        if not got:
            raise Gone("close")
        self.receiver.n_octets += len(got)
        return got

    def drain(self, seconds):
        """Take and say nothing until the client ends it, or so long."""
        self.sock.settimeout(seconds)
        while self.read():
            pass

    def line(self):
        while b"\n" not in self.pending:
            if len(self.pending) > 65536:
                self.blame("a line without end")
                raise Gone("close")
            self.pending += self.read()
        line, _, self.pending = self.pending.partition(b"\n")
        if not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line or len(line) > LINE_MAX:
            self.blame("not a good line: %r" % line[:200])
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except OSError:
            raise Gone("close") from None

    def reply(self, code, *lines):
        """Send a reply whole."""
        self.send(reply_octets(code, *lines))

    def answer(self, verb, code, *lines, fault=None):
        """The reply to a verb, or what is to come instead of it. True if it was this reply."""
        fault = fault or self.faults.get(verb)
        if verb not in ("GREETING", "QUIT", "DATA", "END") and self.pending and not self.out_of_step and \
                not self.manner.offers("PIPELINING"):
            self.blame("pipelined, but that was not offered: %r" % self.pending[:80])
        if not fault:
            self.reply(code, *lines)
            return True
        return self.spoil(fault, code, lines)

    def spoil(self, fault, code, lines):
        good = reply_octets(code, *lines)
        what, at = fault.what, fault.at
        if what in ("4xx", "5xx"):
            self.reply(*{"4xx": (451, "4.3.2 try again"), "5xx": (550, "5.7.1 not wanted")}[what])
            return False
        if what == "421":
            self.reply(421, "4.3.2 going down")
            raise Gone("close")
        if what in ("close", "reset"):
            raise Gone(what)
        if what == "cut":
            self.send(good[:min(at, len(good) - 1)])
            raise Gone("close")
        if what == "stall":                     # in tenths of a second; then as if nothing had been
            self.receiver.sleep(at / 10)
            self.send(good)
            return True
        if what == "hang":                      # says no more
            self.drain(at / 10 if at else None)
        if what == "drip":
            for octet in good:
                self.send(bytes([octet]))
            return True
        if what == "extra":
            self.out_of_step = True
            self.send(good + b"250 2.0.0 one too many\r\n")
            return True
        self.send(BAD_REPLIES[what](code))
        self.drain(1)                           # the client has to see to it that this ends

    # --- the dialogue ---------------------------------------------------------------------------

    def run(self):
        end = "close"
        try:
            if self.manner.tls and self.manner.offers("IMPLICIT"):
                self.start_tls()
            if self.answer("GREETING", 220, self.manner.name + " ESMTP receiver"):
                while self.command(self.line()):
                    pass
        except Gone as gone:
            end = str(gone)
        finally:
            with contextlib.suppress(OSError):
                if end == "reset":
                    self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.close()

    def command(self, line):
        word, _, rest = line.partition(" ")
        verb = word.upper()
        if verb == "HELO" or verb == ("LHLO" if self.manner.lmtp else "EHLO"):
            return self.hello(verb, rest)
        run = {"MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.text, "STARTTLS": self.starttls}.get(verb)
        if verb == "QUIT":
            self.answer("QUIT", 221, "2.0.0 bye")
            return False
        if verb in ("RSET", "NOOP"):
            if verb == "RSET":
                self.message = None
            self.answer(verb, 250, "2.0.0 ok")
        elif run and (self.helo or verb == "STARTTLS"):
            run(rest)
        else:
            self.blame("not a command here: %r" % line[:200])
            self.reply(503, "5.5.1 bad sequence of commands")
        return True

    def hello(self, verb, name):
        self.message, self.faults = None, self.manner.faults_of(self.number)
        caps = [cap for cap in self.manner.caps if cap != "IMPLICIT"]
        if self.manner.tls and not self.tls and "IMPLICIT" not in self.manner.caps:
            caps.append("STARTTLS")
        if verb == "HELO":
            caps = []
        if self.answer("EHLO", 250, self.manner.name + " hello", *caps):
            self.helo = name
            self.receiver.helos.append((self.source, name))
        return True

    def starttls(self, _):
        if not self.manner.tls or self.tls:
            self.blame("STARTTLS was not offered")
            self.reply(502, "5.5.1 no")
        elif self.answer("STARTTLS", 220, "2.0.0 go ahead"):
            if self.pending:
                self.blame("bytes behind STARTTLS")
            self.start_tls()

    def start_tls(self):
        handshake = self.faults.get("HANDSHAKE")
        if handshake and handshake.what == "close":
            raise Gone("close")
        if handshake:
            self.send(b"this is no TLS\r\n")
            raise Gone("close")
        try:
            self.sock = self.manner.tls.wrap_socket(self.sock, server_side=True)
        except (ssl.SSLError, OSError):
            raise Gone("close") from None
        self.tls, self.helo, self.pending = self.sock.version(), None, b""

    def params(self, rest, allowed):
        address, _, params = rest.partition(">")
        params = params.split()
        for word in params:
            cap = allowed.get(word.split("=")[0].upper())
            if not cap or not self.manner.offers(cap):
                self.blame("parameter %s was not offered" % word)
        return address.partition("<")[2], params

    def mail(self, rest):
        sender, params = self.params(rest, {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8",
                                            "RET": "DSN", "ENVID": "DSN"})
        if self.message or not rest.upper().startswith("FROM:<"):
            self.blame("MAIL where it cannot stand: %r" % rest[:100])
        found = fault_of(sender)
        self.faults = dict(self.manner.faults_of(self.number), **({found.verb: found} if found else {}))
        if self.answer("MAIL", 250, "2.1.0 sender ok"):
            self.message = Message(self, sender, params)

    def rcpt(self, rest):
        rcpt, params = self.params(rest, {"NOTIFY": "DSN", "ORCPT": "DSN"})
        if not self.message:
            self.reply(503, "5.5.1 no sender")
        elif self.answer("RCPT", 250, "2.1.5 recipient ok", fault=fault_of(rcpt)):
            self.message.rcpts.append(rcpt)
            self.message.rcpt_params.append(params)

    def text(self, _):
        if not self.message or not self.message.rcpts:
            self.reply(503 if not self.message else 554, "5.5.1 no valid recipients")
            return
        if self.pending and not self.out_of_step:
            self.blame("text before it was asked for")
        if self.answer("DATA", 354, "go on"):
            self.finish(self.body())

    def body(self):
        """Bytes up to and without the final dot's line."""
        raw, start = bytearray(self.pending), 0
        broken = self.faults.get("BODY")
        while True:
            if broken and len(raw) >= broken.at:
                self.break_body(broken)
                broken = None
            if raw.startswith(b".\r\n"):
                end = 0
                break
            at = raw.find(b"\r\n.\r\n", max(0, start - 4))
            if at >= 0:
                end = at + 2
                break
            start = len(raw)
            raw += self.read(262144)
        self.pending = bytes(raw[end + 3:])
        return bytes(raw[:end])

    def break_body(self, broken):
        if broken.what == "421":
            self.reply(421, "4.3.2 going down in the middle")
        elif broken.what == "stall":
            self.receiver.sleep(0.2)
            return
        elif broken.what == "hang":
            self.drain(None)
        raise Gone("reset" if broken.what == "reset" else "close")

    def finish(self, raw):
        """The dot has come."""
        message, self.message = self.message, None
        if self.pending and not self.out_of_step and not self.manner.offers("PIPELINING"):
            self.blame("pipelined behind the dot, but that was not offered")
        if re.search(rb"[\x80-\xff]", raw) and not self.manner.offers("8BITMIME"):
            self.blame("8-bit text, but 8BITMIME was not offered")
        message.content = unstuff(raw, self.receiver.violations)
        fault = self.faults.get("END")
        refused = fault and fault.what in ("close", "reset", "4xx", "5xx", "421")
        if not refused:
            self.receiver.record(message)
        if fault and fault.what == "lost":      # recorded, and not a word about it
            raise Gone("close")
        message.replied = "in part"
        count = len(message.rcpts) if self.manner.lmtp else 1
        for _ in range(count):
            if self.answer("END", 250, "2.0.0 recorded"):
                message.replied = SENT
        self.n_messages += 1
        if self.n_messages == self.manner.messages:
            raise Gone("close")


def reply_octets(code, *lines):
    text = ["%d%s%s\r\n" % (code, " " if n == len(lines) - 1 else "-", line) for n, line in enumerate(lines)]
    return "".join(text).encode()


BAD_REPLIES = {                                 # none of them is a reply
    "garbage": lambda code: b"\0\xff\xfe no reply at all \x1b[2J\r\n",
    "long": lambda code: b"%d " % code + b"x" * 100000 + b"\r\n",
    "lines": lambda code: b"%d-more\r\n" % code * 1000 + b"%d end\r\n" % code,
    "barelf": lambda code: b"%d ok\n%d ok\r\n" % (code, code),
    "onlylf": lambda code: b"%d ok\n" % code,
    "barecr": lambda code: b"%d ok\r%d ok\r\n" % (code, code),
    "mixed": lambda code: b"%d-good\r\n450 bad\r\n" % code,
    "short": lambda code: b"%d\r\n" % (code // 10),
    "letters": lambda code: b"2x0 ok\r\n",
    "high": lambda code: b"999 ok\r\n",
    "endless": lambda code: b"x" * 300000,
}


class Receiver:
    """Listeners by port and all that came by them. To be made inside the namespace it listens in."""

    def __init__(self, manners):
        self.messages, self.violations, self.helos = [], [], []
        self.n_octets, self.n_connections, self.stopped = 0, 0, threading.Event()
        self.manners, self.listeners, self.peers = {}, {}, {}
        self.lock = threading.Lock()
        self.counts = collections.Counter()     # connections, by port
        for port, manner in manners.items():
            self.listen(port, manner)

    def listen(self, port, manner):
        """Listen there, or change how that port behaves."""
        self.manners[port] = manner
        self.counts[port] = 0
        if port in self.listeners:
            return
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(("::", port))
        sock.listen(1024)
        self.listeners[port] = sock
        threading.Thread(target=self.accept, args=(port, sock), daemon=True).start()

    def accept(self, port, listener):
        while not self.stopped.is_set():
            try:
                sock, address = listener.accept()
            except OSError:
                return
            with self.lock:
                number = self.counts[port]
                self.counts[port] += 1
                self.n_connections += 1
            fault = self.manners[port].faults_of(number).get("CONNECT")
            if fault:
                if fault.what == "reset":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                continue
            peer = Peer(self, self.manners[port], sock, address, number)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        self.peers[id(peer)] = peer
        try:
            peer.run()
        finally:
            self.peers.pop(id(peer), None)

    def record(self, message):
        self.messages.append(message)

    def sleep(self, seconds):
        self.stopped.wait(seconds)

    def of_sender(self, sender):
        return [message for message in list(self.messages) if message.sender == sender]

    def settle(self, seconds=2):
        """Wait until what was recorded is acknowledged."""
        end = time.monotonic() + seconds
        while any(message.replied != SENT for message in self.messages) and time.monotonic() < end:
            time.sleep(0.002)

    def forget(self):
        """Start anew: nothing was seen yet."""
        self.messages, self.violations, self.helos = [], [], []
        self.n_connections = 0
        self.counts.clear()

    def drop_connections(self):
        """Break all that are open now."""
        for peer in list(self.peers.values()):
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.stopped.set()
        for sock in self.listeners.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.drop_connections()

    def wait(self, count, seconds=10):
        """The messages, once there are so many."""
        end = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < end:
            time.sleep(0.005)
        return list(self.messages)

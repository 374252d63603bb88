# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of SMTP and LMTP on a bare socket, which can stop, split and break off at any byte.

A Client is one connection. transaction() sends one message, in groups or a command at a time, and
tells what it was answered; what it was not is None. `budget` is how many octets the client still sends
before it breaks off, in the middle of whatever that is.
"""

import base64
import re
import socket
import ssl
import struct

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Gone(Exception):
    """The other side has closed."""


class BrokenOff(Exception):
    """We have, as it was planned."""


class Outcome:
    """Replies to the commands of a transaction as (code, text), None where there was none."""

    def __init__(self):
        self.mail, self.rcpts, self.text, self.ends = None, [], None, []
        self.dot_sent = self.gone = self.silent = False

    @property
    def accepted(self):
        """Which recipients were accepted, by position."""
        return [n for n, reply in enumerate(self.rcpts) if reply and reply[0] == 250]

    @property
    def code(self):
        """Code of the reply that decided."""
        replies = self.ends or ([self.text] if self.text else []) or \
            [reply for reply in self.rcpts if reply] or ([self.mail] if self.mail else [])
        return replies[-1][0] if replies else None

    @property
    def last(self):
        replies = [self.mail] + self.rcpts + [self.text] + self.ends
        return next((reply for reply in reversed(replies) if reply), None)

    @property
    def refusal(self):
        """The first reply that is no success, or None."""
        replies = [self.mail] + self.rcpts + [self.text] + self.ends
        return next((reply for reply in replies if reply and reply[0] >= 400), None)

    @property
    def acknowledged(self):
        """2xx to the dot; of LMTP, to any recipient's."""
        return any(reply and reply[0] // 100 == 2 for reply in self.ends)

    def __repr__(self):
        return "mail=%s rcpts=%s text=%s ends=%s%s%s" % (
            self.mail, self.rcpts, self.text, self.ends, " dot" if self.dot_sent else "", " silent" if self.silent else " gone" if self.gone else "")


def stuff(content):
    """Content as it stands on the wire, with the final dot; it should end with CRLF."""
    wire = content.replace(b"\r\n.", b"\r\n..")
    if wire.startswith(b"."):
        wire = b"." + wire
    return wire + (b"" if content.endswith(b"\r\n") or not content else b"\r\n") + b".\r\n"


class Client:
    def __init__(self, sock, lmtp=False, name="client.example", timeout=30, greet=True):
        self.sock, self.lmtp, self.name, self.pending = sock, lmtp, name, b""
        self.budget, self.sent, self.reset, self.split = None, 0, False, 0
        self.caps = {}
        sock.settimeout(timeout)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.banner = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- bytes ----------------------------------------------------------------------------------

    def send(self, octets):
        """Send; with `split`, so many octets a segment; with `budget`, no more than that."""
        if self.budget is not None and len(octets) >= self.budget:
            self._send(octets[:self.budget])
            self.break_off()
            raise BrokenOff()
        self._send(octets)
        if self.budget is not None:
            self.budget -= len(octets)

    def _send(self, octets):
        try:
            if self.split:
                for at in range(0, len(octets), self.split):
                    self.sock.sendall(octets[at:at + self.split])
            else:
                self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            raise Gone("while sending") from None
        self.sent += len(octets)

    def break_off(self):
        if self.reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def line(self):
        while b"\r\n" not in self.pending:
            try:
                got = self.sock.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                got = b""
            if not got:
                raise Gone("after %r" % self.pending[:200])
            self.pending += got
        line, _, self.pending = self.pending.partition(b"\r\n")
        if b"\n" in line or b"\r" in line:
            raise AssertionError("a bare CR or LF in a reply: %r" % line[:200])
        return line.decode("utf-8", "replace")

    def reply(self):
        """(code, text); lines of the text are joined by newlines."""
        lines = []
        while True:
            line = self.line()
            if not re.match(r"[2-5][0-9][0-9]([ -]|$)", line):
                raise AssertionError("not a reply: %r" % line[:200])
            if lines and line[:3] != lines[0][:3]:
                raise AssertionError("a reply of two codes: %r" % (lines + [line]))
            lines.append(line)
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(text[4:] for text in lines)

    def command(self, line):
        self.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self.reply()

    # --- commands -------------------------------------------------------------------------------

    def hello(self, verb=None):
        """EHLO or LHLO; returns the reply, and has `caps` from it."""
        reply = self.command("%s %s" % (verb or ("LHLO" if self.lmtp else "EHLO"), self.name))
        words = [line.split() for line in reply[1].splitlines()[1:]] if reply[0] == 250 else []
        self.caps = {line[0].upper(): line[1:] for line in words if line}
        return reply

    def starttls(self, context, inject=b""):
        self.send(b"STARTTLS\r\n" + inject)
        reply = self.reply()
        if reply[0] == 220:
            self.sock = context.wrap_socket(self.sock, server_hostname="relay.example")
            self.pending = b""
        return reply

    def login(self, user, password):
        octets = b"\0" + user.encode() + b"\0" + password.encode()
        return self.command("AUTH PLAIN " + base64.b64encode(octets).decode())

    def transaction(self, sender, rcpts, content, pipelined=False, params="", rcpt_params=None):
        """One message; what was said is in the outcome also if the connection breaks."""
        outcome = Outcome()
        try:
            (self._grouped if pipelined else self._stepwise)(outcome, sender, rcpts, content, params, rcpt_params or "")
        except (Gone, BrokenOff) as end:
            outcome.gone = True
            outcome.why = str(end)
        except socket.timeout:
            outcome.gone = outcome.silent = True
        return outcome

    def _mail(self, sender, params):
        return "MAIL FROM:<%s>%s\r\n" % (sender, " " + params if params else "")

    def _rcpt(self, rcpt, params):
        return "RCPT TO:<%s>%s\r\n" % (rcpt, " " + params if params else "")

    def _stepwise(self, outcome, sender, rcpts, content, params, rcpt_params):
        outcome.mail = self.command(self._mail(sender, params)[:-2])
        if outcome.mail[0] // 100 != 2:
            return
        for rcpt in rcpts:
            outcome.rcpts.append(self.command(self._rcpt(rcpt, rcpt_params)[:-2]))
        if not outcome.accepted:
            self.command("RSET")
            return
        outcome.text = self.command("DATA")
        if outcome.text[0] // 100 != 3:
            self.command("RSET")
        self._body(outcome, content)

    def _grouped(self, outcome, sender, rcpts, content, params, rcpt_params):
        lines = [self._mail(sender, params)] + [self._rcpt(rcpt, rcpt_params) for rcpt in rcpts] + ["DATA\r\n"]
        self.send("".join(lines).encode("utf-8", "surrogateescape"))
        outcome.mail = self.reply()
        for _ in rcpts:
            outcome.rcpts.append(self.reply())
        outcome.text = self.reply()
        if outcome.text[0] == 354 and not outcome.accepted:
            content = b""
        elif outcome.text[0] // 100 != 3:
            if outcome.mail[0] // 100 == 2:
                self.command("RSET")
            return
        self._body(outcome, content)

    def _body(self, outcome, content):
        if outcome.text[0] != 354:
            return
        wire = content if isinstance(content, Raw) else stuff(content)
        try:
            self.send(bytes(wire))
        except BrokenOff:
            outcome.dot_sent = self.budget == len(wire)
            raise
        outcome.dot_sent = True
        for _ in outcome.accepted if self.lmtp else (0,):
            outcome.ends.append(self.reply())

    def quit(self):
        try:
            return self.command("QUIT")
        finally:
            self.sock.close()


class Raw(bytes):
    """What goes on the wire as it is, in place of content."""


# --- ways to the relay ------------------------------------------------------------------------------


def tcp(address, port, bind=None, timeout=10):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    if bind:
        sock.bind((bind, 0))
    sock.connect((address, port))
    return sock


def unix(path, timeout=10):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(path)
    return sock


class Refused(Exception):
    """A SOCKS5 server's refusal: its reply code."""


def _exactly(sock, count):
    got = b""
    while len(got) < count:
        more = sock.recv(count - len(got))
        if not more:
            raise Gone("within SOCKS")
        got += more
    return got


def socks5(relay, to, port, user="", password="x"):
    """A connection to `to` through the SOCKS5 server, a path or arguments of tcp(); RFC 1928, RFC 1929 if there is a user."""
    sock = unix(relay) if isinstance(relay, str) else tcp(*relay)
    sock.sendall(b"\x05\x01" + (b"\x02" if user else b"\x00"))
    method = _exactly(sock, 2)
    if method[1] == 0xff:
        raise Refused("no method")
    if method[1] == 2:
        sock.sendall(bytes([1, len(user)]) + user.encode() + bytes([len(password)]) + password.encode())
        if _exactly(sock, 2)[1]:
            raise Refused("user")
    kind, octets = (4, socket.inet_pton(socket.AF_INET6, to)) if ":" in to else \
        (1, socket.inet_pton(socket.AF_INET, to)) if re.match(r"[0-9.]+$", to) else (3, bytes([len(to)]) + to.encode())
    sock.sendall(b"\x05\x01\x00" + bytes([kind]) + octets + struct.pack("!H", port))
    head = _exactly(sock, 4)
    _exactly(sock, {1: 4, 4: 16}.get(head[3]) or _exactly(sock, 1)[0])
    _exactly(sock, 2)
    if head[1]:
        raise Refused(head[1])
    return sock


def proxy_header(source, to, port, authority=None):
    """A PROXY header of version 2: the connection is from `source`, to `to` and port."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    more = b""
    if authority:
        more = b"\x02" + struct.pack("!H", len(authority)) + authority.encode()
    body = socket.inet_pton(family, source) + socket.inet_pton(family, to) + struct.pack("!HH", 40000, port) + more
    return V2_SIGNATURE + b"\x21" + (b"\x21" if ":" in to else b"\x11") + struct.pack("!H", len(body)) + body


def proxy(relay, source, to, port, authority=None):
    sock = unix(relay) if isinstance(relay, str) else tcp(*relay)
    sock.sendall(proxy_header(source, to, port, authority))
    return sock


def any_certificate():
    """A TLS context that looks at nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

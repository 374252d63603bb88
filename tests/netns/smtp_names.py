# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server for tests: answers what it was told, from one thread, by UDP and TCP.

Names(zone) where zone maps "name TYPE" to a list of texts, as in a zone file ("10 mx1.example."), or to an
outcome: "SERVFAIL", "REFUSED", "DROP" (no answer). A name without any entry does not exist. A CNAME is followed
in the zone and told with what it leads to, as resolvers do.
"""

import contextlib
import select
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
CODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


def name_octets(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record_octets(kind, text):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, text)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind in ("CNAME", "PTR"):
        return name_octets(text)
    if kind == "MX":
        preference, host = text.split()
        return struct.pack("!H", int(preference)) + name_octets(host)
    if kind == "TLSA":
        usage, selector, matching, octets = text.split()
        return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex(octets)
    return bytes([len(text)]) + text.encode()


class Names:
    def __init__(self, zone, address="127.0.0.1", port=5353, secure=False):
        self.zone, self.secure, self.asked = dict(zone), secure, []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.address = "%s:%d" % (address, port)
        self.udp.bind((address, port))
        self.tcp.bind((address, port))
        self.tcp.listen(64)
        self.wake, self.end = socket.socketpair()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.end.close()
        self.thread.join(5)
        for sock in (self.udp, self.tcp, self.wake):
            sock.close()

    def serve(self):
        while True:
            ready, _, _ = select.select([self.udp, self.tcp, self.wake], [], [])
            if self.wake in ready:
                return
            with contextlib.suppress(OSError, struct.error, IndexError):
                if self.udp in ready:
                    question, peer = self.udp.recvfrom(4096)
                    answer = self.answer(question)
                    if answer:
                        self.udp.sendto(answer if len(answer) <= 1232 else cut(answer), peer)
                if self.tcp in ready:
                    self.serve_tcp()

    def serve_tcp(self):
        sock, _ = self.tcp.accept()
        with sock:
            sock.settimeout(1)
            length = struct.unpack("!H", sock.recv(2))[0]
            answer = self.answer(sock.recv(length))
            if answer:
                sock.sendall(struct.pack("!H", len(answer)) + answer)

    def answer(self, question):
        number, flags = struct.unpack("!HH", question[:4])
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = next((word for word, code in TYPES.items() if code == struct.unpack("!H", question[at + 1:at + 3])[0]), "?")
        name = ".".join(labels).lower()
        self.asked.append("%s %s" % (name, kind))
        code, records = self.look_up(name, kind)
        if code is None:
            return None
        body = b"".join(name_octets(owner) + struct.pack("!HHIH", TYPES[type_], 1, 60, len(octets)) + octets
                        for owner, type_, octets in records)
        bits = 0x8080 | (flags & 0x0100) | (0x20 if self.secure else 0) | code
        return struct.pack("!HHHHHH", number, bits, 1, len(records), 0, 0) + question[12:at + 5] + body

    def look_up(self, name, kind):
        """(response code or None, records)."""
        records = []
        for _ in range(10):
            found = self.zone.get("%s %s" % (name, kind))
            if isinstance(found, str):
                return (None if found == "DROP" else CODES[found]), []
            if found is not None:
                return 0, records + [(name, kind, record_octets(kind, text)) for text in found]
            alias = self.zone.get(name + " CNAME")
            if not alias:
                break
            records.append((name, "CNAME", record_octets("CNAME", alias[0])))
            name = alias[0].rstrip(".").lower()
        exists = any(key.split()[0] == name or key.split()[0].endswith("." + name) for key in self.zone)
        return (0 if exists else CODES["NXDOMAIN"]), records


def cut(answer):
    """The same as a truncated one: ask again by TCP."""
    at = 12
    while answer[at]:
        at += 1 + answer[at]
    flags = struct.unpack("!H", answer[2:4])[0] | 0x0200
    return answer[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + answer[12:at + 5]

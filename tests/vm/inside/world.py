# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that note the source of whatever comes: a line "tag source protocol" in /run/world.log.

UDP 7000: the datagram is the tag. TCP 7000: the first line is the tag, the source is the answer. TCP 80: HTTP, which
answers with the source. TCP 25: as 7000.
"""

import selectors
import socket

selector = selectors.DefaultSelector()
log = open("/run/world.log", "a", buffering=1)


def note(tag, source, protocol):
    log.write("%s %s %s\n" % (tag.decode("ascii", "replace").strip() or "-", source.replace("::ffff:", ""), protocol))


def on_datagram(sock):
    text, peer = sock.recvfrom(2048)
    note(text, peer[0], "udp")


def on_connect(sock):
    conn, peer = sock.accept()
    conn.settimeout(0.5)
    try:
        text = conn.recv(2048)
        source = peer[0].replace("::ffff:", "")
        if sock.getsockname()[1] == 80:
            conn.sendall(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n%s\n" % source.encode())
            text = b"http"
        else:
            conn.sendall(source.encode() + b"\n")
        note(text.splitlines()[0] if text else b"", source, "tcp")
    except OSError:
        pass
    conn.close()


def listen(kind, port, handle):
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        sock.listen(512)
    selector.register(sock, selectors.EVENT_READ, handle)


listen(socket.SOCK_DGRAM, 7000, on_datagram)
for number in (25, 80, 7000):
    listen(socket.SOCK_STREAM, number, on_connect)
open("/run/world.ready", "w").close()
while True:
    for key, _ in selector.select():
        key.data(key.fileobj)

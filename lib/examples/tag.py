#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tag.py BINDING ADDRESS PORT: connect from a binding; the tag socket without any library."""
import socket
import sys

binding, address, port = sys.argv[1:]
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
    agent.settimeout(5)
    agent.connect("/run/outbind/tag")
    socket.send_fds(agent, [b"TAG 1 " + binding.encode()], [sock.fileno()])
    reply = agent.recv(8192).decode()
if not reply.startswith("OK "):  # no tag, no connect
    sys.exit(reply or "the agent went away")
sock.connect((address, int(port)))
print("connected; leaves from", *reply.split()[2:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the agent's figures as a collector does: by HTTP, at the Unix socket or a port."""

import os
import re
import socket
import subprocess

from lab import ROOT
from place import Skip

PROMTOOL = os.path.join(ROOT, "build", "peers", "prometheus", "usr", "bin", "promtool")
SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')
ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",), "gauge": ("",)}


def http(where, request, timeout=10, end=False):
    """Send bytes to a Unix socket (a path) or an address, with their end or not, and read to the end."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(where)
        sock.sendall(request)
        if end:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                return answer
            if not piece:
                return answer
            answer += piece


def get(where, path="/metrics", accept=None, timeout=10):
    """(status, headers, text)"""
    lines = ["GET %s HTTP/1.1" % path, "Host: here", "Connection: close"]
    lines += ["Accept: " + accept] if accept else []
    answer = http(where, ("\r\n".join(lines) + "\r\n\r\n").encode(), timeout)
    head, _, text = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split()[1]), dict(h.split(": ", 1) for h in headers), text.decode()


class Figures(dict):
    """{(name, label, value, ...): number}; call it with a name and labels."""

    def __call__(self, name, **labels):
        return self.get((name, *[part for pair in sorted(labels.items()) for part in pair]))

    def of(self, name, **labels):
        """{what is left of the labels: number} of all samples that have these."""
        want, found = set(labels.items()), {}
        for (sample, *parts), number in self.items():
            pairs = set(zip(parts[::2], parts[1::2]))
            if sample == name and want <= pairs:
                found[tuple(value for _, value in sorted(pairs - want))] = number
        return found


def parse(text, openmetrics=False):
    """Read a text strictly: each sample in its family, families once, nothing twice."""
    figures, family, kind, families = Figures(), None, None, set()
    lines = text.split("\n")
    if lines.pop() != "" or (openmetrics and lines.pop() != "# EOF"):
        raise AssertionError("the end is missing")
    for line in lines:
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            if family in families:
                raise AssertionError("family twice: " + family)
            families.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name != family:
                raise AssertionError("TYPE of another family: " + line)
        else:
            match = SAMPLE.match(line)
            if not match:
                raise AssertionError("no sample: " + line)
            name, labels, number = match.groups()
            base = family
            ends = ENDS[kind] if openmetrics or kind == "histogram" else ("",)
            if name not in [base + end for end in ends]:
                raise AssertionError("%s in the family %s" % (name, family))
            pairs = LABEL.findall(labels or "")
            key = (name, *[part for pair in sorted(pairs) for part in pair])
            if key in figures:
                raise AssertionError("sample twice: " + line)
            figures[key] = float(number)
    return figures


def scrape(agent):
    """The figures of an agent, by its Unix socket."""
    status, _, text = get(agent.runtime + "/metrics")
    if status != 200:
        raise AssertionError("status %d: %s%s" % (status, text, agent.read_log()[-1500:]))
    return parse(text)


def promtool(*words, text=None):
    """(exit status, output) of promtool."""
    if not os.access(PROMTOOL, os.X_OK):
        raise Skip("no promtool in build/peers (tests/peers.sh build/peers prometheus)")
    done = subprocess.run([PROMTOOL, *words], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, check=False)
    return done.returncode, done.stdout

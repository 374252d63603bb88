# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of lint.py that are tables: layers, lengths, words, exceptions."""

import os
import re

COLUMNS = {".c": 100, ".h": 100, ".l": 100, ".y": 100, ".py": 120, ".sh": 120}
COLUMNS_SAID = 112                      # a comment, or a line that begins with a string: not broken
COLUMNS_TEST = 200                      # a line with a string in a test: what is sent or wanted
FUNCTION_MAX = 60                       # lines between the braces; 30 is the aim
FILE_WARN, FILE_FAIL = 400, 600

FORMED = (".c", ".h", ".l", ".y", ".S", ".nft", ".py", ".sh", ".md", ".man", ".service",
          ".varlink", "Makefile")
TABBED = (".c", ".h", ".l", ".y", ".S", ".nft")
LICENSED = (".c", ".h", ".l", ".y", ".S", ".nft", ".py", ".sh", ".man", ".service", "Makefile")

# Who may include whom: layer -> layers, or single headers, beside itself. Everything else is
# refused. Tests may include anything.
LAYERS = {
    "base": (),
    "model": ("base",),
    "plan": ("base", "model", "agent/proto/identity.h"),
    "kernel": ("base", "model", "plan"),
    "proto": ("base",),
    "smtp": ("base",),
    "dns": ("base", "agent/proto/identity.h"),
    "relay": ("base", "model", "proto", "smtp", "dns"),
    "confine": ("agent/base/own.h",),
    "gate": ("base", "proto", "confine", "agent/daemon/methods.def"),
    "daemon": ("base", "model", "plan", "kernel", "proto", "confine", "gate"),
    "ctl": ("base", "model", "plan", "proto", "dns", "agent/kernel/kernel.h", "agent/kernel/packet_log.h"),
    "exporter": ("agent/base/own.h", "confine"),  # parses what anybody sends, so it is next to nothing
    "lib": ("agent/proto/tag.h",),      # the protocol's words; MIT like the library
}

# Libraries by the beginning of their headers' names -> layers that may use them.
LIBRARIES = {
    "libmnl/": ("kernel",), "libnftnl/": ("kernel",), "nftables/": ("kernel",),
    "netlink/": ("kernel",), "linux/netlink": ("kernel",), "linux/rtnetlink": ("kernel",),
    "linux/netfilter": ("kernel",), "linux/if_addr": ("kernel",), "linux/fib_rules": ("kernel",),
    "sys/inotify": ("kernel",),
    "systemd/": ("daemon", "relay", "ctl"), "pcap/": ("ctl",), "archive": ("ctl",), "curses.h": ("ctl",),
    "cap-ng": ("ctl", "daemon", "confine"), "seccomp": ("confine", "exporter", "gate"),
    "jansson": ("proto", "gate", "daemon", "ctl", "relay"),
    "ev.h": ("dns", "relay"), "ares": ("dns", "relay"), "openssl/": ("relay",),
    "microhttpd": ("exporter",),
    "xxhash": ("base", "model", "plan", "kernel"),
}

# Exported names that do not start with their file's noun, and why.
SYMBOLS = {
    "main": "the C library asks for it",
}

# Words that no file of the project may hold. The patterns are written so as not to match here.
FORBIDDEN = (
    (r"(?<![\w.$}])/(work|home|root|Users)/", "a path of one machine"),
    (r"\bshared[/]", "a folder that readers do not have"),
    (r"\b[T]ODO\b|\b[F]IXME\b|\b[X]XX\b", "finish it, or tell users what is missing"),
    (r"\b([r]ecieve|[s]eperate|[o]ccured|[t]eh)\b", "spelling"),
)

# As a whole identifier, not as a member of a library's struct.
POOR_NAMES = r"(?<![\w.>])(data|info|handle|process|manager)\b(?!\s*/)"


def is_test_input(name):
    """Files that tests feed to the programs: wrong on purpose, or printed by a program."""
    return re.match(r"tests/(golden|.*/(corpus|golden|input|seeds?))/", name) is not None


def columns(name, kind, line):
    """Columns that a line may have, or None."""
    said = re.search(r"\*/$|^\s*((\.\w+ = )?\"|/\*| \*)", line)
    if name.startswith("tests/") and '"' in line:
        return COLUMNS_TEST
    return COLUMNS_SAID if COLUMNS.get(kind) == 100 and said else COLUMNS.get(kind)


def licence_of(name):
    """What anybody may link, and the text both ends share, is MIT; the programs are GPL."""
    free = name.startswith("lib/") or name == "agent/proto/tag.h"
    return "MIT" if free else "GPL-2.0-or-later"


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "agent" and len(parts) > 2 else parts[0]


def may_include(layer, target):
    if layer not in LAYERS or layer_of(target) == layer:
        return True
    return layer_of(target) in LAYERS[layer] or target in LAYERS[layer]


def template_value(name, values):
    """What {{name}} of a template stands for when only its syntax matters."""
    fixed = {"group": "1", "marks": "7, 8", "unnamed": "yes", "local": "yes", "forwarded": "yes", "levels": "2, 1",
             "user": "yes", "is_user": "meta skuid 1", "is_source": "ip saddr 192.0.2.0/24",
             "is_out": "ct direction original ct id @flows", "is_in": "ct direction reply ct id @flows",
             "table": f"lint{os.getpid()}", "flags": "", "mask": "0x1fff",
             "others": "0xffffe000", "slots": "251", "seed": "0x6f757462", "pass": "0x1fff", "reject": "0x1ffe",
             "connections_to": "5, 7", "new_to": "0 5 second 7 2", "probe": "6f75:7470", "passing": "6f75:7471",
             "epochs": "1, 2, 3, 4",
             "bits": ", ".join(hex(1 << bit) for bit in range(13))}
    if name in values:
        return values[name]
    if name.startswith("size."):
        return "1024"
    return fixed.get(name, "{{" + name + "}}")


# What a manual must name: files, pattern of the words in them, manual, how the manual writes them.
DOCUMENTED = (
    ("agent/daemon/log_events.def", r'"([a-z]+\.[a-z-]+)"', "docs/outbindd.8", ".It Li {}"),
    ("agent/daemon/options.c", r'^\t\{ "([a-z-]+)"', "docs/outbindd.8", ".It Fl -{}"),
    ("agent/model/conf.l", r'\{ "([a-z-]+)", TOKEN', "docs/outbind.conf.5", " {}"),
    ("agent/relay/program_options.c", r'^\t\{ "([a-z-]+)"', "docs/outbind-relay.8", ".It Fl -{}"),
    ("agent/relay", r'report_event\("([a-z.-]+)"', "docs/outbind-relay.8", ".It Li {}"),
    ("agent/daemon/state.h", r'^#define STATE_\w+\s+"([a-z.]+)"', "docs/outbindd.8",
     "/var/lib/outbind/{}\n"),
    ("agent/proto/tag.h", r'"([a-z]+-[a-z]+)"', "docs/outbind.7", ".It {}"),
    ("ctl", r'^\t\.name = "([a-z -]+)"', "docs/outbindctl.1", "Cm {}"),
    ("ctl", r'^\t(?:\[\w+\] = )?\{ (?:\.name = )?"([a-z-]+)", (?:"|NULL|\.value|$)',
     "docs/outbindctl.1", "Fl -{}"),
)

# And nothing else: manual, section, pattern of what it names, files, how those write it.
DESCRIBED = (
    ("docs/outbindd.8", "LOG", r"^\.It Li (\S+)", "agent/daemon/log_events.def", '"{}"'),
    ("docs/outbindd.8", "DESCRIPTION", r"^\.It Fl -(\S+)", "agent/daemon/options.c", '{{ "{}"'),
    ("docs/outbindctl.1", "VERBS",
     r"^\.(?:It )?Cm ((?:binding|group|policy|bypass|relay) [a-z-]+|(?<=It Cm )[a-z-]+)", "ctl",
     '.name = "{}"'),
)

# The same call in the description that programs read and in the table that the agent goes by.
DESCRIPTION, METHODS = "agent/proto/org.outbind.varlink", "agent/daemon/methods.def"
METHOD_TYPES = {"s": "string", "i": "int", "b": "bool", "a": "[]Identity"}

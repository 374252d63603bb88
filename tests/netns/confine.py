#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a program as its unit would: confine.py UNIT-FILE UID COMMAND...

Of the unit are taken CapabilityBoundingSet=, AmbientCapabilities=, NoNewPrivileges= and SystemCallFilter=, the sets
of calls as systemd-analyze(1) has them. The rest of a sandbox needs systemd: tests/vm.
"""

import ctypes
import os
import re
import subprocess
import sys

ACT_EPERM, ACT_ALLOW = 0x00050001, 0x7fff0000   # seccomp.h: SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW


def values(text, key):
    return [value.split() for value in re.findall(r"^%s=(.*)$" % key, text, re.M)]


def calls(names):
    """The system calls of a list in which @names stand for sets."""
    found = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
        found |= calls([line.strip() for line in text.splitlines()[1:] if line.strip() and "#" not in line])
    return found


def allowed(text):
    """As systemd.exec(5) adds the lines up: the first one says that it is a list of what is allowed."""
    found = calls(["@default"])
    for words in values(text, "SystemCallFilter"):
        taken = words[0].startswith("~")
        names = calls([word.lstrip("~") for word in words])
        found = found - names if taken else found | names
    return found


def load_filter(names):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ACT_EPERM)))
    for name in sorted(names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:                         # else of another architecture
            library.seccomp_rule_add(context, ctypes.c_uint32(ACT_ALLOW), number, 0)
    if library.seccomp_load(context):           # sets NO_NEW_PRIVS
        sys.exit("seccomp_load failed")


def main():
    if sys.argv[1] != "--confined":
        with open(sys.argv[1]) as file:
            unit = file.read()
        kept = ",".join("+" + name.lower()[4:] for name in values(unit, "CapabilityBoundingSet")[0])
        ambient = ",".join("+" + name.lower()[4:] for name in values(unit, "AmbientCapabilities")[0])
        os.execvp("setpriv", ["setpriv", "--reuid", sys.argv[2], "--regid", sys.argv[2], "--clear-groups",
                              "--bounding-set=-all," + kept, "--inh-caps=-all," + ambient, "--ambient-caps=-all," + ambient,
                              "--no-new-privs", sys.executable, __file__, "--confined", *sys.argv[1:]])
    with open(sys.argv[2]) as file:
        load_filter(allowed(file.read()))
    os.execv(sys.argv[4], sys.argv[4:])


main()

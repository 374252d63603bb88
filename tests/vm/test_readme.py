# SPDX-License-Identifier: GPL-2.0-or-later
"""README's two commands, as printed, where nothing of what they need is installed."""

import os
import re
import subprocess

import root
from cases import case, check
from container import Container
from place import Skip
from test_package import README

TOP = os.path.realpath(os.path.dirname(README))
SCRIPT = "set -e; cd /io/outbind; %s"


def commands():
    """What README's section "Try it" says to type."""
    with open(README) as file:
        section = re.search(r"^## Try it\n(.*?)^## ", file.read(), re.M | re.S)[1]
    return [text[4:] for text in section.splitlines() if text.startswith("    ")]


def fresh(site):
    """A root with nothing but apt, and in it a clone of the last commit."""
    path, why = root.made_of(site.where, [])
    if not path:
        raise Skip(why)
    machine = Container(path, site.where)
    try:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", TOP, machine.io + "/outbind"], check=True,
                       capture_output=True)
        with open("/etc/resolv.conf") as resolver:
            machine.write("/etc/resolv.conf", resolver.read())
    except BaseException:
        machine.close()
        raise
    return machine


def ends_well(site, word, seconds):
    command = [one for one in commands() if one.endswith(word)][0]
    with fresh(site) as machine:
        status, text = machine.run(SCRIPT % command, seconds)
        if status:
            raise AssertionError("%s: exit %d\n%s" % (command, status, "\n".join(
                line for line in text.splitlines()[-400:] if not line.startswith("pass "))))
        return text


@case("readme: `make demo` in a fresh minimal root: shows who was seen from where", seconds=600)
def _(site):
    text = ends_well(site, "make demo", 590)
    for word in ("acme 198.51.100.11   198.51.100.11, EHLO acme.out.example  ok",
                 "beta 198.51.100.12   198.51.100.12, EHLO beta.out.example  ok", "no namespace, cgroup, table or file is left"):
        check("%s in: %s" % (word, text[-1500:]), word in text, True)


@case("readme: `make check` in a fresh minimal root: every test is run, none fails", seconds=1800)
def _(site):
    text = ends_well(site, "make check", 1790)
    last = text.splitlines()[-1]
    found = re.fullmatch(r"(\d+) passed, 0 failed, (\d+) skipped", last)
    check("last line: " + last, bool(found) and int(found[1]) > 500, True)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the project, of what kind each is, and what stands in it."""

import os
import re
import subprocess

import rules


def run(*command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def tree():
    """Files that belong to the project: what git knows or would add, else all outside build/."""
    code, out, _ = run("git", "ls-files", "--cached", "--others", "--exclude-standard")
    if code == 0:
        names = out.splitlines()
    else:
        names = [os.path.relpath(os.path.join(at, name)) for at, _, files in os.walk(".")
                 for name in files if not at.startswith(("./build", "./.git"))]
    return sorted(name for name in names if os.path.isfile(name))


def read(name):
    with open(name, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def kind(name):
    """Suffix that says which rules hold for a file; scripts without one by their first line."""
    base = os.path.basename(name)
    suffix = os.path.splitext(base)[1]
    if base == "Makefile" or suffix in (".c", ".h", ".l", ".y", ".S", ".nft", ".py", ".sh", ".md"):
        return suffix or base
    if os.path.dirname(name) == "docs" and re.fullmatch(r"\.[1-9]", suffix):
        return ".man"
    if suffix in (".service", ".varlink", ".conf", ".def"):
        return suffix
    if suffix:
        return ""
    first = read(name)[:60].partition("\n")[0]
    if not first.startswith("#!"):
        return ""
    return ".py" if "python" in first else ".sh" if "sh" in first else ""


def of_kind(*kinds):
    return [name for name in tree() if kind(name) in kinds and not rules.is_test_input(name)]


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(name):
    """C text with comments, strings and character constants blanked, line numbers kept."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank,
                  read(name), flags=re.S)


def matches(pattern, text):
    for number, line in enumerate(text.splitlines(), 1):
        for match in re.finditer(pattern, line):
            yield number, match

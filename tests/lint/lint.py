#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the compiler does not check: form, layers, names, lengths.

Prints every finding as "file:line: text" and ends with 1 if there is one; warnings do not count.
Each check is a generator of findings and stands in CHECKS; rules that are tables stand in rules.py.
clang-format does not judge: it cannot keep comments in a column beside the members of a struct, so
it would rewrite most headers. It only breaks lines that are too long, when --fix is given.

    lint.py [--fix] [CHECK...]      --fix mends blanks, final newlines and too long lines of C
"""

import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
import rules  # noqa: E402
from files import code_of, kind, matches, of_kind, read, run, tree  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OBJECTS = "build/obj"
CC = os.environ.get("CC", "gcc")
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Iagent", "-I" + OBJECTS + "/agent", "-Ilib",
          "-Itests/unit", "-Wall", "-Wextra", "-Werror"]


# ---- form ----------------------------------------------------------------------------------

def check_form():
    for name in of_kind(*rules.FORMED):
        text = read(name)
        if text and not text.endswith("\n"):
            yield name, text.count("\n") + 1, "no newline at the end of the file"
        if text.endswith("\n\n"):
            yield name, text.count("\n"), "empty line at the end of the file"
        for number, line in enumerate(text.splitlines(), 1):
            for fault in line_faults(name, line):
                yield name, number, fault


def line_faults(name, line):
    kind_ = kind(name)
    if line != line.rstrip() and not (kind_ == ".md" and line.endswith("  ")):
        yield "blanks at the end of the line"
    if "\r" in line:
        yield "carriage return"
    if kind_ in rules.TABBED and re.match(r"\t* {8}", line):
        yield "indented by spaces, not tabs"
    if kind_ in rules.TABBED and re.search(r" \t", re.match(r"\s*", line).group(0)):
        yield "space before a tab"
    limit = rules.columns(name, kind_, line)
    if limit and len(line.expandtabs(8)) > limit:
        yield f"{len(line.expandtabs(8))} columns, at most {limit}"


def check_head():
    for name in of_kind(*rules.LICENSED):
        lines = read(name).splitlines()[:4]
        want = "SPDX-License-Identifier: " + rules.licence_of(name)
        if not any(want in line for line in lines[:2]):
            yield name, 1, f"first lines lack '{want}'"
        if kind(name) in (".c", ".h") and not any("/*" in line for line in lines[1:2]):
            yield name, 2, "no opening comment after the SPDX line"
        if kind(name) == ".h" and not re.search(r"^#(pragma once|ifndef \w+_H$)", read(name), re.M):
            yield name, 1, "no '#pragma once'"


def check_words():
    for name in tree():
        if rules.is_test_input(name) or name == "LICENSE":
            continue
        for pattern, why in rules.FORBIDDEN:
            for number, match in matches(pattern, read(name)):
                yield name, number, f"'{match.group(0)}': {why}"
    for name in of_kind(".c", ".h"):
        code = code_of(name)
        for number, match in matches(r"\bgoto\b", code):
            yield name, number, "goto: let AUTO() clean up"
        for number, match in matches(rules.POOR_NAMES, code):
            yield name, number, f"'{match.group(1)}' as a name says nothing: use the thing's own"


# ---- layers and headers --------------------------------------------------------------------

def includes(name):
    for number, match in matches(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', read(name)):
        yield number, match.group(1) == '"', match.group(2)


def resolve(name, header):
    """A quoted include as a path of the tree, or None: beside the file, then below agent/."""
    for place in (os.path.dirname(name), "agent", "lib", "tests/unit", "."):
        path = os.path.normpath(os.path.join(place, header))
        if os.path.isfile(path):
            return path
    return None


def check_layers():
    for name in of_kind(".c", ".h", ".l", ".y"):
        layer = rules.layer_of(name)
        for number, quoted, header in includes(name):
            target = resolve(name, header) if quoted else None
            if target and not rules.may_include(layer, target):
                yield name, number, f'"{header}": {layer} must not include {rules.layer_of(target)}'
            for prefix, layers in rules.LIBRARIES.items():
                if header.startswith(prefix) and layer in rules.LAYERS and layer not in layers:
                    yield name, number, f"<{header}>: only in {', '.join(layers)}"


def check_own_header_first():
    for name in of_kind(".c"):
        own = name[:-2] + ".h"
        first = next(includes(name), None)
        if os.path.isfile(own) and first and resolve(name, first[2]) != own:
            yield name, first[0], f"the first include must be its own header, {own}"


def check_headers():
    """Each header compiles alone, and twice."""
    for name in of_kind(".h"):
        text = f'#include "{name}"\n#include "{name}"\n'
        code, _, err = run(CC, *CFLAGS, "-I.", "-fsyntax-only", "-x", "c", "-", stdin=text)
        if code != 0:
            fault = re.search(r"^([^:\n]+):(\d+):\d+: (?:fatal )?error: (.*)$", err, re.M)
            text = f"{fault.group(1)}:{fault.group(2)}: {fault.group(3)}" if fault else err.strip()
            yield name, 1, f"does not compile alone: {text}"


# ---- lengths and names ---------------------------------------------------------------------

def functions(lines):
    """(first line, length) of each function: braces in the first column, as the style has it."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            start = number
        elif start is not None and line == "}":
            yield start, number - start - 1
            start = None


def name_of_function(lines, brace):
    for line in reversed(lines[max(0, brace - 8):brace - 1]):
        found = re.match(r"(?!\t)[\w\s\*]*?\b(\w+)\(", line)
        if found:
            return found.group(1)
    return "?"


def check_lengths():
    for name in of_kind(".c", ".h", ".py", ".sh", ".l", ".y"):
        lines = read(name).splitlines()
        if len(lines) > rules.FILE_FAIL:
            yield name, len(lines), f"{len(lines)} lines, at most {rules.FILE_FAIL}"
        elif len(lines) > rules.FILE_WARN:
            yield name, len(lines), f"warning: {len(lines)} lines, {rules.FILE_WARN} aimed at"
        if kind(name) not in (".c", ".h"):
            continue
        for brace, length in functions(lines):
            if length > rules.FUNCTION_MAX:
                yield name, brace, f"{name_of_function(lines, brace)}() has {length} lines, " \
                    f"at most {rules.FUNCTION_MAX}"


def nouns_of(name):
    """Words a file's exported names may start with: its own, and the structs of its header."""
    stem = os.path.splitext(os.path.basename(name))[0]
    words = stem.split("_")
    nouns = {"_".join(words[:n]) for n in range(1, len(words) + 1)}
    for _, quoted, header in includes(name):
        path = resolve(name, header) if quoted else None
        if path and os.path.dirname(path) == os.path.dirname(name):
            nouns |= set(re.findall(r"^struct (\w+)", read(path), re.M))
            break
    return nouns | {noun[:-1] for noun in nouns if noun.endswith("s")}


def check_symbols():
    """Exported symbols of x.c start with x, or with a noun of its header."""
    units = {name: os.path.join(OBJECTS, name[:-2] + ".o") for name in of_kind(".c")
             if rules.layer_of(name) in rules.LAYERS and not name.startswith("lib/examples/")}
    missing = [name for name in units if not os.path.isfile(units[name])]
    if missing:
        yield missing[0], 1, f"warning: exported names not checked in {len(missing)} files, " \
            "not compiled yet"
    for name, unit in units.items():
        if name in missing:
            continue
        for line in run("nm", "-g", "--defined-only", unit)[1].splitlines():
            symbol = line.split()[-1]
            if symbol in rules.SYMBOLS or symbol.startswith(("__", "_")):
                continue
            if not any(re.match(noun + r"(s?_|s?$)", symbol) for noun in nouns_of(name)):
                at = next((n for n, _ in matches(rf"\b{symbol}\b", code_of(name))), 1)
                yield name, at, f"{symbol}: exported, but does not start with the file's noun"


# ---- other languages -----------------------------------------------------------------------

def check_shell():
    for name in of_kind(".sh"):
        code, _, err = run("bash", "-n", name)
        for line in err.splitlines() if code else []:
            found = re.search(r"line (\d+): (.*)", line)
            yield (name, int(found.group(1)), found.group(2)) if found else (name, 1, line)


def check_python():
    for name in of_kind(".py"):
        try:
            compile(read(name), name, "exec")
        except SyntaxError as error:
            yield name, error.lineno or 1, str(error.msg)


def check_manuals():
    for name in of_kind(".man"):
        _, out, err = run("mandoc", "-Tlint", "-Wwarning", name)
        for line in (out + err).splitlines():
            found = re.match(r"mandoc: [^:]+:(\d+):\d+: (.*)", line)
            yield (name, int(found.group(1)), found.group(2)) if found else (name, 1, line)


def check_documented():
    """Options, verbs, words of the configuration, log events: each stands in its manual."""
    for source, pattern, manual, form in rules.DOCUMENTED:
        text = read(manual) if os.path.isfile(manual) else ""
        for name in of_kind(".c", ".h", ".l", ".def"):
            for number, match in matches(pattern, read(name)) if name.startswith(source) else ():
                if form.format(match.group(1)) not in text:
                    yield name, number, f"'{match.group(1)}' is not in {manual}"


def section(text, title):
    """Line number and text of each line of a section of a manual."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(".Sh"):
            inside = line == ".Sh " + title
        elif inside:
            yield number, line


def check_described():
    """No manual speaks of an option, a verb or a log event that there is not."""
    for manual, title, pattern, source, form in rules.DESCRIBED:
        text = "".join(read(name) for name in of_kind(".c", ".h", ".def") if name.startswith(source))
        for number, line in section(read(manual), title):
            found = re.search(pattern, line)
            if found and form.format(found.group(1)) not in text:
                yield manual, number, f"'{found.group(1)}' is not in {source}"


def described_parameters(text):
    return [re.sub(r"\s+", " ", word).strip() for word in text.split(",") if word.strip()]


def table_parameters(text):
    """"name:s port?i" as the description has it: "name: string", "port: ?int"."""
    for word in "".join(re.findall(r'"([^"]*)"', text)).split():
        name, maybe, letter = re.fullmatch(r"(\w+)([:?])(\w)", word).groups()
        yield f"{name}: {'?' if maybe == '?' else ''}{rules.METHOD_TYPES[letter]}"


def check_methods():
    """Methods and their parameters are the same in the interface and in the agent's table."""
    described = {name: described_parameters(text) for name, text in
                 re.findall(r"^method (\w+)\(([^)]*)\)", read(rules.DESCRIPTION), re.M)}
    table = {name: list(table_parameters(text)) for name, text in
             re.findall(r"^METHOD\((\w+),([^)]*)\)", read(rules.METHODS), re.M)}
    for name in sorted(described.keys() | table.keys()):
        if described.get(name) != table.get(name):
            yield rules.METHODS, 1, f"{name}: {table.get(name)} here, {described.get(name)} " \
                f"in {rules.DESCRIPTION}"


def check_interfaces():
    """An interface gives each name to one type, method or error."""
    for name in of_kind(".varlink"):
        seen = {}
        for number, match in matches(r"^(?:type|method|error) (\w+)", read(name)):
            first = seen.setdefault(match.group(1), number)
            if first != number:
                yield name, number, f"'{match.group(1)}' is in line {first} already"


def expand(lines, values):
    """The template language of nft-templates/: {{name}}, and #for X Y in a 1, b 2 up to its #end."""
    out, at = [], 0
    while at < len(lines):
        line = re.sub(r"\{\{([\w.]+)\}\}", lambda m: rules.template_value(m.group(1), values),
                      lines[at])
        loop = re.match(r"#for ([\w ]+) in (.*)", line)
        at += 1
        if not loop:
            out.append(line)
            continue
        depth, start = 1, at
        while depth:
            depth += lines[at].startswith("#for ") - lines[at].startswith("#end")
            at += 1
        for item in loop.group(2).split(","):
            out += expand(lines[start:at - 1], {**values, **dict(zip(loop.group(1).split(), item.split()))})
    return out


def check_templates():
    for name in of_kind(".nft"):
        if os.geteuid() != 0:
            yield name, 1, "warning: not loaded, since that needs root"
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
            file.write("\n".join(expand(read(name).splitlines(), {})) + "\n")
            file.flush()
            code, _, err = run("unshare", "--net", "nft", "-c", "-f", file.name)
        if code != 0:
            yield name, 1, "nft refuses it: " + err.strip().partition("\n")[0].partition(": ")[2]


CHECKS = {"form": check_form, "head": check_head, "words": check_words, "layers": check_layers,
          "own-header": check_own_header_first, "headers": check_headers,
          "lengths": check_lengths, "symbols": check_symbols, "shell": check_shell,
          "python": check_python, "manuals": check_manuals, "documented": check_documented,
          "described": check_described, "methods": check_methods,
          "interfaces": check_interfaces, "templates": check_templates}


def wide_lines(name):
    """Numbers of lines that are too long, but for macros, which clang-format spoils."""
    return [number for number, line in enumerate(read(name).splitlines(), 1)
            if not line.endswith("\\") and not line.startswith("#")
            and any("columns" in fault for fault in line_faults(name, line))]


def fix():
    for name in of_kind(*rules.FORMED):
        text = read(name)
        tidy = "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n") + "\n"
        if text and tidy != text and kind(name) != ".md":
            with open(name, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(tidy)
            print(f"{name}: blanks and newlines put right")
    for name in of_kind(".c", ".h") if shutil.which("clang-format") else ():
        wide = wide_lines(name)
        if wide:
            run("clang-format", "-i", *(f"--lines={number}:{number}" for number in wide), name)
            print(f"{name}: {len(wide)} long lines, {len(wide_lines(name))} left")


def main(arguments):
    os.chdir(ROOT)
    if "--fix" in arguments:
        fix()
        arguments = [word for word in arguments if word != "--fix"] or ["form"]
    unknown = [word for word in arguments if word not in CHECKS]
    if unknown:
        print(f"lint: no check {unknown[0]}; there are: {' '.join(CHECKS)}", file=sys.stderr)
        return 2
    findings = [each for word in arguments or CHECKS for each in CHECKS[word]()]
    for name, line, text in findings:
        print(f"{name}:{line}: {text}")
    faults = sum(not text.startswith("warning:") for _, _, text in findings)
    print(f"lint: {faults} findings, {len(findings) - faults} warnings")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of tests: a test is a function under @test("a sentence"), in a file test_*.py here."""

import collections
import glob
import importlib
import os
import sys

Case = collections.namedtuple("Case", "topic name run seconds")
TESTS = []


def test(sentence, seconds=60):
    """Enter a test that must end within so many seconds."""
    def enter(function):
        topic = function.__module__.removeprefix("test_")
        TESTS.append(Case(topic, sentence, function, seconds))
        return function
    return enter


def load():
    """All tests of this directory, by file."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    for path in sorted(glob.glob(here + "/test_*.py")):
        importlib.import_module(os.path.basename(path)[:-3])
    return TESTS

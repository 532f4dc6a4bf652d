#!/usr/bin/python3
"""What holds for every text file: nothing of one machine, sizes, white space."""
import os
import re
import sys

TOP = {"Makefile", "README.md", "LICENSE", "harness", "preload", "tests", "fixtures"}
LINES_MAX = 450
# Longer for a reason.
LONG = {"LICENSE", "README.md", "Makefile"}
LONG_SUFFIXES = (".1", ".5", ".7", ".def", ".xsd", ".md", ".json")
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+)\b|/usr/local/(?:lib/)?python|pyenv")
# Hosts that a text may name: this machine, examples, and where to read on.
HOSTS = re.compile(r"https?://(?:127\.|\[::1?\]|localhost\b|\{|HOST|(?:www\.)?example\.|blitiri\.com\.ar/|"
                   r"json-schema\.org/|www\.w3\.org/|docs\.oasis-open\.org/|[%$\"'<\\])")


def files():
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(f for f in folders if not f.startswith(("build", ".git", "__pycache__")) or f == ".ci")
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name))


def main():
    bad = []
    for name in os.listdir("."):
        if name not in TOP and not name.startswith((".", "build")):
            bad.append("%s: does not belong at the top" % name)
    for path in files():
        with open(path, "rb") as source:
            data = source.read()
        if b"\0" in data[:4096] or "/corpus/" in path or "-bad/" in path:
            continue
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            bad.append("%s: is not UTF-8" % path)
            continue
        lines = text.split("\n")
        if text and not text.endswith("\n"):
            bad.append("%s: does not end with a newline" % path)
        if len(lines) > LINES_MAX and path not in LONG and not path.endswith(LONG_SUFFIXES):
            bad.append("%s: %d lines; at most %d: can it be two files?" % (path, len(lines), LINES_MAX))
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                bad.append("%s:%d: white space at the end" % (path, number))
            if "\t" in line and path.endswith((".c", ".h", ".py", ".yaml", ".json")):
                bad.append("%s:%d: a tab" % (path, number))
            if MACHINE.search(line) and path != "tests/lint/check-text.py":
                bad.append("%s:%d: of one machine: %s" % (path, number, line.strip()))
            if re.search("https?://[^ )]", line) and not HOSTS.search(line):
                bad.append("%s:%d: a host that is not in the list: %s" % (path, number, line.strip()))
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


main()

#!/usr/bin/python3
"""Which part may see which, and every header stands alone.

fixtures -> libc; preload -> libc, libfiu; harness -> preload's headers and the
libraries; tests -> all of these.
"""
import glob
import os
import re
import subprocess
import sys

LIBRARIES = {
    "preload": {"fiu.h", "fiu-control.h"},
    "harness": {"cyaml/cyaml.h", "yaml.h", "jansson.h", "uv.h", "elfutils/", "libelf.h", "gelf.h", "dwarf.h", "libmnl/", "nftables/"},
    "fixtures": set(),
    "tests": {"CUnit/", "jansson.h", "uv.h", "fiu.h", "fiu-control.h", "cyaml/cyaml.h"},
}
SEES = {"preload": ("preload",), "harness": ("harness", "preload"), "fixtures": (),
        "tests": ("tests", "harness", "preload")}
OURS = {"fiu.h", "fiu-control.h", "jansson.h", "uv.h", "cyaml/", "yaml.h", "elfutils/", "libelf.h", "gelf.h", "dwarf.h",
        "libmnl/", "nftables/", "CUnit/"}


def library(name, names):
    return any(name == n or (n.endswith("/") and name.startswith(n)) for n in names)


def main():
    bad = 0
    for room, sees in SEES.items():
        for path in sorted(glob.glob(room + "/**/*.[ch]", recursive=True)):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            for kind, name in re.findall(r'^#\s*include\s+([<"])([^>"]+)[>"]', text, re.M):
                if kind == "<":
                    if library(name, OURS) and not library(name, LIBRARIES[room]):
                        print("%s: <%s> is not for %s/" % (path, name, room))
                        bad = 1
                    continue
                folders = [os.path.dirname(path)] + list(sees)
                if name.endswith(".inc"):  # generated
                    continue
                if not any(os.path.exists(os.path.join(f, name)) for f in folders):
                    print('%s: "%s" is not in %s' % (path, name, " or ".join(folders)))
                    bad = 1
            if path.endswith(".h"):
                done = subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                                       "-Ipreload", "-Iharness", "-Itests", "-fsyntax-only", "-x", "c", "-"],
                                      input='#include "%s"\n' % os.path.abspath(path), text=True,
                                      capture_output=True)
                if done.returncode:
                    print("%s does not compile alone:\n%s" % (path, done.stderr))
                    bad = 1
    sys.exit(bad)


main()

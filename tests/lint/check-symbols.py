#!/usr/bin/python3
"""The shim exports the calls of the table, the names beside them that symbols.txt
lists, and nothing else: a symbol of ours would replace one of the program's."""
import os
import re
import subprocess
import sys


def main():
    with open("preload/calls.def", encoding="utf-8") as table:
        wanted = set(re.findall(r'^CALL(?:_VARIADIC)?\(\w+, "(\w+)"', table.read(), re.M))
    with open("tests/lint/symbols.txt", encoding="utf-8") as more:
        wanted |= {line.split()[0] for line in more if line.strip() and not line.startswith("#")}
    shim = os.path.join(os.environ.get("BUILD", "build"), "libtcpfault.so")
    listing = subprocess.run(["nm", "-D", "--defined-only", shim], capture_output=True, text=True, check=True)
    exported = {line.split()[2].split("@")[0] for line in listing.stdout.splitlines()}
    for name in sorted(exported - wanted):
        print("%s: exports %s, which is neither in calls.def nor in tests/lint/symbols.txt" % (shim, name))
    for name in sorted(wanted - exported):
        print("%s: does not export %s" % (shim, name))
    sys.exit(exported != wanted)


main()

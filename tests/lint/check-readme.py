#!/usr/bin/python3
"""The README's commands do what the README says they print.

Every ```console block is run, in order, in one bash in the source directory,
with the built tcpfault first in PATH: lines that start with "$ " are commands,
those behind them what they print, standard error included ("> " goes on with a
command after a backslash, or with its here-document). Numbers may differ, except
where a line is nothing but one (an exit status). "..." in a line stands for
anything, and a line of its own "..." for any number of lines. Ports (8000 and
6380) are exchanged for free ones, and /tmp/tour for a new folder.
"""
import difflib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

used = []
SECONDS = 60  # for all commands together
END = "--8<-- end of command"


def free_port():
    """One with four digits: lengths are seen in what is printed."""
    for port in range(8010 + os.getpid() % 1000, 9999):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if str(port) not in used:
                used.append(str(port))
                return str(port)
    sys.exit("no free port")


def even(line):
    """Without the numbers, and the day, that differ from run to run."""
    if re.fullmatch(r"\d+", line):
        return line
    line = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "Day", re.sub(r"0x[0-9a-f]+", "0xN", line))
    return re.sub(r"\d+(\.\d+)*", "N", line)


def commands(text):
    """[(line number, command, [expected lines])]"""
    found, inside = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = not inside and line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and line.startswith("> ") and (found[-1][1].endswith("\\") or "<<" in found[-1][1]):
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line[2:], [])
        elif inside and found:
            found[-1][2].append(line)
    return found


def pattern(lines):
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(piece) for piece in even(line).split("...")) + r"\n")
    return "".join(parts)


def listens(port):
    want = ":%04X" % int(port)
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(row.split()[1].endswith(want) and row.split()[3] == "0A" for row in table.readlines()[1:])


def main():
    build = os.path.abspath(os.environ.get("BUILD", "build"))
    scratch = tempfile.mkdtemp(prefix="tcpfault-tour.")
    exchange = {"8000": free_port(), "6380": free_port(), "/tmp/tour": scratch}

    def swap(text):
        for old, new in exchange.items():
            text = re.sub(r"(?<![\w.])" + re.escape(old) + r"(?!\w)", new, text)
        return re.sub(r"(?<![\w./])build/", build + "/", text)

    with open("README.md", encoding="utf-8") as readme:
        steps = commands(readme.read())
    if not steps:
        sys.exit("README.md: no console block")
    environment = dict(os.environ, PATH=build + ":/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C.UTF-8", HOME=scratch,
                       TERM="dumb")
    bash = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    signal.alarm(SECONDS)
    bad = 0
    where = "the start"
    try:
        for number, command, expected in steps:
            where = "README.md:%d: %s" % (number, command)
            bash.stdin.write("{ %s\n} </dev/null; __s=$?; echo; echo '%s'; (exit $__s)\n" % (swap(command), END))
            bash.stdin.flush()
            printed = []
            for line in bash.stdout:
                if line.rstrip("\n") == END:
                    break
                printed.append(line)
            if printed and printed[-1] == "\n":  # the newline that makes END stand alone
                printed.pop()
            got = "".join(printed)
            wanted = [swap(line) for line in expected]
            if not re.fullmatch(pattern(wanted), "".join(even(line[:-1]) + "\n" for line in printed)):
                bad = 1
                print("%s\n%s" % (where, "\n".join(difflib.unified_diff(
                    wanted, got.rstrip("\n").split("\n"), "README.md", "what it printed", lineterm=""))))
            if command.endswith("&"):
                port = next((exchange[p] for p in ("8000", "6380") if p in shlex.split(command[:-1])), None)
                while port and not listens(port):
                    time.sleep(0.02)
    except TimeoutError:
        print("%s: not done after %d s" % (where, SECONDS))
        bad = 1
    finally:
        signal.alarm(0)
        try:
            os.killpg(bash.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        bash.wait()
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(bad)


main()

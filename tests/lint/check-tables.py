#!/usr/bin/python3
"""Tables, --help, manual pages and completion tell of the same things.

A row that is missing in one of them is a feature that nobody finds, or one that
does not exist.
"""
import glob
import os
import re
import subprocess
import sys

BUILD = os.environ.get("BUILD", "build")
bad = []


def text(path):
    with open(path, encoding="utf-8") as source:
        return source.read()


def table(macro, path):
    return re.findall(r"^%s(?:_VARIADIC)?\(([^\n]*)\)" % macro, text(path), re.M)


def rendered(page):
    """A manual page as a reader sees it, on one line."""
    out = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True, check=True).stdout
    return " ".join(re.sub(".\b", "", out).split())


def says(where, document, words, what):
    for word in words:
        if not re.search(r"(?<![\w%%-])%s(?![\w-])" % re.escape(word), document):
            bad.append("%s: nothing about the %s %s" % (where, what, word))


def tool(*arguments):
    done = subprocess.run([os.path.join(BUILD, "tcpfault"), *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    if done.returncode:
        bad.append("tcpfault %s: status %d" % (" ".join(arguments), done.returncode))
    return done.stdout


def main():
    calls = sorted({re.search(r'"(\w+)"', row).group(1) for row in table("CALL", "preload/calls.def")})
    classes = ["%" + c for c in sorted({row.split(", ")[4].lower() for row in table("CALL", "preload/calls.def")}
                                       - {"none"})] + ["%all"]
    effects = [row.split(",")[0] for row in table("EFFECT", "preload/effects.def")]
    keys = [k for k in re.findall(r"TF_KEY_(\w+),", text("preload/rule_parts.h")) if k != "effects"]
    reasons = [r for r in re.findall(r'REASON\(\w+, "([^"]+)"\)', text("preload/reasons.def")) if r]
    errnos = sorted(set(re.findall(r"ERRNO\(\w+, (E\w+)", text("preload/errnos.def"))))

    rules, page = rendered("harness/man/tcpfault-rules.7"), rendered("harness/man/tcpfault.1")
    completion = text("harness/completion/tcpfault.bash")
    for words, what in ((calls, "call"), (classes, "class"), (effects, "effect"), (keys, "key")):
        says("tcpfault-rules(7)", rules, words, what)
    for reason in reasons:
        if reason not in rules:
            bad.append("tcpfault-rules(7): nothing about the reason: %s" % reason)
    ways = [re.match(r'(\w+), "([^"]*)"', row).groups() for row in table("WAY", "harness/needs.def")]
    for effect in effects:
        if effect not in [name for name, _ in ways]:
            bad.append("harness/needs.def: no row for the effect %s" % effect)
    says("tcpfault-rules(7), PRIVILEGES", rules.partition("PRIVILEGES")[2].partition("FAILURE POINTS")[0],
         sorted({"%s on %s" % way if way[1] else way[0] for way in ways}), "effect")
    says("tcpfault(1)", page, [row.split(",")[0] for row in table("PROBE", "harness/probes.def")], "probe")
    checks = [re.search(r'"([\w-]+)"', row).group(1)
              for row in re.findall(r"^CHECK\(([^\n]*)", text("harness/checks.def"), re.M)]
    says("tcpfault(1)", page, checks, "check")
    says("tcpfault list checks", tool("list", "checks"), checks, "check")
    says("scenario.schema.json", text("harness/scenario.schema.json"), checks, "check")
    judged = {row.split(",")[0] for macro in ("JUDGED", "SCENARIO")
              for row in table(macro, "tests/integration/judged.def")}
    # Those come from what a battery expects, and battery.def has the fixtures.
    expected = {c.replace("_", "-") for c in re.findall(r"^EXPECTED\((\w+)\)", text("harness/check_expected.c"), re.M)}
    for check in sorted((set(checks) - expected) ^ judged):
        bad.append("tests/integration/judged.def: %s the check %s" % (
            "no row for" if check in checks else "there is not", check))
    for words, what in ((calls, "call"), (classes, "class"), (effects, "effect"), (keys, "key")):
        says("completion", completion, words, what)
    says("tcpfault list calls", tool("list", "calls"), calls, "call")
    says("tcpfault list effects", tool("list", "effects"), effects, "effect")
    says("tcpfault list errnos", tool("list", "errnos"), errnos, "errno")

    top = tool("--help")
    commands = sorted(re.sub(r".*cmd_(\w+)\.c", r"\1", path) for path in glob.glob("harness/cmd_*.c"))
    commands = [c for c in commands if re.search(r"tf_command_%s\b" % c, text("harness/cmd.h"))]
    says("tcpfault --help", top, commands, "command")
    says("tcpfault(1)", page, commands, "command")
    says("completion", completion, commands, "command")
    every = set()
    for command in commands:
        helped = tool(command, "--help")
        options = [o for pair in re.findall(r"^ +(?:(-\w), )?(--[\w-]+)", helped, re.M) for o in pair if o]
        every |= set(options)
        offered = re.search(r'^ *%s:(?:-\*|\*)\) COMPREPLY=\(\$\(compgen -W "([^"]*)"' % command, completion, re.M)
        says("completion of %s" % command, offered.group(1) if offered else "", sorted(set(options)), "option")
        says("tcpfault(1)", page, sorted(set(options)), "option")
        for option in (offered.group(1).split() if offered else []):
            if option.startswith("-") and option not in options:
                bad.append("completion of %s: offers %s, which it does not have" % (command, option))
    for option in {"-" + o for o in re.findall(r"Fl (-[a-z-]+)", text("harness/man/tcpfault.1"))} - every - {
            "--version"}:
        bad.append("tcpfault(1): tells of %s, which no command has" % option)
    for kind in "unit", "integration":  # a suite that no list has never runs
        listed = table("SUITE", "tests/%s/suites.def" % kind)
        for path in glob.glob("tests/%s/test_*.c" % kind):
            for suite in re.findall(r"^(?:TF|IT)_SUITE\((\w+)", text(path), re.M):
                if suite not in listed:
                    bad.append("%s: the suite %s is not in suites.def" % (path, suite))
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


main()

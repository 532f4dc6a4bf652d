#!/usr/bin/python3
"""What known.sh's reports came to, as a page: page.py REPORTS PAGE.

Rows of reproduced.txt are CHECK PROGRAM CASE: HOW, the three being globs; the first
that matches tells of a finding how it was seen without this tool.
"""
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VERDICTS = ("pass", "finding", "tolerated", "not applicable", "not tested")
INTRODUCTION = """# Programs that everybody knows

What `tcpfault check` finds in them. `tests/known/known.sh` installs what is missing,
runs each command of `tests/known/programs.txt`, and writes this page.

The commands are run in the source directory. A case that is *not applicable* struck
nothing: the program never made that call. Findings were then looked for by hand,
without this tool; the last column of the second table says how. What is *not
reproduced yet* may be a false alarm.

"""


def rows(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as source:
        return [line.rstrip("\n") for line in source if line.strip() and not line.startswith("#")]


def cell(text):
    return " ".join(text.replace("|", "\\|").split())


def version(path):
    """The package's, without what the distribution added."""
    path = os.path.realpath(path)
    owned = subprocess.run(["dpkg", "-S", path, path.removeprefix("/usr")], capture_output=True, text=True).stdout
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", owned.partition(":")[0]], capture_output=True,
                           text=True).stdout
    return re.sub(r"^\d+:|[-+~].*$", "", found) or "?"


def program_of(arguments):
    """The path of the command, past what starts it."""
    words = [word.strip("'") for word in arguments.rpartition(" -- ")[2].split()]
    program = "postgres" if words[0].endswith("postgres.sh") else "nc" if "nc" in words else words[0]
    folders = ["/usr/lib/postgresql/15/bin", os.environ["PATH"]]
    return shutil.which(words[2] if program == "sh" else program, path=os.pathsep.join(folders)) or program


def steady(message):
    """The numbers that differ from run to run make no difference here."""
    return re.sub(r"\d{3,}|\d+\.\d+|\d+(?= %)", "N", message)


def how(table, check, program, case):
    for line in table:
        pattern, _, text = line.partition(": ")
        if all(fnmatch.fnmatch(value, glob) for value, glob in zip((check, program, case), pattern.split())):
            return text
    return None


def gather(report, name, table):
    """[(check, message, [cases], how)]: what was found in one program."""
    found = {}
    for case in report["cases"]:
        if case.get("verdict") != "finding":
            continue
        case_id = "%s/%s" % (case["suite"], case["name"])
        for finding in case["findings"]:
            if finding["severity"] == "note" or finding["state"] == "known":
                continue
            told = how(table, finding["check"], name, case_id)
            cases, messages = found.setdefault((finding["check"], told), ([], []))
            if case_id not in cases:
                cases.append(case_id)
            messages.append(finding["message"])
    return [(check, messages[0], cases, told) for (check, told), (cases, messages) in found.items()]


def main():
    reports, page = sys.argv[1:]
    table = rows("reproduced.txt")
    bad = []
    first = ["| program | command | cases | " + " | ".join(VERDICTS) + " |", "|---" * (3 + len(VERDICTS)) + "|"]
    second = ["| program | check | what happened | cases | without this tool |", "|---|---|---|---|---|"]
    for line in rows("programs.txt"):
        name, arguments = line.split(None, 1)
        label = "%s %s" % (name, version(program_of(arguments)))
        try:
            with open(os.path.join(reports, name + ".json"), encoding="utf-8") as source:
                report = json.load(source)
        except (OSError, ValueError):
            bad.append("%s: not tried: see %s" % (name, os.path.join(reports, name + ".log")))
            continue
        verdicts = [case.get("verdict") for case in report["cases"]]
        first.append("| %s | `tcpfault %s` | %d | %s |" % (
            label, cell(arguments), len(verdicts), " | ".join(str(verdicts.count(v)) for v in VERDICTS)))
        for check, message, cases, told in gather(report, name, table):
            second.append("| %s | %s | %s | %s | %s |" % (
                name, check, cell(steady(message)), ", ".join(cases), cell(told or "**not reproduced yet**")))
            if not told:
                bad.append("%s: %s in %s: not in reproduced.txt" % (name, check, ", ".join(cases)))
    with open(page, "w", encoding="utf-8") as out:
        out.write(INTRODUCTION + "\n".join(first) + "\n\n## Findings\n\n" + "\n".join(second) + "\n")
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


main()

"""What is compared (rows/EFFECT.ini), and why some of it differs (reasons.tsv)."""
import configparser
import dataclasses
import fnmatch
import os
import re
import sys

CASES = ["%s %d" % (mode, family) for mode in ("blocking", "poll", "select", "epoll-LT", "epoll-ET")
         for family in (4, 6)]


def effects():
    """Every effect that there is: each has a file of rows."""
    table = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../preload/effects.def")
    with open(table, encoding="utf-8") as source:
        return re.findall(r"^EFFECT\((\w+)", source.read(), re.M)


@dataclasses.dataclass
class Row:
    name: str
    effect: str
    event: str    # the real one, for people
    rules: list
    script: str
    cannot: str   # why there is no real event; then the next names what would be compared
    observations: list


def fits(patterns, text):
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns.split("|"))


@dataclasses.dataclass
class Reason:
    row: str
    observation: str
    case: str
    real: str
    injected: str
    text: str
    line: int

    def covers(self, row, observation, case):
        return fits(self.row, row) and fits(self.observation, observation) and fits(self.case, case)

    def explains(self, real, injected):
        return fits(self.real, real) and fits(self.injected, injected)

    def race(self):
        """Sometimes the cell is the same."""
        return self.text.startswith("race: ")


def expand(text, macros):
    """{name} stands for a macro of the section of that name."""
    def value(found):
        if found.group(1) not in macros:
            sys.exit("macros.ini: no macro {%s}" % found.group(1))
        return expand(macros[found.group(1)], macros)
    return " ".join(re.sub(r"\{([\w-]+)\}", value, text).split())


def parsed(path):
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    with open(path, encoding="utf-8") as source:
        parser.read_file(source)
    return parser


def read(folder):
    macros = dict(parsed(os.path.join(folder, "macros.ini"))["macros"])
    found = []
    for effect in effects():
        parser = parsed(os.path.join(folder, effect + ".ini"))
        for name in parser.sections():
            section = parser[name]
            found.append(Row(name=name, effect=effect, event=" ".join(section.get("event", "").split()),
                             rules=section["rule"].split(), script=expand(section.get("script", ""), macros),
                             cannot=" ".join(section.get("cannot", "").split()),
                             observations=section.get("observations", "call").split("|")))
    return found


def read_reasons(path):
    """Columns: row, observation, case, what the real event shows and what the injected
    one does (patterns, | between several), reason. One that begins with "race: " also
    fits cells that happen to be the same."""
    found = []
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            if not line.strip() or line.startswith("#"):
                continue
            columns = [c for c in line.rstrip("\n").split("\t") if c]
            if len(columns) != 6:
                sys.exit("reasons.tsv:%d: %d columns, not 6" % (number, len(columns)))
            found.append(Reason(*columns, number))
    return found

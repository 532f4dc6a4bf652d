"""Compares records, and shows the matrix."""
import rows

MODES = ["blocking", "poll", "select", "epoll-LT", "epoll-ET"]
EFFECTS = rows.effects()


class Result:
    """One row carried out: two records."""

    def __init__(self, row):
        self.row = row
        self.real, self.injected = {}, {}
        self.problem = None

    def observations(self):
        if self.row.cannot:
            return self.row.observations
        # The case that sees most has the order.
        ordered = {}
        for case in sorted(rows.CASES, key=lambda case: -sum(key[0] == case for key in self.real)):
            for seen in (self.real, self.injected):
                for observation in (key[1] for key in seen if key[0] == case):
                    ordered.setdefault(observation)
        return list(ordered)

    def cells(self):
        """(observation, case, real, injected), of those that exist in one at least."""
        for observation in self.observations():
            for case in rows.CASES:
                if self.row.cannot:
                    yield observation, case, None, None
                elif (case, observation) in self.real or (case, observation) in self.injected:
                    yield (observation, case, self.real.get((case, observation), "(no such record)"),
                           self.injected.get((case, observation), "(no such record)"))


class Matrix:
    def __init__(self, results, reasons, whole):
        self.results, self.reasons, self.whole = results, reasons, whole
        self.notes = []      # reasons in the order of their numbers
        self.complaints = {}  # (row, text): [case]
        self.cell = {}       # (row, observation, case): mark
        self.counts = {effect: {"same": 0, "differs": 0, "cannot": 0} for effect in EFFECTS}
        self.bad = set()     # (row, case)
        self.cases = 0
        for result in results:
            self.compare(result)
        self.stale()

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def complain(self, result, case, text):
        self.bad.add((result.row.name, case))
        self.complaints.setdefault((result.row.name, text), []).append(case)

    def compare(self, result):
        self.cases += len(rows.CASES)
        if result.problem:
            for case in rows.CASES:
                self.complain(result, case, result.problem)
            return
        for cell in result.cells():
            self.compare_cell(result, *cell)

    def compare_cell(self, result, observation, case, real, injected):
        key = (result.row.name, observation, case)
        covering = [reason for reason in self.reasons if reason.covers(*key)]
        if observation.startswith("set-up"):
            self.complain(result, case, "%s: %s, %s" % (observation, real, injected))
            return
        if result.row.cannot:
            kind, mark = "cannot", "-%d" % self.note(result.row.cannot)
        elif real == injected and not any(reason.race() for reason in covering):
            kind, mark = "same", "="
            for reason in covering:
                self.complain(result, case, "%s: reasons.tsv:%d says that it differs; it does not (%s)" %
                              (observation, reason.line, real))
        elif any(reason.explains(real, injected) for reason in covering):
            kind, mark = "differs", "~%d" % self.note(covering[0].text)
        else:
            kind, mark = "differs", "~?"
            self.complain(result, case, "%s: \"%s\" under the real event, \"%s\" under the injected one" %
                          (observation, real, injected))
        self.counts[result.row.effect][kind] += 1
        self.cell[key] = mark

    def stale(self):
        for reason in self.reasons if self.whole else []:
            if not any(reason.covers(*key) for key in self.cell):
                self.complaints["reasons.tsv:%d" % reason.line, "no cell is like that: %s" % reason.row] = []
                self.bad.add(("reasons.tsv", reason.line))

    def total(self, kind):
        return sum(count[kind] for count in self.counts.values())

    def percent(self):
        every = sum(self.total(kind) for kind in ("same", "differs", "cannot"))
        return 100.0 * self.total("same") / every if every else 0.0

    def judge(self):
        """Prints what is wrong; how many cases are right, and how many are not."""
        for (where, text), cases in self.complaints.items():
            print("%s: %s%s" % (where, text, " (%s)" % (", ".join(cases) if len(cases) < len(rows.CASES) else "all")
                                if cases else ""))
        return self.cases - len({b for b in self.bad if b[0] != "reasons.tsv"}), len(self.bad)

    # ---- the text ----

    def markdown(self):
        lines = ["# Injected faults beside real events", ""]
        lines += open_text().splitlines()
        lines += ["", "## Sums", ""] + self.sums() + [""]
        for effect in EFFECTS:
            mine = [r for r in self.results if r.row.effect == effect]
            if mine:
                lines += ["## %s" % effect, ""]
                for result in mine:
                    lines += self.section(result)
        if self.notes:
            lines += ["## Reasons", ""]
            for number, text in enumerate(self.notes, 1):
                lines += ["%d. %s" % (number, text)]
        return "\n".join(lines).rstrip("\n") + "\n"

    def sums(self):
        table = [["effect", "rows", "cells", "same", "differs", "cannot be"]]
        for effect in EFFECTS:
            count = self.counts[effect]
            table.append([effect, str(len([r for r in self.results if r.row.effect == effect])),
                          str(sum(count.values())), str(count["same"]), str(count["differs"]), str(count["cannot"])])
        table.append(["all", str(len(self.results)), str(sum(self.total(k) for k in ("same", "differs", "cannot"))),
                      "%d (%.1f %%)" % (self.total("same"), self.percent()), str(self.total("differs")),
                      str(self.total("cannot"))])
        return aligned(table)

    def section(self, result):
        row = result.row
        lines = ["### %s" % row.name, "", "`%s`" % " ".join(row.rules), ""]
        if row.event:
            lines += ["Real event: %s" % row.event, ""]
        if result.problem:
            return lines + ["Could not be carried out.", ""]
        table = [["observation"] + MODES]
        for observation in result.observations():
            if observation.startswith("set-up"):
                continue
            table.append([observation] + [" ".join(self.cell.get((row.name, observation, "%s %d" % (mode, family)), " ")
                                                   for family in (4, 6)).strip() for mode in MODES])
        return lines + aligned(table) + [""]


def aligned(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def open_text():
    return """What a program and its peer can observe, once under the real event, made without the
shim, and once under the rule that injects it. `make fidelity` carries out both,
compares, and fails where this page is no longer true; tests/fidelity/rows/ says how each
row goes.

A cell is one observation in one case: a way of waiting, and an address family. Each
table cell has two of them, IPv4 and IPv6:

- `=` same: both saw the same
- `~N` differs, by reason N at the end of the page; a race: now and then
- `-N` cannot be: Linux has no such real event, by reason N

Observations are named for the call, in the order in which they are made; "call" is
the one that is struck, "ready" what the case's way of waiting says without waiting
(where the descriptor blocks: poll), "peer" what the other end sees. Empty: there is
no such observation in that case."""

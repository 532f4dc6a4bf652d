/* The cases, each made in full when it is opened. */

function table(head, rows) {
  return el("div", {class: "scroll", tabindex: "0", role: "group", "aria-label": head.join(", ")},
    el("table", {class: "plain"}, el("thead", {}, el("tr", {}, head.map((text) => el("th", {scope: "col"}, text)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((text) => el("td", {}, text)))))));
}

function output(name, text, bytes) {
  if (!text) return null;
  const cut = bytes > text.length + 16;
  return el("figure", {class: "output"},
    el("figcaption", {}, `${name}, ${many(bytes, "byte")}${cut ? ": the end of it" : ""}`),
    el("pre", {tabindex: "0", "aria-label": name}, text));
}

/* What the programs came to, beside what they come to without faults; `all`, or those
 * that differ only. */
function besideUsual(one, all) {
  const rows = [];
  const row = (name, end, tcp, usual) => {
    const cell = (key) => {
      const value = key === "end" ? end : tcp && String(tcp[key]);
      const other = usual && (key === "end" ? usual.end : usual.tcp && String(usual.tcp[key]));
      return other && value !== other ? el("b", {class: "got"}, value || "") : value || "";
    };
    rows.push([name, ...["end", "connections", "received", "sent"].map(cell)]);
  };
  for (const program of one.programs) {
    const usual = program.without_faults, differs = usual && (usual.end !== program.end ||
      (usual.tcp && program.tcp && ["connections", "received", "sent"].some((key) => usual.tcp[key] !== program.tcp[key])));
    if (!differs && !(all && program.tcp)) continue;
    row(program.name, program.end, program.tcp, usual);
    if (usual) row(el("span", {class: "dim"}, "without faults"), usual.end, usual.tcp, null);
  }
  return rows.length > 0 && table(["program", "end", "connections", "bytes received", "sent"], rows);
}

function programOf(program) {
  return el("article", {class: "program"},
    el("h3", {class: "part"}, program.name, " ", el("span", {class: "dim"}, program.end)),
    el("pre", {tabindex: "0", "aria-label": `command of ${program.name}`}, el("code", {}, program.command)),
    program.rules.length > 0 && table(["fault", "counted", "struck", "on"], program.rules.map((rule) =>
      [el("code", {}, rule.text), String(rule.counted), String(rule.fired), rule.calls.replaceAll(" ", ", ")])),
    output(`${program.name}: standard output`, program.stdout, program.stdout_bytes),
    output(`${program.name}: standard error`, program.stderr, program.stderr_bytes));
}

function bodyOf(one) {
  return el("div", {class: "body"},
    one.about && el("p", {class: "about"}, one.about),
    one.reason && el("p", {}, one.reason),
    one.failures.length > 0 && table(["expectation", "expected", "got"], one.failures.map((failure) =>
      [el("b", {}, `${failure.program} ${failure.check}`), failure.expected, el("span", {class: "got"}, failure.got)])),
    one.findings.map((finding) => el("p", {},
      el("span", {class: `badge ${finding.severity}`}, finding.severity), " ",
      el("a", {href: `#finding-${finding.id}`}, finding.check), ` ${finding.message}`)),
    one.timeline.length > 0 && el("h3", {class: "part"}, "What happened"),
    one.timeline.length > 0 && timeline(one, null),
    one.programs.length > 0 && el("h3", {class: "part"}, "Programs"),
    besideUsual(one, true),
    one.programs.map(programOf),
    one.notes.map((note) => el("p", {class: "note"}, note)),
    el("h3", {class: "part"}, "Again"), command(one.reproduce),
    el("p", {class: "dim"}, [one.file && `${one.file}${one.line > 0 ? `:${one.line}` : ""}`,
      one.directory && `all of it: ${one.directory}`].filter(Boolean).join(" · ")));
}

function rowOf(one) {
  const faults = [...new Set(one.strikes.map(({fault}) => fault))];
  const fresh = one.findings.filter(({state}) => state === "new").length;
  const {kind} = OUTCOMES[one.outcome];
  return later({class: `case ${kind}`, id: `case-${one.number}`}, [
    el("span", {class: `badge ${kind}`}, one.outcome),
    el("span", {class: "name"}, titleOf(one), battery && one.outcome !== "finding" && one.reason &&
      el("span", {class: "dim reason"}, one.reason)),
    faults.slice(0, 3).map((fault) => el("span", {class: "fault"}, bolt(), fault)),
    fresh > 0 && el("span", {class: "count"}, many(fresh, "finding")),
    el("span", {class: "took"}, duration(one.duration_ns)),
  ], () => bodyOf(one));
}

function showCases() {
  const list = at("#cases .list");
  const order = Object.keys(OUTCOMES);
  const sorted = [...cases].sort((one, other) =>
    order.indexOf(one.outcome) - order.indexOf(other.outcome) || one.number - other.number);
  const rows = sorted.map((one) => [one, rowOf(one)]);
  const none = el("p", {class: "dim", hidden: true}, "No case is like that.");
  fill(list, [rows.map(([, row]) => row), none]);
  watchers.push(() => {
    let shown = 0;
    for (const [one, row] of rows) {
      row.hidden = !wanted(one);
      shown += !row.hidden;
    }
    none.hidden = shown > 0;
  });
}

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
    one.programs.map(programOf),
    one.notes.map((note) => el("p", {class: "note"}, note)),
    el("h3", {class: "part"}, "Again"), command(one.reproduce),
    el("p", {class: "dim"}, [one.file && `${one.file}${one.line > 0 ? `:${one.line}` : ""}`,
      one.directory && `all of it: ${one.directory}`].filter(Boolean).join(" · ")));
}

function rowOf(one) {
  const faults = [...new Set(one.strikes.map(({fault}) => fault))];
  const fresh = one.findings.filter(({state}) => state === "new").length;
  return later({class: `case ${one.status}`, id: `case-${one.number}`}, [
    el("span", {class: `badge ${one.status}`}, one.status),
    el("span", {class: "name"}, titleOf(one)),
    faults.slice(0, 3).map((fault) => el("span", {class: "fault"}, bolt(), fault)),
    fresh > 0 && el("span", {class: "count"}, many(fresh, "finding")),
    el("span", {class: "took"}, duration(one.duration_ns)),
  ], () => bodyOf(one));
}

function showCases() {
  const list = at("#cases .list");
  const order = Object.keys(OUTCOMES);
  const sorted = [...cases].sort((one, other) =>
    order.indexOf(one.status) - order.indexOf(other.status) || one.number - other.number);
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

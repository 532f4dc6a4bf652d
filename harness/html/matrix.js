/* Faults by calls: how the cases came out in which a fault struck a call. */

function gatherCells() {
  const rows = new Map(), calls = new Map();
  for (const one of cases) {
    for (const {fault, calls: struck} of one.strikes) {
      if (!rows.has(fault)) rows.set(fault, new Map());
      for (const call of struck) {
        const row = rows.get(fault);
        if (!row.has(call)) row.set(call, new Set());
        row.get(call).add(one);
        calls.set(call, (calls.get(call) || 0) + 1);
      }
    }
  }
  const order = [...calls.keys()].sort((one, other) => (one === "") - (other === "") || one.localeCompare(other));
  return {rows: [...rows].sort(([one], [other]) => one.localeCompare(other)), calls: order};
}

function cellOf(fault, call, members) {
  if (!members) return el("td", {class: "none"}, el("span", {class: "unseen"}, "none"));
  const counts = countsOf(members);
  const told = Object.keys(OUTCOMES).filter((outcome) => counts[outcome] > 0);
  const label = told.map((outcome) => `${counts[outcome]} ${outcome}`).join(", ");
  const bars = told.map((outcome) => {
    const bar = el("i", {class: OUTCOMES[outcome].kind});
    bar.style.flexGrow = counts[outcome];
    return bar;
  });
  const bad = BAD.reduce((sum, outcome) => sum + counts[outcome], 0);
  const share = bad > 0 ? `${bad}/${members.size}` : String(members.size);
  return el("td", {}, cellButton(`${fault} on ${call || "no call"}`, `${share}: ${label}`,
    OUTCOMES[told[0]].kind, (one) => one.strikes.some((strike) => strike.fault === fault && strike.calls.includes(call)),
    el("b", {}, share), el("span", {class: "bars"}, bars)));
}

/* Shows the cases that it stands for, and all of them when it is pressed again. */
function cellButton(name, label, kind, holds, ...kids) {
  const button = el("button", {type: "button", class: `cell ${kind}`, title: `${name}: ${label}`,
    "aria-label": `${label}: show these cases`, "aria-pressed": "false",
    onclick: () => chooseCell(filter.cell && filter.cell.name === name ? null : {name, holds})}, kids);
  watchers.push(() => button.setAttribute("aria-pressed", String(Boolean(filter.cell && filter.cell.name === name))));
  return button;
}

/* Of a battery: topics by verdicts. */
function showTopics() {
  if (!battery) return;
  const suites = [...new Set(cases.map((one) => one.suite))], outcomes = Object.keys(OUTCOMES);
  at("#topics").hidden = at("nav [href='#topics']").hidden = false;
  at("#topics .panel").append(el("div", {class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "topics-title"},
    el("table", {class: "matrix topics"},
      el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "Topic"), outcomes.map((outcome) =>
        el("th", {scope: "col"}, el("span", {}, outcome))))),
      el("tbody", {}, suites.map((suite) => {
        const members = cases.filter((one) => one.suite === suite), own = countsOf(members);
        return el("tr", {}, el("th", {scope: "row"}, suite), outcomes.map((outcome) => own[outcome] === 0
          ? el("td", {class: "none"}, el("span", {class: "unseen"}, "none"))
          : el("td", {}, cellButton(`${outcome}: ${suite}`, `${own[outcome]} ${outcome}`, OUTCOMES[outcome].kind,
            (one) => one.suite === suite && one.outcome === outcome, el("b", {}, String(own[outcome]))))));
      })))));
}

function showMatrix() {
  const {rows, calls} = gatherCells(), panel = at("#faults .panel");
  if (rows.length === 0) {
    panel.append(el("p", {class: "dim"}, "No case has a fault."));
    return;
  }
  at(".pair").classList.toggle("wide", calls.length > 5 || rows.length > 12);
  panel.append(
    el("p", {class: "dim"}, "In how many cases each fault struck each call; where some are bad, how many of them. ",
      "A number shows its cases."),
    el("div", {class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "faults-title"},
      el("table", {class: "matrix"},
        el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "Fault"),
          calls.map((call) => el("th", {scope: "col"}, el("span", {}, call || "never struck"))))),
        el("tbody", {}, rows.map(([fault, row]) => el("tr", {}, el("th", {scope: "row"}, el("code", {}, fault)),
          calls.map((call) => cellOf(fault, call, row.get(call)))))))));
}

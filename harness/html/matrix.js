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
  const counts = {};
  for (const one of members) counts[one.status] = (counts[one.status] || 0) + 1;
  const told = Object.keys(OUTCOMES).filter((status) => counts[status]);
  const label = told.map((status) => `${counts[status]} ${status}`).join(", ");
  const bars = told.map((status) => {
    const bar = el("i", {class: status});
    bar.style.flexGrow = counts[status];
    return bar;
  });
  const bad = (counts.failed || 0) + (counts.broken || 0);
  const share = bad > 0 ? `${bad}/${members.size}` : String(members.size);
  const button = el("button", {
    type: "button",
    class: bad > 0 ? `cell ${counts.failed ? "failed" : "broken"}` : `cell ${told[0]}`,
    title: `${fault} on ${call || "no call"}: ${label}`,
    "aria-label": `${share}: ${label}: show these cases`,
    "aria-pressed": "false",
    onclick: () => chooseCell(filter.cell && filter.cell.fault === fault && filter.cell.call === call
      ? null : {fault, call}),
  }, el("b", {}, share), el("span", {class: "bars"}, bars));
  watchers.push(() => {
    const chosen = filter.cell && filter.cell.fault === fault && filter.cell.call === call;
    button.setAttribute("aria-pressed", String(Boolean(chosen)));
  });
  return el("td", {}, button);
}

function showMatrix() {
  const {rows, calls} = gatherCells(), panel = at("#faults .panel");
  if (rows.length === 0) {
    panel.append(el("p", {class: "dim"}, "No case has a fault."));
    return;
  }
  at(".pair").classList.toggle("wide", calls.length > 6);
  panel.append(
    el("p", {class: "dim"}, "In how many cases each fault struck each call; where some do not hold, how many of them. ",
      "A number shows its cases."),
    el("div", {class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "faults-title"},
      el("table", {class: "matrix"},
        el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "Fault"),
          calls.map((call) => el("th", {scope: "col"}, el("span", {}, call || "never struck"))))),
        el("tbody", {}, rows.map(([fault, row]) => el("tr", {}, el("th", {scope: "row"}, el("code", {}, fault)),
          calls.map((call) => cellOf(fault, call, row.get(call)))))))));
}

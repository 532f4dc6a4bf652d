/* The head of the page, and the filters. */

/* Of one command there is nothing to hold: how it ended is all. */
function ofOneCommand() {
  return cases.length === 1 && !cases[0].file && cases[0].status !== "broken";
}

function verdict() {
  const bad = BAD.reduce((sum, outcome) => sum + counts[outcome], 0);
  const fresh = findings.filter(({finding}) => finding.state === "new" && finding.severity !== "note").length;
  const parts = [];
  if (battery) {
    const applied = counts.pass + counts.finding + counts.tolerated;
    const parts = [counts.finding > 0 && many(counts.finding, "finding"), counts.tolerated > 0 && `${counts.tolerated} tolerated`,
      `${counts.pass} of ${many(applied, "case")} pass`];
    return applied > 0 ? parts.filter(Boolean).join(", ") : "Nothing was tried";
  }
  if (bad > 0 && !ofOneCommand()) parts.push(`${bad} of ${many(cases.length, "case")} ${bad === 1 ? "does" : "do"} not hold`);
  if (fresh > 0) parts.push(many(fresh, "finding"));
  if (parts.length > 0) return parts.join(", ");
  if (ofOneCommand()) return `${cases[0].programs[0].name} ${cases[0].programs[0].end}`;
  return cases.length === counts.skipped ? "Nothing was tried" : "All held";
}

function showSummary() {
  at("#verdict").textContent = verdict();
  document.title = `tcpfault: ${verdict()}`;
  const worst = Object.keys(OUTCOMES).find((outcome) => counts[outcome] > 0 && !(battery && outcome === "not tested"));
  at("#verdict").className = worst && !(ofOneCommand() && worst === "ok") ? OUTCOMES[worst].kind : "";
  const when = new Date(run.started_ns / 1e6);
  const facts = [
    ["Started", run.started_ns > 0 ? when.toISOString().replace("T", " ").slice(0, 19) + " UTC" : "unknown"],
    ["Took", duration(run.duration_ns)],
    ["Seed", run.seed],
    ["Cases", battery ? [cases.length, ...["not applicable", "not tested"].filter((outcome) => counts[outcome] > 0)
      .map((outcome) => `${counts[outcome]} ${outcome}`)].join(", ") : String(cases.length)],
    ["Where", run.sandbox],
  ];
  fill(at("#about"), [
    run.command ? command(run.command) : null,
    el("dl", {class: "facts"}, facts.filter(([, text]) => text)
      .map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))),
  ]);
  for (const [outcome, {kind}] of Object.entries(OUTCOMES)) {
    if (counts[outcome] > 0) {
      const part = el("i", {class: kind});
      part.style.flexGrow = counts[outcome];
      at("#bar").append(part);
    }
  }
}

/* ---- filters ---- */

const filter = {text: "", outcomes: new Set(Object.keys(OUTCOMES)), cell: null};
const watchers = [];

function wanted(one) {
  if (!filter.outcomes.has(one.outcome)) return false;
  if (filter.text && !filter.text.split(/\s+/).every((word) => one.words.includes(word))) return false;
  return !filter.cell || filter.cell.holds(one);
}

function refilter() {
  for (const watcher of watchers) watcher();
  const count = cases.filter(wanted).length;
  at("#shown").textContent = count === cases.length ? many(count, "case") : `${count} of ${many(cases.length, "case")}`;
}

function chooseCell(cell) {
  filter.cell = cell;
  const chip = at("#cell");
  chip.hidden = !cell;
  if (cell) {
    chip.replaceChildren(`${cell.name} `, el("span", {"aria-hidden": "true"}, "✕"),
      el("span", {class: "unseen"}, "remove this filter"));
  }
  refilter();
}

function showFilters() {
  for (const [outcome, {kind, about}] of Object.entries(OUTCOMES)) {
    const button = el("button", {type: "button", class: `outcome ${kind}`, "aria-pressed": "true", title: about},
      el("b", {}, String(counts[outcome])), ` ${outcome}`);
    button.addEventListener("click", () => {
      if (!filter.outcomes.delete(outcome)) filter.outcomes.add(outcome);
      button.setAttribute("aria-pressed", String(filter.outcomes.has(outcome)));
      refilter();
    });
    at("#outcomes").append(button);
  }
  const text = at("#text");
  text.addEventListener("input", () => {
    filter.text = text.value.trim().toLowerCase();
    refilter();
  });
  at("#cell").addEventListener("click", () => chooseCell(null));
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      text.focus();
    } else if (event.key === "Escape" && event.target === text) {
      text.value = filter.text = "";
      refilter();
    }
  });
}

/* ---- light and dark ---- */

function showTheme() {
  const button = at("#theme"), root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = (value) => { /* pages from files may have no storage */
    try {
      if (value) localStorage.setItem("tcpfault-theme", value);
      return localStorage.getItem("tcpfault-theme");
    } catch {
      return null;
    }
  };
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const say = () => { button.textContent = current() === "dark" ? "Light theme" : "Dark theme"; };
  const before = kept();
  if (before === "light" || before === "dark") root.dataset.theme = before;
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    kept(root.dataset.theme);
    say();
  });
  dark.addEventListener("change", say);
  say();
}

/* The findings, each once, with its timeline. */

function linkTo(one) {
  return el("a", {href: `#case-${one.number}`}, titleOf(one));
}

function siteList(finding) {
  if (finding.frames.length === 0) return null;
  return el("ol", {class: "site"}, finding.frames.map((frame, index) =>
    el("li", {}, el("span", {class: "dim"}, index === 0 ? "at " : "called from "), el("code", {}, siteOf(frame)))));
}

function lifeOf(finding) {
  if (finding.life.length === 0) return null;
  return later({class: "life"}, "The socket's life, as the trace has it", () =>
    el("pre", {tabindex: "0", "aria-label": "The socket's life"}, finding.life.join("\n")));
}

function bodyOfFinding({finding, cases: where}) {
  const one = where.find((each) => each.timeline.length > 0) || where[0];
  return el("div", {class: "body"},
    one.timeline.length > 0 && timeline(one, finding),
    besideUsual(one, false),
    el("p", {class: "why"}, finding.why, " ", finding.source && el("cite", {}, finding.source)),
    lifeOf(finding),
    (finding.reproduce || one.reproduce) && command(finding.reproduce || one.reproduce),
    el("p", {class: "dim"}, where.length === 1 ? "In " : `In ${where.length} cases: `,
      where.slice(0, 12).map((each, index) => [index > 0 && ", ", linkTo(each)]),
      where.length > 12 && " …", ` · id ${finding.id}`));
}

function findingOf(entry, open) {
  const {finding, times} = entry;
  const state = finding.state === "new" ? null
    : el("span", {class: "badge skipped"}, finding.excuse ? `${finding.state}: ${finding.excuse}` : finding.state);
  return el("article", {class: `finding ${finding.severity} ${finding.state}`, id: `finding-${finding.id}`},
    el("h3", {}, el("span", {class: `badge ${finding.severity}`}, finding.severity), " ",
      el("span", {class: "check"}, finding.check), " ", finding.title && el("span", {class: "dim"}, finding.title), state),
    el("p", {class: "message"}, finding.program && el("code", {}, finding.program), finding.program && ": ",
      finding.message, times > 1 && el("span", {class: "dim"}, ` (${times} times)`)),
    siteList(finding),
    finding.rule && el("p", {}, el("span", {class: "fault"}, bolt(), finding.rule)),
    later({open}, "Timeline, reason and reproduction", () => bodyOfFinding(entry)));
}

function showFindings() {
  const list = at("#findings .list");
  if (findings.length === 0) {
    list.append(el("p", {class: "dim"}, "Nothing was found that nobody had asked for."));
    return;
  }
  const cards = findings.map((entry, index) => [entry, findingOf(entry, index === 0)]);
  const none = el("p", {class: "dim", hidden: true}, "No finding is like that.");
  fill(list, [cards.map(([, card]) => card), none]);
  watchers.push(() => {
    let shown = 0;
    for (const [entry, card] of cards) {
      card.hidden = !entry.cases.some(wanted);
      shown += !card.hidden;
    }
    none.hidden = shown > 0;
  });
}

/* The run, and what is known of it at a glance. */

const run = JSON.parse(at("#run").textContent);

/* A battery's cases have a verdict on the target (tcpfault check), others hold or not. */
const battery = run.cases.some((one) => one.verdict);

/* The worst come first; "kind" is how it looks. */
const OUTCOMES = battery ? {
  finding: {kind: "failed", about: "it did not do what a good program does"},
  "not tested": {kind: "broken", about: "the tool could not try it here"},
  tolerated: {kind: "tolerated", about: "it degraded in a way that is let pass"},
  pass: {kind: "ok", about: "it did what a good program does"},
  "not applicable": {kind: "skipped", about: "it does nothing that the case is about"},
} : {
  failed: {kind: "failed", about: "an expectation or a check does not hold"},
  broken: {kind: "broken", about: "it says nothing: a fault was not delivered, or a program is missing"},
  ok: {kind: "ok", about: "everything held"},
  skipped: {kind: "skipped", about: "something that it needs is not here"},
};
const BAD = battery ? ["finding", "not tested"] : ["failed", "broken"];
const SEVERITIES = ["error", "warning", "note"];

/* {fault, calls: [call]} for each rule of a case; a fault that did not strike has the
 * call "". */
function strikesOf(one) {
  const strikes = [];
  for (const program of one.programs) {
    for (const rule of program.rules) {
      const calls = rule.fired > 0 && rule.calls ? rule.calls.split(" ") : [""];
      strikes.push({fault: rule.fault || rule.text, text: rule.text, program: program.name, calls});
    }
  }
  return strikes;
}

function titleOf(one) {
  if (battery) return `${one.suite}/${one.name}`;
  const name = one.suite && one.suite !== one.name ? `${one.suite}: ${one.name}` : one.name;
  return one.repeat > 0 ? `${name} (${one.repeat})` : name;
}

function siteOf(frame) {
  const module = `${frame.module.split("/").pop()}+${frame.offset}`;
  if (frame.file) return `${frame.function ? `${frame.function} at ` : ""}${frame.file}:${frame.line}`;
  return frame.function ? `${frame.function} in ${module}` : module;
}

/* What a text filter looks into. */
function wordsOf(one) {
  const words = [titleOf(one), one.file, one.reason, one.about, one.outcome];
  for (const failure of one.failures) words.push(failure.program, failure.check, failure.expected, failure.got);
  for (const program of one.programs) {
    words.push(program.name, program.command, program.end);
    for (const rule of program.rules) words.push(rule.text, rule.calls);
  }
  for (const finding of one.findings) words.push(...wordsOfFinding(finding));
  return words.join("\n").toLowerCase();
}

function wordsOfFinding(finding) {
  return [finding.check, finding.title, finding.message, finding.rule, finding.program, finding.call,
    finding.error, finding.severity, finding.state, ...finding.frames.map(siteOf)];
}

/* The same bug in several cases is one finding: {finding, times, cases}. The worst come
 * first, and those that are known or suppressed last. */
function gatherFindings(cases) {
  const all = new Map();
  for (const one of cases) {
    for (const finding of one.findings) {
      const known = all.get(finding.id);
      if (known) {
        known.times += finding.times;
        known.cases.push(one);
      } else {
        all.set(finding.id, {finding, times: finding.times, cases: [one]});
      }
    }
  }
  const rank = ({finding}) => (finding.state === "new" ? 0 : 10) + SEVERITIES.indexOf(finding.severity);
  return [...all.values()].sort((one, other) => rank(one) - rank(other));
}

const cases = run.cases.map((one, index) => Object.assign(one, {
  number: index + 1,
  outcome: one.verdict || (battery ? "not tested" : one.status),
  strikes: strikesOf(one),
}));
for (const one of cases) one.words = wordsOf(one);
const findings = gatherFindings(cases);

/* {outcome: how many} of these cases. */
function countsOf(members) {
  const counts = Object.fromEntries(Object.keys(OUTCOMES).map((outcome) => [outcome, 0]));
  for (const one of members) counts[one.outcome]++;
  return counts;
}
const counts = countsOf(cases);

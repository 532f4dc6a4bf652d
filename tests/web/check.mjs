/* The html report as a browser shows it; prints TAP. check.sh prepares what it opens. */
import {spawnSync} from "node:child_process";
import {readdirSync} from "node:fs";
import {createRequire} from "node:module";

const build = process.argv[2], web = `${build}/web`;
const {chromium} = createRequire(import.meta.url)(`${build}/npm/playwright-core`);
const axe = `${build}/npm/axe-core/axe.min.js`;
const schemas = `${build}/npm/jest-sarif/lib/schemas`;

let count = 0, failed = 0;

function check(holds, claim, ...seen) {
  count++;
  failed += !holds;
  console.log(`${holds ? "ok" : "not ok"} ${count} - ${claim}`);
  if (!holds) for (const line of seen) console.log(`  # ${line}`);
}

/* ---- schemas ---- */

function validated(validator, schema, file) {
  return spawnSync("/usr/bin/python3", ["-c", "import json, sys, jsonschema\n" +
    "getattr(jsonschema, sys.argv[1])(json.load(open(sys.argv[2]))).validate(json.load(open(sys.argv[3])))",
  validator, schema, file], {encoding: "utf8"});
}

const schema = `${schemas}/${readdirSync(schemas).find((name) => name.startsWith("sarif-2.1.0"))}`;
for (const name of ["demo", "shown", "large", "hostile", "battery", "hostile-battery", "inject"]) {
  const done = validated("Draft4Validator", schema, `${web}/${name}.sarif`);
  check(done.status === 0, `SARIF of the run "${name}" is valid by the schema of 2.1.0`, done.stderr.slice(-400));
}

for (const name of ["demo", "shown", "large", "battery", "inject"]) {
  const done = validated("Draft7Validator", "harness/run.schema.json", `${web}/${name}.report.json`);
  check(done.status === 0, `JSON of the run "${name}" is valid by the published schema`, done.stderr.slice(-400));
}

/* ---- the page ---- */

const browser = await chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox"]});

/* A page with all that went wrong in it. */
async function open(name, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 1000}, reducedMotion: "reduce", ...options});
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => wrong.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`file://${web}/${name}.html`)) wrong.push(`request: ${request.url()}`);
  });
  await page.goto(`file://${web}/${name}.html`);
  return {page, wrong, close: () => context.close()};
}

const visible = (page, selector) => page.locator(`${selector}:visible`).count();

async function opens() {
  let best = Infinity, painted = Infinity;
  for (let i = 0; i < 20 && (best >= 1000 || painted >= 1000); i++) { /* other work on the machine is no finding */
    const {page, wrong, close} = await open("large");
    const times = await page.evaluate(async () => {
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return [performance.getEntriesByType("navigation")[0].loadEventEnd, performance.now()];
    });
    best = Math.min(best, times[0]);
    painted = Math.min(painted, times[1]);
    if (i === 0) check(wrong.length === 0, "500 cases open without an error and without a request", ...wrong);
    if (i === 0) check(await page.locator(".case").count() === 500, "all 500 are there");
    await close();
  }
  check(best < 1000 && painted < 1000, "500 cases open in less than a second", `${best} ms, painted after ${painted} ms`);
  console.log(`# 500 cases: loaded after ${Math.round(best)} ms, painted after ${Math.round(painted)} ms`);
}

async function filters() {
  const {page, wrong, close} = await open("large");
  const all = await page.evaluate(() => counts);
  for (const status of ["failed", "broken", "skipped"]) await page.click(`.outcome.${status}`);
  check(await visible(page, ".case") === all.ok, "outcomes filter the cases", JSON.stringify(all));
  check(await visible(page, ".finding.error") === 0, "and the findings with them");
  for (const status of ["failed", "broken", "skipped"]) await page.click(`.outcome.${status}`);
  await page.keyboard.press("/");
  await page.keyboard.type("byte AT time");
  const named = await page.evaluate(() => cases.filter((one) =>
    ["byte", "at", "time"].every((word) => one.words.includes(word))).length);
  check(named > 0 && named < 500 && await visible(page, ".case") === named, "every word of a text filters", String(named));
  check((await page.textContent("#shown")).startsWith(`${named} of 500`), "how many are shown is said");
  await page.keyboard.press("Escape");
  check(await visible(page, ".case") === 500, "Escape takes the text back");
  await page.click(".cell");
  const some = await visible(page, ".case");
  check(some > 0 && some < 500, "a cell of the matrix shows its cases", String(some));
  await page.click("#cell");
  check(await visible(page, ".case") === 500, "and its chip all of them");
  await page.fill("#text", "no-case-is-like-this");
  check(await visible(page, ".case") + await visible(page, ".finding") === 0 && await visible(page, "#cases .list > p") === 1,
    "that there is none is said");
  check(wrong.length === 0, "filtering makes no errors", ...wrong);
  await close();
}

/* A run of tcpfault check: verdicts in the place of outcomes. */
async function verdicts() {
  const {page, wrong, close} = await open("battery");
  const total = await page.locator(".case").count();
  const told = await page.evaluate(() => Object.fromEntries(Object.keys(OUTCOMES).map((verdict) =>
    [verdict, run.cases.filter((one) => one.verdict === verdict).length])));
  check(Object.keys(told).length === 5 && Object.values(told).every((count) => count > 0), "every verdict is there",
    JSON.stringify(told));
  for (const [verdict, count] of Object.entries(told)) {
    const badges = await page.locator(".case .badge").allTextContents();
    check(badges.filter((text) => text === verdict).length === count, `its cases are shown as "${verdict}"`);
    const chip = page.locator(".outcome", {hasText: verdict});
    check((await chip.textContent()) === `${count} ${verdict}`, "with their number at the filter", await chip.textContent());
    await chip.click();
    check(await visible(page, ".case") === total - count, "which takes them away", String(await visible(page, ".case")));
    await chip.click();
  }
  check((await page.textContent("#verdict")).startsWith(`${told.finding} findings, 1 tolerated, ${told.pass} of `),
    "the head of the page counts verdicts", await page.textContent("#verdict"));
  check(await visible(page, "#topics .cell") > 5, "topics are counted by verdict");
  const cell = page.locator("#topics .cell.tolerated");
  await cell.click();
  check(await visible(page, ".case") === 1 && (await page.textContent(".case:visible")).includes("exited with status 1"),
    "a number there shows its cases, which say why");
  await cell.click();
  await page.fill("#text", "not applicable setsockopt");
  const named = await visible(page, ".case");
  check(named > 0 && named <= told["not applicable"], "verdicts are words of the text filter", String(named));
  await page.fill("#text", "");
  check(await visible(page, ".finding tr .got") > 0, "what is not as without faults stands out");
  check(wrong.length === 0, "and nothing of it makes errors", ...wrong);
  await close();
}

async function keyboard() {
  const {page, close} = await open("shown");
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => document.activeElement.className) === "skip", "the first stop skips to the results");
  await page.locator(".outcome.failed").focus();
  await page.keyboard.press("Space");
  check(await page.getAttribute(".outcome.failed", "aria-pressed") === "false", "Space is a click");
  await page.keyboard.press("Space");
  await page.locator(".case > summary").first().focus();
  await page.keyboard.press("Enter");
  await page.locator(".case[open] .timeline").waitFor();
  check(await visible(page, ".case[open] .timeline") === 1, "Enter opens a case");
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => Boolean(document.activeElement.closest(".case[open]"))), "its inside is reached");
  await page.click(".finding a[href^='#case-']");
  check(await page.evaluate(() => document.getElementById(location.hash.slice(1)).open), "a link opens its case");
  await close();
}

async function pictures() {
  const {page, close} = await open("shown");
  check(await visible(page, ".finding .timeline tr.struck .fault") > 0, "the fault is marked where it struck");
  check(await visible(page, ".finding .timeline .arrow") > 2, "segments are drawn");
  const told = (await page.locator(".finding .timeline td.state span").allTextContents()).join(" ");
  check(told.includes("ESTABLISHED"), "states stand at the sides", told);
  check(await page.locator(".node.seen").count() > 5 && await page.locator(".edge.seen").count() > 5,
    "the state diagram shows what was gone through");
  await page.locator(".check-minor input").first().check();
  check(await visible(page, ".finding .timeline tr.minor") > 0, "options and waits are shown where wanted");
  await close();
}

async function themes() {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await open("shown", {colorScheme: "light"}), dark = await open("shown", {colorScheme: "dark"});
  const [day, night] = [await ground(light.page), await ground(dark.page)];
  check(day !== night, "the page is as dark as the system asks");
  await light.page.click("#theme");
  check(await ground(light.page) === night, "and the button turns it");
  await light.page.reload();
  check(await ground(light.page) === night, "which is remembered");
  await light.close();
  await dark.close();
}

async function phone() {
  const {page, wrong, close} = await open("shown", {viewport: {width: 360, height: 740}, isMobile: true, hasTouch: true});
  await page.locator(".case > summary").first().tap();
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  check(wide <= 0, "a phone need not scroll sideways", `${wide} px too wide`);
  check(wrong.length === 0, "a phone shows no errors", ...wrong);
  await close();
}

async function hostile() {
  for (const name of ["hostile", "hostile-battery", "inject"]) await spoiled(name);
}

async function spoiled(name) {
  const {page, wrong, close} = await open(name);
  await page.evaluate(() => document.querySelectorAll("details").forEach((node) => { node.open = true; }));
  await page.waitForTimeout(200);
  const found = await page.evaluate(() => [window.pwned, document.querySelectorAll("script").length,
    document.querySelectorAll("img, iframe, object, embed, link, base, form").length]);
  check(String(found) === ",2,0", "what programs wrote stays text", String(found));
  check(wrong.length === 0, "and makes no errors", ...wrong);
  check((await page.textContent("#cases")).includes("</script><script>window.pwned=1</script><img"), "and is shown as it was");
  await close();
}

async function accessible() {
  for (const [name, options] of [["shown", {colorScheme: "light"}], ["shown", {colorScheme: "dark"}],
    ["shown", {viewport: {width: 360, height: 740}}], ["battery", {colorScheme: "light"}], ["battery", {colorScheme: "dark"}]]) {
    const {page, close} = await open(name, options);
    await page.evaluate(() => document.querySelectorAll("details").forEach((node, index) => {
      if (index < 12) node.open = true;
    }));
    await page.waitForTimeout(100);
    await page.addScriptTag({path: axe});
    const {violations, passes} = await page.evaluate(() => axe.run());
    check(passes.length > 20, `${name}, ${JSON.stringify(options)}: axe has looked`, String(passes.length));
    check(violations.length === 0, "and finds no violation",
      ...violations.map((each) => `${each.impact} ${each.id}: ${each.nodes.length}: ${each.nodes[0].html.slice(0, 120)} ` +
        `${each.nodes[0].failureSummary.replaceAll("\n", " ").slice(0, 300)}`));
    await close();
  }
}

/* For the documents: the runs as they are, with nothing added. */
async function printed() {
  const scene = async (name, file, colorScheme, width, from, to) => {
    const {page, close} = await open(name, {colorScheme, viewport: {width, height: 1000}});
    await page.evaluate(() => {
      const card = [...document.querySelectorAll(".finding")].find((each) => each.querySelectorAll(".site li").length > 1);
      for (const other of document.querySelectorAll(".finding")) other.querySelector("details").open = other === card;
      if (card) card.id = "shown-here";
      document.querySelector(".tools").style.position = "static";
    });
    await page.waitForTimeout(200);
    const [top, bottom] = await page.evaluate(([above, below]) => {
      const end = document.querySelector(below).getBoundingClientRect().bottom;
      return [above ? document.querySelector(above).getBoundingClientRect().top : 0, end];
    }, [from, to]);
    const y = Math.max(0, top - 10);
    await page.screenshot({path: `${web}/${file}.png`, fullPage: true,
      clip: {x: 0, y, width, height: Math.round(bottom - y + 20)}});
    await close();
  };
  await scene("demo", "report", "light", 1120, null, "#shown-here");
  await scene("demo", "report-dark", "dark", 1120, ".pair", ".pair");
  await scene("demo", "report-phone", "light", 390, "#shown-here", "#shown-here");
}

for (const part of [opens, filters, verdicts, keyboard, pictures, themes, phone, hostile, accessible, printed]) {
  try {
    await part();
  } catch (error) {
    check(false, `${part.name} gets to its end`, ...String(error.stack).split("\n"));
  }
}
await browser.close();
console.log(`1..${count}`);
process.exit(failed > 0 ? 1 : 0);

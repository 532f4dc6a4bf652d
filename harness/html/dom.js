/* Elements. Text comes in as text: nothing here, or in any other file of the page,
 * makes markup of it. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, kids) {
  for (const kid of kids.flat(Infinity)) {
    if (kid !== null && kid !== undefined && kid !== false) node.append(kid);
  }
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  return node;
}

/* el("p", {class: "dim"}, "text", [more]) */
function el(tag, attributes, ...kids) {
  return fill(set(document.createElement(tag), attributes), kids);
}

function svg(tag, attributes, ...kids) {
  return fill(set(document.createElementNS(SVG, tag), attributes), kids);
}

function at(selector) {
  return document.querySelector(selector);
}

function many(count, one, several) {
  return `${count} ${count === 1 ? one : several || `${one}s`}`;
}

/* 1234567 -> "1.23 ms" */
function duration(ns) {
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  for (const [size, name] of units) {
    if (ns >= size) {
      const value = ns / size;
      return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${name}`;
    }
  }
  return `${ns} ns`;
}

function bolt() {
  return svg("svg", {viewBox: "0 0 12 16", class: "bolt", "aria-hidden": "true", focusable: "false"},
    svg("path", {d: "M8 0 1 9h4l-1 7 7-10H7z"}));
}

/* A command line that can be taken along. */
function command(text) {
  const code = el("code", {}, text);
  const button = el("button", {type: "button", class: "plain copy", onclick: copy}, "Copy");
  function copy() {
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    };
    const select = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
    else select();
  }
  return el("div", {class: "command"}, el("pre", {tabindex: "0", "aria-label": "Command"}, code), button);
}

/* Made when it is opened for the first time. */
function later(attributes, summary, make) {
  const node = el("details", attributes, el("summary", {}, summary));
  let made = false;
  node.make = () => {
    if (!made) fill(node, [make()]);
    made = true;
  };
  node.addEventListener("toggle", () => { if (node.open) node.make(); });
  if (attributes && attributes.open) node.make();
  return node;
}

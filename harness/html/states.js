/* TCP's state diagram (RFC 9293, figure 5), with what the sockets of the run went
 * through. The names are Linux's, as ss(8) and scenarios have them. */

const NODES = {
  CLOSE: [330, 36], LISTEN: [330, 122], SYN_RECV: [126, 204], SYN_SENT: [534, 204], ESTABLISHED: [330, 292],
  FIN_WAIT1: [126, 376], CLOSE_WAIT: [534, 376], FIN_WAIT2: [126, 484], CLOSING: [330, 396],
  TIME_WAIT: [330, 484], LAST_ACK: [534, 484],
};

/* from, to, path, label, and where that stands. */
const EDGES = [
  ["CLOSE", "LISTEN", "M330 54V102", "listen", 322, 82, "end"],
  ["CLOSE", "SYN_SENT", "M394 36C470 40 534 90 534 182", "SYN", 462, 84, "end"],
  ["LISTEN", "SYN_RECV", "M266 130C190 140 140 156 128 182", "SYN", 172, 142, "end"],
  ["SYN_SENT", "SYN_RECV", "M470 204H194", "SYN", 290, 198, "middle"],
  ["SYN_RECV", "ESTABLISHED", "M160 222 272 274", "ACK", 226, 240, "start"],
  ["SYN_SENT", "ESTABLISHED", "M500 222 388 274", "SYN, ACK", 454, 264, "start"],
  ["SYN_SENT", "CLOSE", "M574 186C596 90 520 12 398 26", "RST, timeout", 594, 112, "start"],
  ["SYN_RECV", "FIN_WAIT1", "M110 222V354", "close: FIN", 104, 292, "end"],
  ["ESTABLISHED", "FIN_WAIT1", "M272 310 164 354", "close: FIN", 206, 326, "end"],
  ["ESTABLISHED", "CLOSE_WAIT", "M388 310 496 354", "FIN", 462, 330, "start"],
  ["ESTABLISHED", "CLOSE", "M360 274C424 220 424 120 374 58", "RST", 414, 150, "start"],
  ["FIN_WAIT1", "FIN_WAIT2", "M126 394V462", "ACK", 120, 434, "end"],
  ["FIN_WAIT1", "CLOSING", "M190 382 264 392", "FIN", 228, 380, "middle"],
  ["FIN_WAIT1", "TIME_WAIT", "M170 394 280 464", "FIN, ACK", 216, 440, "end"],
  ["FIN_WAIT2", "TIME_WAIT", "M190 484H264", "FIN", 226, 478, "middle"],
  ["CLOSING", "TIME_WAIT", "M330 414V462", "ACK", 338, 442, "start"],
  ["CLOSE_WAIT", "LAST_ACK", "M534 394V462", "close: FIN", 542, 432, "start"],
  ["LAST_ACK", "CLOSE", "M598 484H690V14H380", "ACK", 682, 478, "end"],
  ["TIME_WAIT", "CLOSE", "M330 502V530H16V36H264", "after 2 MSL", 24, 522, "start"],
];

/* Of a socket's first state there is no transition on record; how it got there is
 * known all the same. */
const BEGINNINGS = {SYN_SENT: "CLOSE SYN_SENT", SYN_RECV: "LISTEN SYN_RECV", LISTEN: "CLOSE LISTEN"};

/* "SYN_SENT ESTABLISHED" -> in how many cases; and so for each state. */
function gatherTransitions() {
  const transitions = new Map(), states = new Map();
  const add = (map, key) => map.set(key, (map.get(key) || 0) + 1);
  for (const one of cases) {
    const seen = new Set(one.transitions), visited = new Set();
    for (const transition of one.transitions) {
      for (const state of transition.split(" ")) {
        visited.add(state);
        if (BEGINNINGS[state]) seen.add(BEGINNINGS[state]);
      }
    }
    seen.forEach((transition) => add(transitions, transition));
    visited.forEach((state) => add(states, state));
  }
  return {transitions, states};
}

function diagram(transitions, states) {
  const kind = (seen) => (seen ? "seen" : "unseen-yet");
  const ending = (id) => svg("marker", {id, viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7",
    markerHeight: "7", orient: "auto"}, svg("path", {d: "M0 0 8 4 0 8z"}));
  const edges = EDGES.map(([from, to, path, label, x, y, anchor]) => {
    const count = transitions.get(`${from} ${to}`);
    return svg("g", {class: `edge ${kind(count)}`},
      svg("title", {}, `${from} to ${to}: ${count ? `in ${many(count, "case")}` : "in no case"}`),
      svg("path", {d: path, "marker-end": `url(#${kind(count)})`}),
      svg("text", {x, y, "text-anchor": anchor}, label));
  });
  const nodes = Object.entries(NODES).map(([name, [x, y]]) => svg("g", {class: `node ${kind(states.get(name))}`},
    svg("title", {}, `${name}: ${states.get(name) ? `in ${many(states.get(name), "case")}` : "in no case"}`),
    svg("rect", {x: x - 64, y: y - 18, width: 128, height: 36, rx: 9}),
    svg("text", {x, y: y + 5, "text-anchor": "middle"}, name)));
  return svg("svg", {viewBox: "0 0 704 544", class: "diagram", role: "img", "aria-label":
    `TCP's state diagram: ${states.size} of ${Object.keys(NODES).length} states were gone through`},
  svg("defs", {}, ending("seen"), ending("unseen-yet")), edges, nodes);
}

function showStates() {
  const {transitions, states} = gatherTransitions(), panel = at("#states .panel");
  const drawn = new Set(EDGES.map(([from, to]) => `${from} ${to}`));
  const others = [...transitions.keys()].filter((each) => !drawn.has(each));
  const rows = [...EDGES.map(([from, to]) => `${from} ${to}`), ...others].map((each) =>
    [each.replace(" ", " → "), transitions.get(each) ? String(transitions.get(each)) : "none"]);
  fill(panel, [
    el("p", {class: "dim"}, "What the run's sockets went through, as their programs could see it; what the kernel does " +
      "behind close is not."),
    diagram(transitions, states),
    others.length > 0 && el("p", {class: "dim"}, "Also, after a reset or an error: ",
      others.map((each) => each.replace(" ", " → ")).join(", "), "."),
    later({}, "The same as a table", () => table(["transition", "cases"], rows)),
  ]);
}

/* What happened, as the textbook draws it: client and server, their states down the
 * sides, calls and segments between them, the fault where it struck.
 *
 * A segment is drawn at the call that made the kernel send it; one of a peer that is
 * not under the library, at the call that saw it. */

const IN = /^(read|readv|preadv2?|recv|recvfrom|recvmsg|recvmmsg|splice|__read_chk|__recv_chk)$/;
const OUT = /^(write|writev|pwritev2?|send|sendto|sendmsg|sendmmsg|sendfile)$/;
const MINOR = /^(setsockopt|getsockopt|getsockname|getpeername|fcntl|ioctl|dup[23]?|p?poll|p?select|epoll_\w+)$/;
const GONE = /^(ECONNRESET|EPIPE|ECONNABORTED)$/;

/* The connection of an event: the client's address and the server's. */
function pairOf(event) {
  if (!event.local || !event.peer || event.role === "listener") return null;
  return event.role === "server" ? `${event.peer} ${event.local}` : `${event.local} ${event.peer}`;
}

/* Programs that listen are on the right, as are those that only ever accept. */
function sidesOf(events) {
  const servers = new Set();
  for (const event of events) if (event.call === "listen" || event.role === "listener") servers.add(event.program);
  return (event) => {
    if (event.role === "client") return "left";
    if (event.role === "server" || event.role === "listener") return "right";
    return servers.has(event.program) ? "right" : "left";
  };
}

/* {direction, text, kind}: kind is "lost", "reset", "open" or "data". */
function segmentOf(event, side, was, now, other, opens) {
  const {call, result, errno} = event;
  const away = side === "left" ? "right" : "left", struck = event.fired ? event.effects : [];
  const to = (text, kind) => ({direction: away, text, kind}), from = (text, kind) => ({direction: side, text, kind});
  const dies = event.unfinished && struck.includes("error") && /error=(EPIPE|ECONNRESET)\b/.test(event.rule_text || "");
  if (struck.includes("reset") || dies) return to("RST", "reset");
  if (call === "connect") {
    if (result === 0) return to("SYN, SYN-ACK, ACK", "open");
    if (errno === "ECONNREFUSED") return to("SYN, RST", "refused");
    if (errno === "EINPROGRESS" && opens) return to("SYN, SYN-ACK, ACK", "open");
    if (errno === "EINPROGRESS") return to("SYN", struck.includes("drop") ? "lost" : "data");
    return /^E(TIMEDOUT|HOSTUNREACH|NETUNREACH)$/.test(errno || "") ? to("SYN", "lost") : null;
  }
  if (call.startsWith("accept")) return result >= 0 && !other ? from("SYN, SYN-ACK, ACK", "open") : null;
  if (OUT.test(call) && result > 0) return to(many(result, "byte"), struck.includes("drop") ? "lost" : "data");
  if (IN.test(call) && result > 0 && !other) return from(many(result, "byte"), "data");
  if (IN.test(call) && result === 0 && (!other || struck.includes("eof"))) return from("FIN", "data");
  if (GONE.test(errno || "") && (!other || event.fired)) return from("RST", "reset");
  if (call !== "close" && call !== "shutdown") return null;
  if (struck.includes("drop") || struck.includes("ignore")) return to("FIN", "lost");
  return now !== was && (now === "FIN_WAIT1" || now === "LAST_ACK") ? to("FIN", "data") : null;
}

/* Of all events those that belong to a finding: its connection's, or else its
 * socket's. None is chosen where that leaves nothing. */
function chosen(events, finding) {
  if (!finding) return null;
  const own = events.filter((event) => event.program === finding.program || !finding.program);
  const pairs = new Set(own.filter((event) => finding.conn > 0 && event.conn === finding.conn).map(pairOf));
  pairs.delete(null);
  return pairs.size > 0 ? [...pairs][0] : null;
}

/* When a call counts: one that waits when it is over, behind what it waited for; one
 * that sends when it begins, since the peer may be faster than its return. */
function momentOf(event) {
  const waits = IN.test(event.call) || event.call.startsWith("accept") || MINOR.test(event.call);
  return event.time_ns + (waits ? event.duration_ns || 0 : 0);
}

/* Of each event how many of its program's before it are not kept: Map. */
function gapsOf(events) {
  const gaps = new Map(), before = new Map();
  for (const event of [...events].sort((one, other) => one.number - other.number)) {
    const last = before.get(event.program);
    if (last !== undefined && event.number > last + 1) gaps.set(event, event.number - last - 1);
    before.set(event.program, event.number);
  }
  return gaps;
}

/* Does this socket get to ESTABLISHED? */
function opensLater(events, {program, socket}) {
  return events.some((event) => event.program === program && event.socket === socket && event.state === "ESTABLISHED");
}

/* A struck call that kills its program never returns to say that it was struck. */
function begun(event) {
  return event.unfinished && event.rule > 0 && !event.reason ? {...event, fired: true} : event;
}

function rowsOf(all, pair, finding) {
  const events = all.map(begun).sort((one, other) => momentOf(one) - momentOf(other));
  const side = sidesOf(events), rows = [], states = new Map(), gaps = gapsOf(events);
  const seen = new Map(); /* pair -> sides that are under the library */
  for (const event of events) {
    const key = pairOf(event);
    if (key) seen.set(key, (seen.get(key) || new Set()).add(side(event)));
  }
  for (const event of events) {
    const key = pairOf(event), here = side(event), socket = `${event.program} ${event.socket || `fd ${event.fd}`}`;
    if (pair && key && key !== pair) continue;
    const was = states.get(socket), now = event.state || was;
    const other = event.call.startsWith("accept") ? seen.size > 0 && [...seen.values()].some((each) => each.has("left"))
      : Boolean(key && seen.get(key).size > 1);
    if (now) states.set(socket, now);
    const segment = segmentOf(event, here, was, now, other, event.call === "connect" && opensLater(events, event));
    const about = Boolean(finding) && event.number === finding.event && event.program === finding.program;
    const row = {event, side: here, segment, times: 1, about, gap: gaps.get(event) || 0,
      state: event.call.startsWith("accept") && event.result >= 0 ? "ESTABLISHED" : now,
      minor: !event.fired && !about && (MINOR.test(event.call) || (event.unfinished && event.role === "listener"))};
    /* A spin that waits in between, for nothing, is one all the same. */
    const last = row.minor ? rows[rows.length - 1] : rows.findLast((each) => !each.minor);
    const alike = last && ["program", "call", "result", "errno", "fired", "fd"].every((each) =>
      last.event[each] === event[each]) && String(last.event.args) === String(event.args);
    if (last && alike && !about) {
      last.times++;
      last.more = last.more || row.gap > 0;
    }
    else rows.push(row);
  }
  return rows;
}

/* ---- drawing ---- */

function arrow({direction, kind}) {
  const right = direction === "right", lines = [];
  const line = (x1, y1, x2, y2, name) => lines.push(svg("line", {x1, y1, x2, y2, class: name}),
    name === "lost" ? svg("path", {d: `M${x2 - 3} ${y2 - 5}l6 10m0-10l-6 10`, class: "cross"})
      : svg("path", {d: x2 > x1 ? `M${x2 - 7} ${y2 - 5} ${x2} ${y2} ${x2 - 7} ${y2 + 4}`
        : `M${x2 + 7} ${y2 - 5} ${x2} ${y2} ${x2 + 7} ${y2 + 4}`, class: "tip"}));
  const [from, to] = right ? [2, 158] : [158, 2];
  if (kind === "open") {
    line(from, 6, to, 18, "data");
    line(to, 20, from, 32, "data");
    line(from, 34, to, 46, "data");
  } else if (kind === "refused") {
    line(from, 8, to, 24, "data");
    line(to, 28, from, 44, "reset");
  } else {
    line(from, 14, kind === "lost" ? (from + to) / 2 : to, kind === "lost" ? 21 : 28, kind);
  }
  const tall = kind === "open" || kind === "refused";
  return svg("svg", {viewBox: `0 0 160 ${tall ? 52 : 36}`, class: `arrow ${kind}`, "aria-hidden": "true",
    focusable: "false", preserveAspectRatio: "none"}, lines);
}

function laneOf(row) {
  if (!row.segment) return [];
  const {text, kind, direction} = row.segment;
  return [el("span", {class: `segment ${kind}`}, text,
    el("span", {class: "unseen"}, direction === "right" ? " to the server" : " to the client",
      kind === "lost" && ", lost")), arrow(row.segment)];
}

/* "GET /index.html HTTP/1.1..." -> "GET /index.html H…"; of several flags the first. */
function short(text) {
  if (/^[A-Z]\w+(\|\w+)+$/.test(text)) return `${text.split("|")[0]}|…`;
  return text.length > 30 ? `${text.slice(0, 22)}…${text.startsWith('"') ? '"' : ""}` : text;
}

function callOf(row) {
  const {event} = row, failed = event.errno && !/^(EAGAIN|EINPROGRESS)$/.test(event.errno);
  const came = event.unfinished ? "…" : event.errno || String(event.result);
  const args = event.args || [], shown = event.call === "socket" ? args.slice(0, 2) : args;
  return [el("span", {class: "call", title: `${event.call}(${args.join(", ")})`}, el("b", {}, event.call),
    el("span", {class: "args"}, `(${shown.map(short).join(", ")})`), " = ", el("span", {class: failed ? "got" : ""}, came)),
  event.unfinished && el("span", {class: "dim"}, " had not returned"),
  row.about && el("span", {class: "about-it"}, "the finding"),
  row.times > 1 && el("span", {class: "count"}, `× ${row.times}${row.more ? " and more" : ""}`),
  event.duration_ns >= 1e7 && el("span", {class: "dim"}, ` took ${duration(event.duration_ns)}`),
  event.rule > 0 && event.effects && el("span", {class: event.fired ? "fault" : "fault undelivered"}, bolt(),
    event.fired ? faultOf(event) : `not delivered: ${event.reason || "never returned"}`)];
}

function faultOf(event) {
  const parts = (event.rule_text || "").split(":").filter((part) =>
    (event.effects || []).includes(part.split("=")[0]));
  return parts.length > 0 ? parts.join(" ") : (event.effects || []).join(" ");
}

function rowNode(row, states, start) {
  const before = states[row.side], cells = {};
  /* A connection's states are told, not those of the listener beside it. */
  const state = row.event.role === "listener" && row.state === "LISTEN" && !/^(CLOSE)?$/.test(before) ? before : row.state;
  for (const side of ["left", "right"]) {
    const own = side === row.side, changed = own && state && state !== before;
    if (changed) states[side] = state;
    cells[side] = {
      state: el("td", {class: `state ${side} s-${states[side] || "none"}`},
        changed && el("span", {}, state)),
      call: el("td", {class: `at ${side}`}, changed && el("span", {class: `small s-${state}`}, state),
        own && callOf(row)),
    };
  }
  const tr = el("tr", {class: `${row.minor ? "minor " : ""}${row.event.fired ? "struck" : row.about ? "found" : ""}`},
    el("td", {class: "time"}, ((momentOf(row.event) - start) / 1e6).toFixed(1)),
    cells.left.state, cells.left.call, el("td", {class: "lane"}, laneOf(row)), cells.right.call, cells.right.state);
  return row.gap === 0 ? tr : [el("tr", {class: "gap"}, el("td", {colspan: "6"},
    `${many(row.gap, "call")} of ${row.event.program} not kept`)), tr];
}

function headOf(rows, side, name) {
  const programs = [...new Set(rows.filter((row) => row.side === side).map(({event}) => event.program))];
  return el("th", {scope: "col", class: side}, name,
    programs.length > 0 ? programs[0] !== name.toLowerCase() && el("span", {class: "dim"}, ` ${programs.join(", ")}`)
      : el("span", {class: "dim"}, " not under the library"));
}

function draw(events, pair, finding) {
  const rows = rowsOf(events, pair, finding), states = {left: "", right: ""}, start = events[0].time_ns;
  const minor = rows.filter((row) => row.minor).length;
  const node = el("table", {class: "timeline"},
    el("thead", {}, el("tr", {}, el("th", {scope: "col", class: "time"}, "ms"),
      el("td", {class: "state left"}), headOf(rows, "left", "Client"),
      el("th", {scope: "col", class: "lane"}, el("span", {class: "unseen"}, "Segments")),
      headOf(rows, "right", "Server"), el("td", {class: "state right"}))),
    el("tbody", {}, rows.map((row) => rowNode(row, states, start))));
  return {node, minor};
}

/* The picture of a case, or of a finding in it. */
function timeline(one, finding) {
  const events = one.timeline;
  const pairs = [...new Set(events.map(pairOf))].filter((pair) => pair);
  const struck = events.find((event) => event.fired && pairOf(event));
  let pair = chosen(events, finding) || (struck && pairs.length > 1 ? pairOf(struck) : null);
  const place = el("div", {class: "scroll", tabindex: "0", role: "group", "aria-label": "Timeline"});
  const waits = el("label", {class: "check-minor"}, el("input", {type: "checkbox", onchange: (event) =>
    place.classList.toggle("with-minor", event.target.checked)}), el("span", {}, ""));
  const choice = pairs.length > 1 && el("label", {}, "Connection ", el("select", {onchange: (event) => {
    pair = event.target.value || null;
    redraw();
  }}, el("option", {value: ""}, "all"), pairs.map((each) =>
    el("option", {value: each, selected: each === pair}, each.replace(" ", " → ")))));
  function redraw() {
    const {node, minor} = draw(events, pair, finding);
    place.replaceChildren(node);
    waits.hidden = minor === 0;
    waits.lastChild.textContent = ` show ${many(minor, "option and wait", "options and waits")}`;
  }
  redraw();
  return el("div", {class: "happened"}, el("div", {class: "choices"}, choice, waits), place);
}

const R = /*FIGURES*/null;
const main = document.getElementById("main"), tip = document.getElementById("tip"), NS = "http://www.w3.org/2000/svg";
const preferred = (navigator.language || "en").startsWith("vi") ? "vi" : "en";
let lang = location.hash === "#vi" || location.hash === "#en" ? location.hash.slice(1) : preferred;
let W = WORDS[lang];

// Elements. Texts of the project are only ever set as text, never as markup.
const add = (e, kids) => { e.append(...kids.flat().filter(kid => kid != null && kid !== "")); return e; };
const el = (tag, attributes = {}, ...kids) => { const e = document.createElement(tag); for (const name in attributes) e.setAttribute(name, attributes[name]); return add(e, kids); };
const sv = (tag, attributes = {}, ...kids) => { const e = document.createElementNS(NS, tag); for (const name in attributes) e.setAttribute(name, attributes[name]); return add(e, kids); };
const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, at) => values[at]);

// Values for people.
const num = value => value.toLocaleString(lang === "vi" ? "vi-VN" : "en-US");
const fixed = (value, digits) => value.toLocaleString(lang === "vi" ? "vi-VN" : "en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const usd = micros => { const d = micros / 1e6, a = Math.abs(d); return "$" + fixed(d, a === 0 || a >= 1 ? 2 : a >= 0.1 ? 3 : a >= 0.01 ? 4 : 5); };
const secs = ms => {
  if (ms < 1000) return num(Math.round(ms)) + " ms";
  if (ms < 60000) return fixed(ms / 1000, ms % 1000 ? 1 : 0) + " s";
  const s = Math.round(ms / 1000), [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  const [day, hour, minute] = W.units;
  if (d) return d + " " + day + " " + h + " " + hour;
  if (h) return h + " " + hour + " " + m + " " + minute;
  return m + " " + minute + (s % 60 ? " " + s % 60 + " s" : "");
};
const phaseOf = kind => kind === "clarify" || kind === "plan" ? "plan" : kind === "resolve" || kind === "judge" ? kind : "work";
const colour = kind => `var(--${phaseOf(kind)})`;
const HURT = { limited: "limit", refused: "lost", lost: "lost", retried: "lost", failed: "lost", unclaimed: "lost", cancelled: "quiet", handed_back: "quiet" };

// Widths of texts, and cuts that keep what differs.
const pen = document.createElement("canvas").getContext("2d");
const width = (text, bold) => { if (!pen) return text.length * 6.6; pen.font = (bold ? "650 " : "") + "12px system-ui, sans-serif"; return pen.measureText(text).width; };
const fit = (text, room, bold) => {
  if (width(text, bold) <= room) return text;
  const letters = [...text]; let low = 0, high = letters.length;
  while (low < high) { const mid = (low + high + 1) >> 1; if (width(letters.slice(0, mid).join("") + "…", bold) <= room) low = mid; else high = mid - 1; }
  return letters.slice(0, low).join("").trimEnd() + "…";
};
const common = (a, b) => { const [x, y] = [a.split(" "), b.split(" ")]; let n = 0; while (n < x.length - 1 && n < y.length - 1 && x[n] === y[n]) n++; return n; };
const labels = tasks => tasks.map((t, i) => {
  const shared = Math.max(...[tasks[i - 1], tasks[i + 1]].map(o => o ? common(t.title, o.title) : 0));
  return shared ? "…" + t.title.split(" ").slice(shared).join(" ") : t.title;
});

// Explanations, by pointer and by keyboard.
const show = (text, x, y) => { tip.textContent = text; tip.style.display = "block"; const b = tip.getBoundingClientRect(); tip.style.left = Math.max(4, Math.min(x, innerWidth - b.width - 8)) + "px"; tip.style.top = (y + b.height + 8 > innerHeight ? Math.max(4, y - b.height - 26) : y) + "px"; };
const hide = () => { tip.style.display = "none"; };
const hint = (e, text) => {
  e.setAttribute("aria-label", text);
  e.addEventListener("mousemove", event => show(text, event.clientX + 14, event.clientY + 14));
  e.addEventListener("mouseleave", hide);
  e.addEventListener("focus", () => { const b = e.getBoundingClientRect(); show(text, b.left, b.bottom + 6); });
  e.addEventListener("blur", hide);
  return e;
};
addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
// One stop of the tab key for a drawing; arrows move inside it.
const rove = (svg, marks) => {
  marks.forEach((mark, i) => { mark.setAttribute("tabindex", i ? -1 : 0); mark.setAttribute("role", "img"); });
  svg.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], at = marks.indexOf(document.activeElement);
    const next = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : at + step;
    if (at < 0 || !marks[next]) return;
    event.preventDefault(); marks[at].setAttribute("tabindex", -1); marks[next].setAttribute("tabindex", 0); marks[next].focus();
  });
};

const heading = (text, tag = "h2") => main.append(el(tag, {}, text));
const rowOf = (heads, numbers) => row => el("tr", {}, row.map((cell, i) => el("td", { "data-head": heads[i], ...(numbers.includes(i) ? { class: "number" } : {}) }, cell)));
const table = (heads, rows, numbers = [], look = "stacked") => el("table", { class: look }, el("tr", { class: "heads" }, heads.map((h, i) => el("th", numbers.includes(i) ? { class: "number" } : {}, h))), rows.map(rowOf(heads, numbers)));
// A table of any length: its rows come in steps, as many as are asked for.
const STEP = 200;
const growing = (heads, items, cells, numbers = [], look = "stacked") => {
  const rows = table(heads, items.slice(0, STEP).map(cells), numbers, look), more = el("button", { type: "button", class: "more" });
  let shown = Math.min(STEP, items.length);
  const name = () => { more.textContent = fill(W.showMore, num(Math.min(STEP, items.length - shown)), num(items.length - shown)); };
  more.addEventListener("click", () => {
    const next = items.slice(shown, shown + STEP).map(cells).map(rowOf(heads, numbers)); shown += next.length; rows.append(...next);
    if (shown === items.length) { next[0].setAttribute("tabindex", -1); next[0].focus(); more.remove(); } else name();
  });
  name();
  return shown < items.length ? [rows, more] : [rows];
};
// A text with `code` between backticks.
const prose = text => text.split("`").map((piece, at, all) => at % 2 && at < all.length - 1 ? el("code", {}, piece) : (at % 2 ? "`" : "") + piece);
const panel = (...kids) => el("div", { class: "panel" }, ...kids);
const swatch = (paint, dashed) => sv("svg", { viewBox: "0 0 14 12", "aria-hidden": "true" }, sv("rect", { x: 1, y: 1, width: 12, height: 10, rx: 2, fill: paint, stroke: dashed || "none" }));
const legend = entries => el("div", { class: "legend" }, entries.map(([text, paint]) => el("span", {}, paint ? swatch(paint) : null, text)));
const stripes = id => sv("pattern", { id: "p-" + id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, sv("rect", { width: 6, height: 6, fill: `var(--${id})`, opacity: 0.35 }), sv("rect", { width: 3, height: 6, fill: `var(--${id})` }));
const patterns = () => sv("defs", {}, ["limit", "lost", "quiet"].map(stripes), sv("pattern", { id: "p-client", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, sv("rect", { width: 1.5, height: 8, fill: "var(--edge)" })));
const paint = span => HURT[span.end] ? `url(#p-${HURT[span.end]})` : colour(span.kind);

function head() {
  const pick = code => { const b = el("button", { type: "button", lang: code, "aria-pressed": String(code === lang) }, code === "vi" ? "Tiếng Việt" : "English"); b.addEventListener("click", () => { lang = code; draw(); }); return b; };
  document.title = R.title + " – Chorus";
  if (R.simulated) main.append(el("div", { class: "banner" }, W.simulated));
  main.append(el("div", { class: "top" }, el("div", {}, el("h1", {}, R.title), el("div", { class: "soft" }, el("span", { class: "pill " + R.state }, W.states[R.state] || R.state.replaceAll("_", " ")), " ", el("span", { class: "mono" }, R.project))), el("div", { class: "switch" }, pick("en"), pick("vi"))));
  const T = R.totals, M = R.money, cards = [
    [secs(T.makespan_ms), W.makespan + (T.client_ms ? "; " + fill(W.active, secs(T.client_ms)) : "")], [secs(T.critical_path_ms), W.critical], [secs(T.call_ms), W.oneByOne], [secs(T.waited_ms), W.waited],
    [num(R.tasks.length) + " / " + num(T.deliveries), W.tasks], [num(T.limited) + " / " + num(T.lost) + " / " + num(T.retried), W.ends],
    [num(T.input_tokens), W.prompts + (T.cached_tokens ? "; " + fill(W.cached, num(T.cached_tokens)) : "") + (T.estimated ? "; " + fill(W.estimated, num(T.estimated)) : "")], [num(T.output_tokens), W.produced + (T.reasoning_tokens ? "; " + fill(W.thinking, num(T.reasoning_tokens)) : "")],
    [usd(T.spent), fill(W.spent, usd(T.budget))], [usd(T.wasted), W.wasted + (T.unconfirmed ? "; " + fill(W.unconfirmed, usd(T.unconfirmed)) : "")]];
  if (M.estimate) cards.push([fill(W.estimateRange, usd(M.estimate[0]), usd(M.estimate[1])), fill(W.estimate, usd(T.spent - M.before_plan))]);
  main.append(el("div", { class: "cards" }, cards.map(([value, label]) => el("div", { class: "card" }, el("b", {}, value), el("span", {}, label)))));
  if (R.defects.length) { heading(W.wrong); main.append(el("ul", {}, R.defects.map(d => el("li", {}, d)))); }
}

function verdicts() {
  const text = Object.fromEntries(R.requirements.map(r => [r.id, r.text]));
  const items = v => panel(table(["", W.requirement, W.evidence, W.redone], v.items.map(i => [el("span", { class: "pill " + (i.met ? "met" : "unmet") }, i.met ? W.met : W.unmet), el("div", {}, el("span", { class: "soft mono" }, i.requirement), " ", prose(text[i.requirement] || "")), el("div", {}, i.evidence, i.feedback ? el("div", { class: "soft" }, i.feedback) : null), (i.redo || []).join(", ")]).concat((v.undecided || []).map(u => [el("span", { class: "pill" }, W.undecided), el("div", {}, el("span", { class: "soft mono" }, u.requirement), " ", prose(text[u.requirement] || "")), u.note, ""]))));
  const last = R.verdicts[R.verdicts.length - 1];
  if (!last) return;
  heading(fill(W.verdict, fixed(last.score / 10, last.score % 10 ? 1 : 0)));
  main.append(items(last));
  for (const v of R.verdicts.slice(0, -1).reverse()) main.append(el("details", {}, el("summary", {}, fill(W.earlier, v.round, fixed(v.score / 10, 1)) + " · " + fill(W.atTime, secs(v.at_ms))), items(v)));
}

// Tasks by level; of a level with many tasks, the rest is one box.
function levels(most) {
  const columns = [];
  for (const t of R.tasks) if (t.state !== "cancelled" || t.deliveries) (columns[t.level] ||= []).push(t);
  return columns.filter(Boolean).map(tasks => {
    if (tasks.length <= most) return { tasks, rest: [] };
    const first = tasks.filter(t => t.critical || t.state === "failed").slice(0, most - 1), keep = new Set(first);
    for (const t of tasks) if (keep.size < most - 1) keep.add(t);
    return { tasks: tasks.filter(t => keep.has(t)), rest: tasks.filter(t => !keep.has(t)) };
  });
}
const explain = (t, title) => `${t.key}  ${t.title}\n${fill(W.taskLine, W.phase[phaseOf(t.kind)], t.state)}${t.superseded ? ", " + W.replaced : ""}${t.why ? "\n" + t.why : ""}\n${fill(W.planVersion, t.plan_version, num(t.deliveries), usd(t.cost))}\n${fill(W.callTime, secs(t.waited_ms), secs(t.call_ms))}${t.critical ? "\n" + W.onCritical : ""}${t.parents.length ? "\n" + fill(W.parentsLine, t.parents.slice(0, 8).map(p => title[p] || p).join(", ") + (t.parents.length > 8 ? ", …" : "")) : ""}`;
const restText = rest => fill(W.more, num(rest.length)) + ": " + fill(W.moreStates, num(rest.filter(t => t.state === "succeeded").length), num(rest.filter(t => t.state === "failed" || t.state === "skipped").length));

function graph(room) {
  const cols = levels(24), H = 36, gap = 8, pitch = Math.min(250, room / cols.length), between = Math.max(18, Math.min(46, pitch * 0.2)), B = pitch - between;
  const tall = Math.max(...cols.map(c => c.tasks.length + (c.rest.length ? 1 : 0))), height = tall * (H + gap) + 8;
  const at = {}, boxes = [], marks = [], joints = [], seen = new Set(), key = Object.fromEntries(R.tasks.map(t => [t.id, t.key]));
  const svg = sv("svg", { viewBox: `0 0 ${room} ${height}`, width: room, height, role: "group", "aria-label": W.plan }), edges = svg.appendChild(sv("g"));
  cols.forEach((c, x) => {
    const count = c.tasks.length + (c.rest.length ? 1 : 0), top = 4 + (tall - count) * (H + gap) / 2, names = labels(c.tasks);
    c.tasks.forEach((t, y) => boxes.push(at[t.id] = { x: x * pitch + between / 2, y: top + y * (H + gap), t, name: names[y] }));
    if (c.rest.length) { const box = { x: x * pitch + between / 2, y: top + c.tasks.length * (H + gap), rest: c.rest }; boxes.push(box); for (const t of c.rest) at[t.id] = box; }
  });
  const line = (x1, y1, x2, y2, bold) => { const name = [x1, y1, x2, y2].map(Math.round).join(); if (seen.has(name)) return; seen.add(name); const bend = Math.max(10, (x2 - x1) / 2); edges.append(sv("path", { d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, fill: "none", stroke: bold ? "var(--ink)" : "var(--edge)", "stroke-width": bold ? 2 : 1, opacity: bold ? 0.9 : 0.65 })); };
  const stages = [];
  for (const t of R.tasks) if (at[t.id]) (stages[t.stage] ||= []).push(t);
  const inStage = (t, p) => R_BY_ID[p] && R_BY_ID[p].stage === t.stage;
  for (const t of R.tasks) { const b = at[t.id]; if (b) for (const p of t.parents) { const a = at[p]; if (a && a !== b && inStage(t, p)) line(a.x + B, a.y + H / 2, b.x, b.y + H / 2, t.critical && R_BY_ID[p].critical); } }
  let before = null;
  for (const tasks of stages) {
    if (!tasks) continue;
    const firsts = tasks.filter(t => t.first && !t.parents.some(p => inStage(t, p)));
    if (before && firsts.length) {
      const parents = new Set(before.flatMap(t => t.parents)), leaves = before.filter(t => !parents.has(t.id)), x = Math.min(...firsts.map(t => at[t.id].x)) - between / 2, y = height / 2;
      for (const t of leaves) { const a = at[t.id]; line(a.x + B, a.y + H / 2, x, y, t.critical); }
      for (const t of firsts) { const b = at[t.id]; line(x, y, b.x, b.y + H / 2, t.critical); }
      joints.push(sv("circle", { cx: x, cy: y, r: 3.5, fill: "var(--edge)" }));
    }
    before = tasks;
  }
  svg.append(...joints);
  for (const b of boxes) {
    const g = sv("g"), t = b.t, tone = t ? (t.state === "failed" || t.state === "skipped" ? "var(--bad)" : colour(t.kind)) : "var(--edge)";
    g.append(sv("rect", { x: b.x, y: b.y, width: B, height: H, rx: 6, fill: "var(--paper)", stroke: tone, "stroke-width": t && t.critical ? 2.8 : 1.3, "stroke-dasharray": t && t.superseded ? "5 4" : "none" }));
    if (t) g.append(sv("text", { x: b.x + 7, y: b.y + 15, class: "key" }, fit(t.key, B - 14, true)), sv("text", { x: b.x + 7, y: b.y + 29, class: "soft" }, fit(b.name, B - 14)));
    else g.append(sv("text", { x: b.x + 7, y: b.y + 22, class: "soft" }, fit(fill(W.more, num(b.rest.length)), B - 14)));
    marks.push(hint(g, t ? explain(t, key) : restText(b.rest))); svg.append(g);
  }
  rove(svg, marks);
  return svg;
}

function list() {
  const key = Object.fromEntries(R.tasks.map(t => [t.id, t.key])), box = el("div", { class: "levels" });
  levels(30).forEach(({ tasks, rest }, i) => {
    if (i) box.append(el("div", { class: "down", "aria-hidden": "true" }, "↓"));
    const names = labels(tasks);
    box.append(el("div", { class: "level" }, tasks.map((t, at) => { const b = el("button", { type: "button", class: (t.critical ? "critical " : "") + (t.superseded ? "replaced" : ""), style: "border-left-color:" + (t.state === "failed" || t.state === "skipped" ? "var(--bad)" : colour(t.kind)) }, el("b", {}, t.key), " ", names[at].length > 60 ? names[at].slice(0, 59) + "…" : names[at]); b.addEventListener("click", () => b.focus()); return hint(b, explain(t, key)); }), rest.length ? el("span", { class: "soft small" }, restText(rest)) : null));
  });
  return box;
}

// Time without the pauses: each is a narrow band of its own.
function axis(room) {
  const T = R.totals, total = Math.max(1, T.makespan_ms), pauses = R.pauses.filter(p => p.end_ms - p.start_ms > total / 60), band = room > 500 ? 26 : 16;
  const idle = pauses.reduce((sum, p) => sum + p.end_ms - p.start_ms, 0), scale = Math.max(1, room - pauses.length * band) / Math.max(1, total - idle);
  const X = ms => { let x = 0, from = 0; for (const p of pauses) { if (ms <= p.start_ms) break; x += (p.start_ms - from) * scale; if (ms < p.end_ms) return x + band * (ms - p.start_ms) / (p.end_ms - p.start_ms); x += band; from = p.end_ms; } return x + (ms - from) * scale; };
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800].map(s => s * 1000), step = steps.find(s => s * scale >= 70) || steps[steps.length - 1], ticks = [];
  for (let ms = 0; ms <= total && ticks.length < 400; ms += step) if (!pauses.some(p => ms > p.start_ms && ms < p.end_ms)) { const x = X(ms); if (!ticks.length || x - ticks[ticks.length - 1].x >= 56) ticks.push({ ms, x }); }
  return { X, pauses, ticks, band };
}

function timeline(room) {
  const narrow = room < 640, left = narrow ? 0 : 200, { X, pauses, ticks, band } = axis(room - left - 12), total = Math.max(1, R.totals.makespan_ms), rows = [], marks = [];
  let y = 30;
  for (const a of R.accounts) {
    const lanes = [];
    const spans = a.spans.map(s => { let lane = lanes.findIndex(end => end <= s.start_ms); if (lane < 0) lane = lanes.push(0) - 1; lanes[lane] = Math.max(s.end_ms, s.start_ms + total / 400); return { s, lane }; });
    const label = narrow ? 18 : 0, h = Math.max(narrow ? 1 : 2, lanes.length) * 12 + 10 + label;
    rows.push({ a, y, h, label, spans }); y += h;
  }
  const svg = sv("svg", { viewBox: `0 0 ${room} ${y + 6}`, width: room, height: y + 6, role: "group", "aria-label": W.time }, patterns());
  for (const p of pauses) svg.append(hint(sv("rect", { x: left + X(p.start_ms), y: 20, width: band, height: y - 20, fill: "url(#p-client)" }), fill(W.pause[p.why] || "{0}", secs(p.end_ms - p.start_ms))));
  for (const t of ticks) svg.append(sv("line", { x1: left + t.x, x2: left + t.x, y1: 20, y2: y, stroke: "var(--line)", "stroke-width": 0.7 }), sv("text", { x: left + t.x, y: 13, class: "soft", "text-anchor": t.x < 12 ? "start" : t.x > room - left - 40 ? "end" : "middle" }, t.ms ? secs(t.ms) : "0"));
  for (const { a, y, h, label, spans } of rows) {
    svg.append(sv("line", { x1: 0, x2: room, y1: y, y2: y, stroke: "var(--line)", "stroke-width": 0.7 }), sv("text", { x: 2, y: y + 14 }, fit(a.name, (narrow ? room : left) - 10)));
    if (!narrow) svg.append(sv("text", { x: 2, y: y + 28, class: "soft" }, a.provider));
    for (const { s, lane } of spans) {
      const x = left + X(s.start_ms), mark = sv("rect", { x, y: y + 5 + label + lane * 12, width: Math.max(2, left + X(s.end_ms) - x), height: 10, rx: 2, fill: paint(s), stroke: HURT[s.end] ? `var(--${HURT[s.end]})` : "none", "stroke-width": 0.8 });
      marks.push(hint(mark, `${s.key}  ${s.title}\n${W.phase[phaseOf(s.kind)]}, ${a.name}, ${s.model}\n${s.end.replaceAll("_", " ")}${s.epoch ? ", " + fill(W.delivery, s.epoch + 1) : ""}: ${fill(W.span, secs(s.start_ms), secs(s.end_ms))}\n${fill(W.tokens, num(s.input_tokens), num(s.output_tokens), usd(s.cost))}${s.unconfirmed ? " (" + W.reservedOnly + ")" : s.estimated ? " (" + W.tokensEstimated + ")" : ""}`)); svg.append(mark);
    }
  }
  rove(svg, marks);
  return svg;
}

// Drawings that follow the width of the window.
const drawings = [];
const drawing = make => { const box = panel(); main.append(box); drawings.push({ box, make }); };
function redraw() { for (const { box, make } of drawings) { const room = Math.floor(box.clientWidth - 26); if (room > 0 && room !== box.room) { box.room = room; box.replaceChildren(make(room)); } } }

function plan() {
  if (!R.tasks.length) return;
  heading(W.plan);
  main.append(legend([...["plan", "work", "resolve", "judge"].map(p => [W.phase[p], `var(--${p})`]), [W.boxes]]));
  const columns = levels(1).length;
  drawing(room => room < 700 || room / columns < 100 ? list() : graph(room));
  const cells = t => [t.key, t.title, W.phase[phaseOf(t.kind)], t.state + (t.superseded ? ", " + W.replaced : ""), num(t.deliveries), secs(t.call_ms), usd(t.cost)];
  main.append(el("details", {}, el("summary", {}, W.all), panel(growing(["", W.title, W.kind, W.state, W.deliveries, W.total, W.cost], R.tasks, cells, [4, 5, 6]))));
}

function time() {
  if (!R.accounts.some(a => a.spans.length)) return;
  heading(W.time);
  const entries = [...["plan", "work", "resolve", "judge"].map(p => [W.phase[p], `var(--${p})`]), [W.limitRefused, "url(#p-limit)"], [W.lostOrFailed, "url(#p-lost)"]];
  if (R.pauses.length) entries.push([W.forClient, "url(#p-client)"]);
  main.append(legend(entries));
  drawing(timeline);
}

function unplanned() {
  if (R.happenings.length) { heading(W.unplanned); main.append(panel(growing([W.when, W.kind, W.what], R.happenings, h => [secs(h.at_ms), W.kinds[h.kind] || h.kind, lang === "vi" && h.text_vi ? h.text_vi : h.text]))); }
  if (R.waits.length) { heading(W.waits); main.append(panel(table([W.reason, W.count, W.total, W.longest], R.waits.map(w => [W.reasons[w.reason] || w.reason, num(w.count), secs(w.total_ms), secs(w.longest_ms) + (w.longest_task ? " (" + w.longest_task + ")" : "")]), [1, 2, 3], "stacked wide"))); }
}

function money() {
  const M = R.money, share = (title, rows, name) => rows.length ? panel(el("b", {}, title), table(["", W.calls, W.cost, W.waste], rows.map(r => [name(r.name), num(r.calls), usd(r.cost), r.wasted ? usd(r.wasted) : "–"]), [1, 2, 3], "stacked wide")) : null;
  if (!M.phases.length) return;
  heading(W.money);
  if (M.estimate) main.append(el("p", {}, fill(W.moneyNote, usd(M.estimate[0]), usd(M.estimate[1]), num(M.estimated_calls), usd(M.before_plan), usd(R.totals.spent))));
  if (R.totals.unconfirmed) main.append(el("p", { class: "soft" }, fill(W.unconfirmed, usd(R.totals.unconfirmed))));
  main.append(el("div", { class: "columns" }, share(W.byPhase, M.phases, p => W.phase[p] || p), share(W.byModel, M.models, m => m), share(W.byAccount, M.accounts, a => a)));
}

function limits() {
  const rows = new Map();
  for (const a of R.accounts) for (const l of a.limits) if (l.peak_percent > 0) { const name = [l.group, l.dimension, l.window, l.window_ms].join(); const row = rows.get(name) || { l, names: [] }; row.names.push(a.name); rows.set(name, row); }
  if (!rows.size) return;
  heading(W.limits);
  main.append(el("p", { class: "soft" }, W.limitsNote));
  const amount = l => l.dimension === "Spend" ? usd(l.capacity) : num(l.capacity) + " " + (W.dimensions[l.dimension] || l.dimension);
  const bar = l => el("span", { class: "bar", "aria-hidden": "true" }, el("i", { class: l.peak_percent > 100 ? "above" : l.peak_percent >= 90 ? "near" : "", style: "width:" + Math.min(100, l.peak_percent) + "%" }));
  const cells = ({ l, names }) => [names.join(", "), el("span", {}, amount(l) + " " + fill(W.windows[l.window] || "", secs(l.window_ms || 0)), " ", el("span", { class: "soft small" }, l.group)), el("span", {}, bar(l), fixed(l.peak_percent, l.peak_percent % 1 ? 1 : 0) + " %", l.note ? el("div", { class: "soft small" }, W.notes[l.note] || l.note) : null)];
  main.append(panel(table([W.account, W.limit, W.peak], [...rows.values()].map(cells), [], "stacked wide")));
}

function conflicts() {
  if (!R.conflicts.length) return;
  heading(W.conflicts);
  const place = (c, k) => { const p = (c.places || []).find(p => p.claim === k.id); if (!p || !p.titles.length) return k.tasks.join(", "); return p.titles.join("; ") + (p.files.length ? " " + fill(W.inFile, p.files.join(", ")) : ""); };
  const kept = c => { const k = c.conflict.claims.find(k => k.id === c.resolution.keep); return k ? fill(W.kept, k.value) : W.bothKept; };
  main.append(panel(table([W.about, W.claims, W.resolved], R.conflicts.map(c => [c.conflict.subject, el("div", {}, c.conflict.claims.map(k => el("div", {}, el("b", {}, k.value), " – ", place(c, k), el("div", { class: "soft" }, "“" + k.quote + "”")))), c.resolution ? el("div", {}, el("b", {}, kept(c)), ", " + fill(W.by, W.resolvers[c.resolution.by] || c.resolution.by), el("div", { class: "soft" }, c.resolution.reason)) : W.unresolved]), [], "stacked wide")));
}

function result() {
  if (R.assumptions.length) { heading(W.assumed); main.append(el("ul", {}, R.assumptions.map(a => el("li", {}, a)))); }
  heading(W.deliverable);
  main.append(R.files.length ? panel(growing([W.file, W.bytes, "SHA-256"], R.files, f => [f.path, num(f.bytes), el("span", { class: "mono" }, f.sha256)], [1], "stacked wide")) : el("p", { class: "soft" }, W.none));
}

const R_BY_ID = Object.fromEntries(R.tasks.map(t => [t.id, t]));
function draw() {
  W = WORDS[lang]; document.documentElement.lang = lang; hide();
  main.replaceChildren(); drawings.length = 0;
  for (const part of [head, verdicts, plan, time, unplanned, money, limits, conflicts, result]) part();
  redraw();
}
draw();
addEventListener("resize", redraw);
addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; redraw(); });

// Asks every two seconds, and writes what has changed.
import * as assets from "./assets.js";
import * as charts from "./charts.js";
import { age, local, make, money, number, say, since, tone } from "./words.js";

const LOOK_MILLISECONDS = 2000;
const by = (id) => document.getElementById(id);
let cycles = [], shownCycles = new Map();

async function look() {
  let data;
  try {
    const answer = await fetch("data.json");
    data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
  } catch (error) {
    say(by("away"), error instanceof TypeError ? "The page's own process does not answer: start dca page again. What is shown is old." : `${error.message}. What is shown is old.`);
    by("away").hidden = false;
    return;
  }
  by("away").hidden = true;
  show(data);
  await assets.refreshOpen();
}

function show(data) {
  const status = data.status;
  say(by("mode"), status.mode.toUpperCase(), `badge ${status.mode}`);
  say(by("health"), status.health, `pill ${status.health}`);
  say(by("ages"), `quote ${age(status.ages.quote)}, update ${age(status.ages.trade_stream)}, heartbeat ${age(status.ages.heartbeat)} ago`);
  document.title = `${money(status.realised_net, true)} · DCA bot`;
  const isSaid = (told) => status.reasons.some((reason) => reason.includes(told));
  list(by("reasons"), [...status.reasons, ...status.to_correct.filter((told) => !isSaid(told))]);
  tiles(status);
  assets.show(by("assets"), status.assets, data.bought, status.at);
  charts.earned(by("earned"), data.charts.earned, number(status.invested) ? status.net_if_sold : null);
  charts.daily(by("daily"), data.charts.days);
  charts.capital(by("capital"), data.charts.capital);
  cycles = data.cycles;
  showCycles(status);
  honesty(data.honesty);
  tieOut(data.tie_out, status.at);
  say(by("clock"), `${local(status.at, true)} ${data.zone}.`);
  say(by("version"), `Version ${data.version}.`);
}

function list(parent, texts) {
  const key = JSON.stringify(texts);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren(...texts.map((text) => make("li", {}, text)));
}

function tiles(status) {
  const cash = number(status.cash);
  const shown = [
    ["Cash", cash === null ? "unknown" : money(cash), "", cash !== null && status.cash_suffices === false ? "less than the ladders can ask for" : ""],
    ["Invested", money(status.invested), "", `ladders can still ask for ${money(status.ladders_want)}`],
    ["Net if all were sold now", money(status.net_if_sold, true), tone(status.net_if_sold), ""],
    ["Net today", money(status.realised.today, true), tone(status.realised.today), ""],
    ["Net in 7 days", money(status.realised["7_days"], true), tone(status.realised["7_days"]), ""],
    ["Net in 30 days", money(status.realised["30_days"], true), tone(status.realised["30_days"]), ""],
    ["Net, all cycles", money(status.realised_net, true), tone(status.realised_net), `${status.cycles} cycles, fees ${money(status.fees)}` + (status.cycles_unknown ? `, ${status.cycles_unknown} unknown` : "") + (status.cycles_estimated ? `, estimated in ${status.cycles_estimated}` : "")],
  ];
  const parent = by("money");
  shown.forEach(([name, value, kind, note], place) => {
    if (!parent.children[place]) parent.append(make("div", { className: "tile" }, make("span", {}, name), make("b"), make("small")));
    const [, big, small] = parent.children[place].children;
    say(big, value, kind);
    say(small, note);
  });
}

function showCycles(status) {
  const words = by("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = cycles.filter((cycle) => words.every((word) => `${cycle.symbol} ${cycle.status} ${cycle.id}`.toLowerCase().includes(word)));
  const body = by("cycles").tBodies[0], isFirst = !shownCycles.size, now = new Map();
  wanted.forEach((cycle, place) => {
    const cells = [`#${cycle.id}`, cycle.symbol, cycle.status, local(cycle.began_at), since(cycle.began_at, cycle.completed_at ?? status.at), String(cycle.safety_orders), money(cycle.invested), money(cycle.fees), money(cycle.net, true)];
    const row = shownCycles.get(cycle.id) ?? make("tr", { className: isFirst ? "" : "new" }, ...cells.map((_, column) => make("td", { className: column > 4 ? "n" : "" })));
    cells.forEach((text, column) => say(row.children[column], text, column === 8 ? `n ${tone(cycle.net)}` : undefined));
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
    now.set(cycle.id, row);
  });
  while (body.children.length > wanted.length) body.lastElementChild.remove();
  shownCycles = now;
  say(by("more"), cycles.length ? (wanted.length ? `${wanted.length} shown, ${status.cycles} completed in all. The net of one under way is what a sale now would leave.` : "No cycle fits the filter.") : "No cycles yet: the first begins with the first row of dca_assets.");
}

function honesty(data) {
  if (!data) return;
  const key = JSON.stringify(data);
  if (by("honesty").dataset.key === key) return;
  by("honesty").dataset.key = key;
  by("honesty").replaceChildren(...data.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function tieOut(data, now) {
  const parent = by("tie"), key = JSON.stringify([data, since(data.at, now)]);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  if (!data.differences) {
    parent.replaceChildren(make("p", { className: "dim" }, data.at ? `${data.state}.` : "Alpaca is being asked …"));
    return;
  }
  const count = data.differences.length;
  const head = count ? make("p", { className: "bad" }, `${count} difference${count > 1 ? "s" : ""} between the books and Alpaca's records:`) : make("p", { className: "good" }, "Yes: every fill and every fee of the last days is in the books, and nothing else.");
  parent.replaceChildren(head, ...(count ? [make("ul", {}, ...data.differences.map((each) => make("li", {}, `${each.symbol ?? ""} ${each.kind}: ${each.what}`)))] : []), make("p", { className: "dim" }, `Compared ${since(data.at, now)} ago, once an hour. At once: dca tie-out`));
}

by("filter").addEventListener("input", () => cycles.length && look());
for (;;) {
  await look();
  await new Promise((next) => setTimeout(next, LOOK_MILLISECONDS));
}

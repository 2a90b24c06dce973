// One row for each asset; an open one shows its chart, ladder, orders and story.
import * as charts from "./charts.js";
import { local, make, money, number, percent, price, say, since, tone } from "./words.js";

const rows = new Map();
const ALARMS = ["unusable", "held up", "in doubt", "halted"];
const FIRST_ROW = `INSERT INTO dca_assets (asset_symbol, is_enabled, base_order_amount, safety_order_amount,
  max_safety_orders, safety_order_deviation, take_profit_percent, cooldown_period,
  buy_order_price_deviation_percent) VALUES ('BTC/USD', TRUE, 20.00, 20.00, 5, 1.5, 1.0, 300, 2.0);`;

export function show(parent, assets, bought, now) {
  if (!assets.length) {
    rows.clear();
    parent.replaceChildren(make("div", { className: "empty" }, "No assets yet. The bot trades what stands in ", make("code", {}, "dca_assets"),
      "; the README's example is a start:", make("pre", {}, FIRST_ROW)));
    return;
  }
  if (!rows.size) parent.replaceChildren();
  const wanted = assets.map((asset) => asset.symbol);
  for (const [symbol, row] of rows) if (!wanted.includes(symbol)) { row.root.remove(); rows.delete(symbol); }
  assets.forEach((asset, place) => {
    if (!rows.has(asset.symbol)) rows.set(asset.symbol, makeRow(asset.symbol));
    const row = rows.get(asset.symbol);
    // Moving what has the focus would lose it: the order waits until the user has gone on.
    if (parent.children[place] !== row.root && !parent.contains(document.activeElement)) parent.insertBefore(row.root, parent.children[place] ?? null);
    else if (!row.root.isConnected) parent.append(row.root);
    fill(row, asset, bought[asset.symbol] ?? [], now);
  });
}

export async function refreshOpen() {
  for (const row of rows.values()) if (row.isOpen) await refresh(row);
}

function makeRow(symbol) {
  const part = (className, tag = "span") => make(tag, { className });
  const row = { symbol, isOpen: false, parts: {} };
  const at = row.parts;
  for (const name of ["fill", "average", "target", "rung", "now", "here", "low", "high"]) at[name] = part({ fill: "fill", here: "end here", low: "end low", high: "end high" }[name] ?? `mark ${name}`);
  at.bought = make("span");
  at.ladder = make("span", { className: "ladder" }, part("track"), at.fill, at.bought, at.average, at.target, at.rung, at.now, at.here, at.low, at.high);
  at.state = part("state");
  at.waits = part("waits");
  at.facts = part("facts");
  row.button = make("button", { type: "button", "aria-expanded": "false" }, make("span", {}, make("span", { className: "name" }, symbol), make("br"), at.state),
    at.ladder, at.facts, make("span", { className: "arrow", "aria-hidden": "true" }, "›"), at.waits);
  row.button.addEventListener("click", () => toggle(row));
  row.root = make("div", { className: "asset" }, row.button);
  row.root.dataset.symbol = symbol;
  return row;
}

function fill(row, asset, bought, now) {
  row.asset = asset;
  const at = row.parts, isHolding = number(asset.quantity) > 0;
  say(at.state, asset.state + (isHolding ? ` · ${asset.safety_orders}/${asset.max_safety_orders} safety` : ""), ALARMS.includes(asset.state) ? "state alarm" : "state");
  say(at.waits, asset.waits_for);
  const facts = isHolding
    ? [["net if sold", money(asset.net_if_sold, true), tone(asset.net_if_sold)], ["in / most", `${money(asset.invested)} / ${money(number(asset.invested) + number(asset.can_want))}`, ""], ["for", since(asset.began_at, now), ""]]
    : [["bid", price(asset.bid), ""], ["can ask for", money(asset.can_want), ""], ["last event", asset.last_event_at ? since(asset.last_event_at, now) : "–", ""]];
  const key = JSON.stringify(facts);
  if (row.facts !== key) {
    row.facts = key;
    at.facts.replaceChildren(...facts.map(([name, value, kind]) => make("span", {}, make("b", { className: kind }, value), name)));
  }
  scale(at, asset, bought);
}

function scale(at, asset, bought) {
  const bid = number(asset.bid), ask = number(asset.ask), target = number(asset.take_profit_price), average = number(asset.average_price), next = number(asset.next_buy_price);
  const isShown = bid !== null && target !== null && average !== null;
  at.ladder.className = isShown ? "ladder" : "ladder none";
  if (!isShown) return;
  const here = (bid + ask) / 2, bottom = next ?? average - (target - average);
  const low = Math.min(bottom, here), high = Math.max(target, here);
  const place = (value) => `${2 + 96 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))}%`;
  for (const [name, value] of [["average", average], ["target", target], ["now", here]]) at[name].style.left = place(value);
  at.rung.style.display = next === null ? "none" : "";
  if (next !== null) at.rung.style.left = place(next);
  const left = Math.min(here, average), right = Math.max(here, average);
  at.fill.style.left = place(left);
  at.fill.style.width = `${parseFloat(place(right)) - parseFloat(place(left))}%`;
  say(at.fill, "", `fill ${here >= average ? "up" : "down"}`);
  const inside = bought.filter((value) => number(value) >= low && number(value) <= high);
  at.bought.replaceChildren(...inside.map((value) => { const dot = make("span", { className: "mark bought" }); dot.style.left = place(number(value)); return dot; }));
  say(at.here, price(here));
  at.here.style.left = `${Math.min(90, Math.max(10, parseFloat(place(here))))}%`;
  say(at.low, next === null ? "no rung left" : `buy ${price(next)}  ${percent(asset.next_buy_pct)}`);
  say(at.high, `${percent(asset.take_profit_pct)}  ${price(target)} sell`);
}

async function toggle(row) {
  row.isOpen = !row.isOpen;
  row.button.setAttribute("aria-expanded", String(row.isOpen));
  if (!row.isOpen) {
    charts.forget(row.chart);
    row.detail.remove();
    return;
  }
  row.chart = make("div", { className: "chart" });
  row.story = make("div", { className: "wide" });
  row.tables = make("div");
  row.detail = make("div", { className: "detail" }, make("div", {}, make("h3", {}, "Last day"), row.chart), row.tables, row.story);
  row.root.append(row.detail);
  await refresh(row);
}

async function refresh(row) {
  const answer = await fetch(`asset.json?symbol=${encodeURIComponent(row.symbol)}`);
  if (!answer.ok || !row.isOpen) return;
  const detail = await answer.json();
  charts.asset(row.chart, detail, row.asset);
  const { prices, ...rest } = detail;
  const key = JSON.stringify(rest);
  if (row.key === key && row.tables.childElementCount) return;
  row.key = key;
  row.tables.replaceChildren(make("h3", {}, number(row.asset.quantity) > 0 ? "Rungs that are left" : "Ladder from this price"), ladder(detail));
  row.story.replaceChildren(make("h3", {}, "Orders of this cycle"), orders(detail.orders), make("h3", {}, make("br"), "What happened"),
    ...detail.to_correct.map((line) => make("p", { className: "warn" }, line)), story(detail.events));
}

const table = (headings, lines) => make("div", { className: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...headings.map((name, place) => make("th", { className: place ? "n" : "" }, name)))),
  make("tbody", {}, ...lines.map((cells) => make("tr", {}, ...cells.map((cell, place) => make("td", { className: place ? `n ${cell?.tone ?? ""}` : "" }, cell?.text ?? cell)))))));

function ladder(detail) {
  const lines = detail.rungs.map((rung) => [rung.kind === "base" ? "base" : `safety ${rung.number}`, price(rung.trigger), money(rung.invested), price(rung.take_profit_price), { text: money(rung.net, true), tone: tone(rung.net) }]);
  const warnings = detail.warnings.map((warning) => make("p", { className: "warn" }, warning));
  if (!lines.length) return make("div", {}, ...warnings, warnings.length ? null : make("p", { className: "dim" }, "None: it waits for its take profit alone."));
  return make("div", {}, table(["buy", "at or below", "in", "sell at", "net"], lines), ...warnings);
}

function orders(list) {
  if (!list.length) return make("p", { className: "dim" }, "None yet.");
  return table(["order", "sent", "status", "filled", "at", "fee"], list.map((order) => [order.kind.replace("_", " ") + (order.rung ? ` ${order.rung}` : ""), local(order.at, true), order.status,
    `${number(order.quantity)} of ${number(order.ordered)}`, price(order.price ?? order.limit_price), order.fee === null ? "–" : (order.fee_estimated ? "about " : "") + money(order.fee)]));
}

const story = (events) => events.length
  ? make("ol", { className: "story" }, ...events.toReversed().map((event) => make("li", {}, make("time", {}, local(event.at, true)), event.sentence)))
  : make("p", { className: "dim" }, "Nothing yet.");


// The curves, drawn by plotly in the colours of the page.
import { make } from "./words.js";

const drawn = new Map();
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const SETTINGS = { displayModeBar: false, responsive: true, showTips: false };

dark.addEventListener("change", () => {
  for (const [, draw] of drawn) draw(true);
});

function layout(extra = {}) {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true, fixedrange: true };
  return {
    margin: { l: 8, r: 8, t: 10, b: 8 }, height: null, autosize: true, showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("dim") },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
    xaxis: { ...axis, showgrid: false, nticks: 5 }, yaxis: { ...axis, nticks: 5 },
    ...extra,
  };
}

// `traces` makes the data anew; nothing is drawn again unless `key` has changed.
function plot(element, key, traces, extra = () => ({}), none = "Nothing to show yet.") {
  const draw = (always) => {
    if (!always && element.dataset.key === key) return;
    element.dataset.key = key;
    const data = traces();
    if (!data) {
      if (element.classList.contains("js-plotly-plot")) window.Plotly.purge(element);
      element.replaceChildren(make("p", { className: "none" }, none));
      return;
    }
    if (!element.classList.contains("js-plotly-plot")) element.replaceChildren();
    window.Plotly.react(element, data, layout(extra()), SETTINGS);
  };
  drawn.set(element, draw);
  draw(false);
}

const local = (text) => new Date(text);

export function earned(element, points, netIfSold) {
  const last = points.at(-1);
  plot(element, JSON.stringify([points.length, last, netIfSold]), () => {
    if (!points.length) return null;
    const x = points.map((point) => local(point.at)), y = points.map((point) => Number(point.net));
    const traces = [{ x, y, type: "scatter", mode: points.length < 40 ? "lines+markers" : "lines", name: "realised", line: { color: colour("blue"), width: 2, shape: "hv" }, marker: { size: 5 } }];
    if (netIfSold !== null && netIfSold !== undefined) {
      const now = y.at(-1) + Number(netIfSold);
      traces.push({ x: [x.at(-1), new Date()], y: [y.at(-1), now], type: "scatter", mode: "lines+markers", name: "with what is open",
        line: { color: colour(now >= y.at(-1) ? "good" : "bad"), width: 2, dash: "dot" }, marker: { size: [0, 8] } });
    }
    return traces;
  }, undefined, "The first take profit begins this curve.");
}

export function daily(element, days) {
  plot(element, JSON.stringify(days.slice(-2)) + days.length, () => {
    if (!days.length) return null;
    const y = days.map((day) => Number(day.net));
    return [{ x: days.map((day) => day.day), y, type: "bar", name: "net", marker: { color: y.map((net) => colour(net >= 0 ? "good" : "bad")) },
      text: days.map((day) => `${day.cycles} cycles`), textposition: "none", hovertemplate: "%{y:+.2f}, %{text}<extra></extra>", width: days.length < 8 ? 0.35 : undefined }];
  }, () => ({ xaxis: { ...layout().xaxis, type: "category", nticks: 6 } }), "A bar for each day with a completed cycle.");
}

export function capital(element, points) {
  plot(element, `${points.length}${points.at(-2)?.at}${Math.floor(Date.now() / 30000)}`, () => points.length ? [{
    x: points.map((point) => local(point.at)), y: points.map((point) => Number(point.invested)), type: "scatter", mode: "lines", name: "in cycles",
    line: { color: colour("violet"), width: 1.5, shape: "hv" }, fill: "tozeroy", fillcolor: `color-mix(in srgb, ${colour("violet")} 18%, transparent)` }] : null,
  () => ({ yaxis: { ...layout().yaxis, rangemode: "tozero" } }), "Begins with the first base order.");
}

export function asset(element, detail, row) {
  plot(element, `${detail.prices.length}${detail.prices.at(-1)}${detail.trades.length}${row.average_price}${row.next_buy_price}`, () => {
    if (!detail.prices.length && !detail.trades.length) return null;
    const from = detail.prices.length ? detail.prices[0][0] : detail.trades[0].at;
    const trade = (side, symbol, name) => {
      const of = detail.trades.filter((each) => each.side === side && new Date(each.at) >= new Date(from));
      return { x: of.map((each) => local(each.at)), y: of.map((each) => Number(each.price)), type: "scatter", mode: "markers", name: name,
        marker: { symbol, size: 10, color: colour(side === "buy" ? "blue" : "good"), line: { width: 1.5, color: colour("card") } } };
    };
    return [{ x: detail.prices.map((point) => local(point[0])), y: detail.prices.map((point) => Number(point[1])), type: "scatter", mode: "lines", name: "price", line: { color: colour("dim"), width: 1.4 } },
      trade("buy", "triangle-up", "bought"), trade("sell", "triangle-down", "sold")];
  }, () => {
    const lines = [["average", row.average_price, "blue", "solid"], ["take profit", row.take_profit_price, "good", "dash"], ["next buy", row.next_buy_price, "warn", "dash"]].filter((line) => line[1]);
    return {
      hovermode: "closest",
      shapes: lines.map(([, at, tint, dash]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: Number(at), y1: Number(at), line: { color: colour(tint), width: 1.2, dash } })),
      annotations: lines.map(([name, at, tint]) => ({ xref: "paper", x: 0, xanchor: "left", yanchor: "bottom", y: Number(at), text: name, showarrow: false, font: { size: 11, color: colour(tint) } })),
    };
  }, "No prices yet: they gather while this page is served.");
}

export const forget = (element) => drawn.delete(element);

// How numbers, times and ages are written.

export const number = (text) => (text === null || text === undefined ? null : Number(text));

export function money(text, sign = false) {
  const value = number(text);
  if (value === null) return "–";
  const shown = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const isZero = Number(shown.replaceAll(",", "")) === 0;
  return (value < 0 && !isZero ? "−" : sign && !isZero ? "+" : "") + shown;
}

export function price(text) {
  const value = number(text);
  if (value === null) return "–";
  const size = Math.abs(value);
  const digits = size >= 1000 ? 2 : size >= 1 ? 4 : 8;
  return value.toLocaleString("en-US", { minimumFractionDigits: size >= 1 ? digits : 2, maximumFractionDigits: digits });
}

export const percent = (text) => {
  const value = number(text);
  return value === null ? "" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)} %`;
};

export const tone = (text) => {
  const value = number(text);
  return value === null || Math.abs(value) < 0.005 ? "" : value > 0 ? "good" : "bad";
};

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (minutes < 120) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

export const since = (from, to) => (from ? age((new Date(to) - new Date(from)) / 1000) : "–");

const two = (value) => String(value).padStart(2, "0");

export function local(text, seconds = false) {
  if (!text) return "–";
  const at = new Date(text);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
}

// An element with properties and children; text is never taken for HTML.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Only what differs is written, so that nothing flickers and a selection stays.
export function say(element, text, className) {
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined && element.className !== className) element.className = className;
}

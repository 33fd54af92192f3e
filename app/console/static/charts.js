// Charts: what a step holds under the pointer, a span by dragging, and a legend that takes parts away.
// A convenience: each bar is a link, and a table has the same.
"use strict";

//  The drawing's own units: of a step, and of the full height.
const STEP = 20;
const FULL = 200;

function startCharts(root) {
  for (const chart of root.querySelectorAll(".stacked")) startChart(chart);
}

function startChart(chart) {
  const svg = chart.querySelector("svg");
  const bars = new Map([...svg.querySelectorAll("a")].map((bar) => [placeOfBar(bar), bar]));
  const said = new Map([...bars].map(([place, bar]) => [place, bar.querySelector("title")?.textContent ?? ""]));
  for (const bar of bars.values()) bar.querySelector("title")?.remove(); // the browser would show it as well, later
  const label = Object.assign(document.createElement("p"), { className: "under", hidden: true });
  const shade = Object.assign(document.createElement("div"), { className: "shade", hidden: true });
  chart.append(shade, label);
  const steps = svg.viewBox.baseVal.width / STEP;
  let from = null;

  const placeAt = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.max(0, Math.min(steps - 1, Math.floor((event.clientX - box.left) / box.width * steps)));
  };

  function show(first, last) {
    const box = svg.getBoundingClientRect();
    const around = chart.getBoundingClientRect();
    const left = box.left - around.left + first / steps * box.width;
    Object.assign(shade.style, { left: `${left}px`, width: `${(last - first + 1) / steps * box.width}px`, top: `${box.top - around.top}px`, height: `${box.height}px` });
    shade.hidden = false;
    label.textContent = first === last ? said.get(first) ?? "Nothing here" : `${last - first + 1} steps: let go to list what they hold`;
    label.hidden = false;
    label.style.left = `${Math.max(0, Math.min(left, around.width - label.offsetWidth))}px`;
  }

  function hide() {
    from = null;
    shade.hidden = label.hidden = true;
  }

  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => { if (!event.button) from = placeAt(event); });
  svg.addEventListener("pointermove", (event) => {
    const place = placeAt(event);
    show(Math.min(from ?? place, place), Math.max(from ?? place, place));
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", (event) => {
    const [first, last] = [from, placeAt(event)].sort((a, b) => a - b);
    if (from === null || first === last) return;
    event.preventDefault();
    const address = spanOf(bars, first, last);
    hide();
    if (address) location.assign(address);
  });
  startLegend(chart, svg, bars);
}

const placeOfBar = (bar) => Math.floor(Number(bar.querySelector("rect").getAttribute("x")) / STEP);

// The list of what some steps hold: that of one bar, over all of them.
function spanOf(bars, first, last) {
  const [known] = bars;
  if (!known) return null;
  const address = new URL(known[1].href.baseVal, location.href);
  const [since, until] = ["since", "until"].map((name) => Number(address.searchParams.get(name)));
  const start = since - known[0] * (until - since);
  address.searchParams.set("since", start + first * (until - since));
  address.searchParams.set("until", start + (last + 1) * (until - since));
  return address;
}

function startLegend(chart, svg, bars) {
  const legend = chart.nextElementSibling;
  if (!legend?.matches(".legend")) return;
  for (const sign of legend.querySelectorAll("svg.sign")) {
    const fill = sign.querySelector("rect")?.getAttribute("fill");
    if (!fill) continue;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "part" });
    const name = sign.nextSibling;
    sign.before(button);
    button.append(sign, name);
    button.setAttribute("aria-pressed", "true");
    button.title = "Show or leave out";
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      for (const part of svg.querySelectorAll("a rect")) if (part.getAttribute("fill") === fill) part.toggleAttribute("hidden", !on);
      for (const bar of bars.values()) pile(bar);
    });
  }
}

// Parts stand on each other: what is left out leaves no hole.
function pile(bar) {
  let bottom = FULL;
  for (const part of bar.querySelectorAll("rect")) {
    if (part.hasAttribute("hidden")) continue;
    bottom -= Number(part.getAttribute("height"));
    part.setAttribute("y", bottom);
  }
}

// The picker of places: a field that names a place of the event offers those that were seen, with a value and how many
// events have one. `/` or the arrow down opens it, typing narrows it.
"use strict";

const SHOWN = 12;
const list = Object.assign(document.createElement("ul"), { id: "picker", className: "picker", hidden: true });
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Places of the event");
let field = null;
let at = -1;

const known = () => [...document.querySelectorAll("#paths option")].map((option) => ({
  path: option.value, value: option.textContent, share: option.dataset.share,
}));

const words = (name) => name.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase().split(/[^a-z0-9]+/).filter((each) => each.length > 1);

// The places for a field without a text: those with words of its name first, each with the share of events.
function suggested(path) {
  const wanted = words(path.split(".").at(-1));
  const rank = (place) => words(place.split(".").at(-1)).filter((each) => wanted.includes(each)).length;
  return known().sort((a, b) => rank(b.path) - rank(a.path)).slice(0, SHOWN);
}

// The most frequent first, as the page lists them; those whose name has the text before those whose value has it.
function found(text) {
  const row = field.closest("[data-path]");
  if (!text.trim() && row) return suggested(row.dataset.path);
  const wanted = text.trim().toLowerCase().replace(/^\$\./, "");
  const has = (said) => said.toLowerCase().includes(wanted);
  const named = known().filter(({ path }) => has(path)).sort((a, b) => (b.path === wanted) - (a.path === wanted));
  return [...named, ...known().filter(({ path, value }) => !has(path) && has(value))].slice(0, SHOWN);
}

function draw(text) {
  list.replaceChildren(...found(text).map(({ path, value, share }, place) => {
    const option = Object.assign(document.createElement("li"), { id: `picker-${place}` });
    option.setAttribute("role", "option");
    option.dataset.path = path;
    for (const [name, shown] of [["code", path], ["span", value], ["small", share]]) {
      option.append(Object.assign(document.createElement(name), { textContent: shown }), " ");
    }
    return option;
  }));
  list.hidden = !list.children.length;
  field.setAttribute("aria-expanded", String(!list.hidden));
  mark(list.hidden ? -1 : 0);
}

// Puts an element that lies over the page below another one.
function placeBelow(element, anchor) {
  const frame = anchor.closest(".field, .condition").getBoundingClientRect();
  const box = anchor.getBoundingClientRect();
  element.style.top = `${box.bottom - frame.top + 2}px`;
  element.style.left = `${Math.max(0, Math.min(box.left - frame.left, frame.width - 480))}px`;
}

function mark(place) {
  at = place;
  [...list.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
  if (at < 0) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", list.children[at].id);
  list.children[at].scrollIntoView({ block: "nearest" });
}

function open(input, text) {
  field = input;
  for (const [name, value] of [["role", "combobox"], ["aria-controls", "picker"], ["aria-autocomplete", "list"],
    ["aria-keyshortcuts", "/"]]) field.setAttribute(name, value);
  field.closest(".field, .condition").append(list);
  placeBelow(list, field);
  draw(text);
}

function close() {
  if (!field) return;
  list.hidden = true;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
  field = null;
}

function take(option) {
  const input = field;
  input.value = option.dataset.path;
  close();
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

document.addEventListener("focusout", close);

document.addEventListener("input", ({ target }) => {
  if (target.matches?.("[data-paths]") && target.value && document.activeElement === target) open(target, target.value);
});

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (!target.matches?.("[data-paths]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const isOpen = field === target && !list.hidden;
  if (key === "/" || (key === "ArrowDown" && !isOpen)) {
    target.select();
    open(target, "");
  } else if (isOpen && (key === "ArrowDown" || key === "ArrowUp")) {
    const many = list.children.length;
    mark((at + (key === "ArrowDown" ? 1 : many - 1)) % many);
  } else if (isOpen && key === "Enter") {
    take(list.children[at]);
  } else if (isOpen && key === "Escape") {
    close();
  } else return;
  event.preventDefault();
});

list.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  const option = event.target.closest("[role=option]");
  if (option) take(option);
});

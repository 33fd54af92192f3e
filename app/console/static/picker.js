// The picker of places: a field that names a place of the event offers those that were seen, with a value and how many
// events have one. `/` or the arrow down opens it, typing narrows it. Without it the browser's own list does.
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

// The most frequent first, as the page lists them; those whose name has the text before those whose value has it.
function found(text) {
  const wanted = text.trim().toLowerCase().replace(/^\$\./, "");
  const has = (said) => said.toLowerCase().includes(wanted);
  const named = known().filter(({ path }) => has(path));
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

function mark(place) {
  at = place;
  [...list.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
  if (at < 0) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", list.children[at].id);
  list.children[at].scrollIntoView({ block: "nearest" });
}

function open(input, text) {
  field = input;
  field.closest("label").after(list);
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
  input.value = (input.dataset.before ?? "") + option.dataset.path;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  close();
}

document.addEventListener("focusout", close);

// The browser's list gives way as soon as a field is used.
document.addEventListener("focusin", ({ target }) => {
  if (!target.matches?.('#editor input[list="paths"]')) return;
  target.removeAttribute("list");
  target.dataset.paths = "";
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", "picker"],
    ["aria-autocomplete", "list"], ["aria-keyshortcuts", "/"]]) target.setAttribute(name, value);
  if (!list.isConnected) target.closest("label").after(list);
});

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

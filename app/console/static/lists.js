// Lists, ids and keys: a convenience, each page works without it.
"use strict";

// A click on an id copies it. A row under the pointer has a button for it, and the whole of what is cut short. ----------

const copier = Object.assign(document.createElement("button"), { type: "button", className: "copied icon", tabIndex: -1, title: "Copy" });

document.addEventListener("pointerover", ({ target }) => {
  const id = target.closest(".list tr")?.querySelector(".id a");
  if (id && id !== copier.previousElementSibling) {
    copier.dataset.text = id.title || id.textContent;
    copier.ariaLabel = `Copy ${copier.dataset.text}`;
    id.after(copier);
  }
  const cell = target.closest(".list .cut");
  if (cell && cell.scrollWidth > cell.clientWidth) cell.title = cell.textContent;
});

async function copyId(id) {
  try {
    await navigator.clipboard.writeText(id.dataset.text);
    id.classList.add("done");
    setTimeout(() => id.classList.remove("done"), 1_500);
  } catch {
    // No clipboard without TLS: show the whole id, selected, so that a key press copies it.
    const shown = id.matches(".icon") ? id.previousElementSibling : id;
    shown.textContent = id.dataset.text;
    getSelection().selectAllChildren(shown);
  }
}

// Filters apply as they change. -------------------------------------------------------------------------------------

function startFilters(form) {
  form.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

// A whole list as CSV: times as ISO 8601, numbers with a point. Lists with pages have a link to the server's CSV. ----------

const csvCell = (cell) => {
  const time = cell.querySelector("time")?.dateTime;
  const text = (time ?? cell.innerText).replace(/\s+/g, " ").trim();
  const plain = cell.matches("td.n") && /^[\d,.]+$/.test(text) ? text.replaceAll(",", "") : text;
  return `"${(/^[=+@-]/.test(plain) ? `'${plain}` : plain).replaceAll('"', '""')}"`;
};

function offerCsv(table) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "CSV" });
  button.addEventListener("click", () => {
    const rows = [table.tHead.rows[0], ...table.querySelectorAll("tbody tr:not(.group)")];
    const text = rows.map((row) => [...row.cells].map(csvCell).join(",")).join("\r\n");
    const file = new Blob([`${text}\r\n`], { type: "text/csv" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: `${location.pathname.split("/").pop()}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href));
  });
  const place = table.closest(".scroller") ?? table;
  place.after(button);
}

// Columns of a whole list sort; rows group, and of a page each group leads to all of its rows. ---------------------------

function valueOf(row, column) {
  const cell = row.cells[column];
  const time = cell?.querySelector("time")?.dateTime;
  const text = cell?.textContent.trim() ?? "";
  const number = cell?.matches(".n") ? parseFloat(text.replaceAll(",", "")) : NaN;
  return time ?? (Number.isNaN(number) ? text.toLowerCase() : number);
}

const compared = (a, b) => (typeof a === typeof b ? (a < b ? -1 : Number(a > b)) : typeof a === "number" ? -1 : 1);

function startList(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const isPage = table.dataset.list === "page";
  let sorted = null;
  let grouped = -1;

  function show() {
    const order = sorted ? [...rows].sort((a, b) => sorted.sign * compared(valueOf(a, sorted.column), valueOf(b, sorted.column))) : rows;
    if (grouped < 0) return body.replaceChildren(...order);
    const groups = Map.groupBy(order, (row) => groupOf(row, grouped));
    const parts = [...groups].sort((a, b) => b[1].length - a[1].length).flatMap(([name, of]) => [groupHead(name, of), ...of]);
    body.replaceChildren(...parts);
  }

  function groupHead(name, of) {
    const row = document.createElement("tr");
    row.className = "group";
    const head = document.createElement("th");
    head.colSpan = heads.length;
    head.scope = "rowgroup";
    const number = document.createElement("strong");
    number.textContent = of.length;
    head.append(name || "none", " ", number);
    const all = isPage && allOf(heads[grouped].dataset.group, of[0].cells[grouped]);
    if (all) head.append(" ", Object.assign(document.createElement("a"), { href: all, textContent: "all of them" }));
    row.append(head);
    return row;
  }

  for (const [column, head] of isPage ? [] : heads.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.matches(".n") ? -1 : 1;
      const sign = sorted?.column === column ? -sorted.sign : first;
      sorted = { column, sign };
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      show();
    });
  }
  const ways = heads.map((head, column) => [head, column]).filter(([head]) => "group" in head.dataset);
  if (rows.length > 1 && ways.length) chooseGroup(table, ways, (column) => { grouped = column; show(); });
}

function groupOf(row, column) {
  const at = row.cells[column].querySelector("time")?.dateTime;
  if (!at) return row.cells[column].innerText.split("\n")[0].trim();
  return formatOf({ dateStyle: "medium", timeStyle: "short" }).format(new Date(at).setMinutes(0, 0));
}

// The list of all that has what a cell has; "" where no filter says it.
function allOf(filter, cell) {
  const address = new URL(location);
  const at = cell.querySelector("time")?.dateTime;
  if (at) {
    const hour = new Date(at).setMinutes(0, 0, 0);
    address.searchParams.set("since", new Date(hour).toISOString());
    address.searchParams.set("until", new Date(hour + 3_600_000).toISOString());
  } else {
    const value = cell.querySelector(".badge")?.classList[1] ?? cell.firstChild?.textContent.trim();
    if (!value) return "";
    address.searchParams.set(filter, value);
  }
  for (const each of ["cursor", "dropped_cursor"]) address.searchParams.delete(each);
  return address.pathname.endsWith("/deliveries") ? address : "";
}

function chooseGroup(table, ways, choose) {
  const label = document.createElement("label");
  label.className = "grouping";
  const select = document.createElement("select");
  select.append(new Option("nothing", -1));
  for (const [head, column] of ways) {
    const name = head.textContent.trim();
    select.append(new Option(table.tBodies[0].rows[0].cells[column].querySelector("time") ? "hour" : name.toLowerCase(), column));
  }
  select.addEventListener("change", () => choose(Number(select.value)));
  label.append(table.dataset.list === "page" ? "Group this page by " : "Group by ", select);
  const heading = table.closest("section")?.querySelector("h2");
  if (!heading) return;
  if (!heading.parentElement.matches(".row")) {
    const line = Object.assign(document.createElement("div"), { className: "row spread" });
    heading.replaceWith(line);
    line.append(heading);
  }
  heading.after(label);
}

// A row opens beside its list; j, k and Enter go through the rows. ---------------------------------------------------

// There is no room beside a list that is narrower.
const NARROW_PX = 900;

function rowsOf() {
  return [...document.querySelectorAll("table[data-list] tr[data-open]")];
}

function focusRow(step) {
  const rows = rowsOf();
  const now = rows.indexOf(document.activeElement.closest?.("tr[data-open]") ?? document.querySelector("tr.open"));
  const row = rows[Math.min(rows.length - 1, Math.max(0, now + step))];
  if (!row) return;
  row.tabIndex = -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  if (document.getElementById("beside")) openRow(row);
}

const addressOf = (row) => row.querySelector('a[href*="/delivery?"], a[href*="/message?"], th a[href]').href;

async function openRow(row) {
  if (innerWidth < NARROW_PX) return location.assign(addressOf(row));
  const answer = await fetch(addressOf(row), { credentials: "same-origin" }).catch(() => null);
  const main = answer?.ok && !answer.redirected && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!main) return location.assign(addressOf(row));
  closeRow();
  row.classList.add("open");
  const beside = document.createElement("aside");
  beside.id = "beside";
  beside.className = "beside";
  beside.setAttribute("aria-label", "The row that is open");
  const line = document.createElement("div");
  line.className = "row";
  const whole = Object.assign(document.createElement("a"), { href: addressOf(row), textContent: "Open as a page" });
  const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Close (Esc)" });
  close.addEventListener("click", () => closeRow(row));
  line.append(whole, close);
  beside.append(line, ...main.children);
  // What stood under the list's own ids stays the only one of its id.
  for (const each of beside.querySelectorAll("[id]")) if (document.getElementById(each.id)) each.removeAttribute("id");
  document.body.append(beside);
  prepare(beside);
}

function closeRow(row) {
  document.getElementById("beside")?.remove();
  document.querySelector("tr.open")?.classList.remove("open");
  row?.focus();
}

document.addEventListener("click", (event) => {
  const id = event.target.closest("button[data-text]");
  if (id) return void copyId(id);
  const row = event.target.closest("tr[data-open]");
  const wants = event.ctrlKey || event.metaKey || event.shiftKey || event.button || String(getSelection());
  if (!row || wants || event.target.closest("a, button, input")) return;
  event.preventDefault();
  openRow(row);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.getElementById("beside")) return closeRow(document.querySelector("tr.open"));
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    return openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  if (event.key === "?") document.getElementById("keys")?.showModal();
  else if (event.key === "j" || event.key === "k") focusRow(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter" && event.target.matches("tr[data-open]")) openRow(event.target);
});

// Ctrl+K: pages, presets, events, sources and settings by name, and everything that the search finds. ----------------------

// As much of them as one looks through.
const MOST_OFFERED = 12;
let offered = null;

// The names, by the first that begins so; each as [label, kind, action]. They are read once.
async function readOffers() {
  const base = document.querySelector(".brand").pathname;
  const answer = await fetch(`${base}/find`, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return [];
  return (await answer.json()).map(([kind, name, path]) => [
    name, kind, () => (path ? location.assign(`${base}/${path}`) : navigator.clipboard?.writeText(name)),
  ]);
}

function openPalette() {
  const find = document.getElementById("find");
  if (!find || document.querySelector("dialog[open]")) return;
  const dialog = document.createElement("dialog");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", "Go to a page, preset, event, source or setting, or find an order");
  const input = document.createElement("input");
  input.type = "text";
  input.placeholder = "Page, preset, event, source, setting, order …";
  input.setAttribute("aria-label", dialog.getAttribute("aria-label"));
  const list = document.createElement("ul");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Pages");
  const pages = [...document.querySelectorAll("nav[aria-label=Pages] a")].map((each) => [each.textContent.trim(), "", () => each.click()]);
  let chosen = 0;
  let names = [];
  offered ??= readOffers();
  offered.then((read) => { names = read; show(); });

  function offers() {
    const text = input.value.trim().toLowerCase();
    if (!text) return pages;
    const place = ([name]) => name.toLowerCase().indexOf(text);
    const found = [...pages, ...names].filter((each) => place(each) >= 0).sort((a, b) => Boolean(place(a)) - Boolean(place(b)));
    const search = [`Find “${input.value.trim()}”`, "", () => { find.value = input.value; find.form.requestSubmit(); }];
    // A number is an order's more often than part of a name.
    return /\d/.test(text) ? [search, ...found.slice(0, MOST_OFFERED)] : [...found.slice(0, MOST_OFFERED), search];
  }

  function show() {
    const all = offers();
    chosen = Math.min(chosen, all.length - 1);
    list.replaceChildren(...all.map(([name, kind, go], place) => {
      const item = Object.assign(document.createElement("li"), { textContent: name });
      if (kind) item.append(" ", Object.assign(document.createElement("span"), { className: "hint", textContent: kind === "Setting" ? "Setting: copy its name" : kind }));
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", place === chosen);
      item.addEventListener("click", () => { dialog.close(); go(); });
      return item;
    }));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  }

  input.addEventListener("input", () => { chosen = 0; show(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") list.children[chosen]?.click();
    else if (step) { chosen = Math.max(0, Math.min(list.children.length - 1, chosen + step)); show(); }
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.append(input, list);
  document.body.append(dialog);
  show();
  dialog.showModal();
}

for (const form of document.querySelectorAll("form[data-applied]")) startFilters(form);
for (const table of document.querySelectorAll("table[data-list]")) {
  startList(table);
  if (table.dataset.list !== "page" && table.tBodies[0]?.rows.length) offerCsv(table);
}

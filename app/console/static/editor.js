// The editor of presets. Each edit is stored in the browser at once and in the draft on the server within a second.
"use strict";

const TYPED_MS = 60;
const RETRY_MS = 2_000;
const MAX_KEEPALIVE = 60_000;

document.documentElement.classList.add("has-script");
const rows = () => document.getElementById("rows");
const prefix = `pinrelay-edit ${rows().dataset.file} `;

// Edits that the server has not stored. Typed text is also in localStorage, by its field, until the server has it. ------

const waiting = new Map(); // the slot of an edit -> its form
let lastStored = ""; // the slot whose text the last step has, until the field is left
let refused = new Map(); // the slot -> the reason
let latest = ""; // the latest edit
let needsLogin = false;
let sending = null;
let retry = 0;
let isLeaving = false; // the next page may be older than an edit that is stored now, so that page sends the edit again

addEventListener("beforeunload", () => { isLeaving = true; });

for (const key of Object.keys(localStorage).filter((each) => each.startsWith(prefix)).sort()) {
  waiting.set(key.slice(prefix.length), { ...JSON.parse(localStorage.getItem(key)), whole: true });
}

function editOf(element) {
  const group = element.closest("[data-edit]");
  const fields = group.matches("[name]") ? [group] : [...group.querySelectorAll("[name]")];
  const form = { ...JSON.parse(group.dataset.edit), file: rows().dataset.file, sample: rows().dataset.sample };
  for (const each of fields) form[each.name] = each.value;
  return form;
}

const slotOf = (form) => JSON.stringify([form.do, form.path, form.at, form.item, form.place, form.do === "meta" && form.name]);

function enqueue(form, { isTyped = false, whole = true } = {}) {
  const slot = isTyped ? slotOf(form) : `${Date.now()} ${Math.random()}`;
  const edit = { ...form, whole };
  const text = JSON.stringify(edit);
  if (isTyped && text === latest) return send(); // Enter is also a change
  latest = text;
  waiting.delete(slot);
  refused.delete(slot);
  waiting.set(slot, edit);
  if (isTyped) localStorage.setItem(prefix + slot, text);
  return send();
}

// Sends all edits in their order. Resolves when none is left or sending stopped.
function send() {
  sending ??= sendAll().finally(() => { sending = null; });
  return sending;
}

async function sendAll() {
  clearTimeout(retry);
  for (;;) {
    const next = [...waiting].find(([slot]) => !refused.has(slot));
    if (!next) break;
    const [slot, edit] = next;
    if (!needsLogin) say("Saving …"); // the link to the login stays where it is
    const answer = await post(edit, slot);
    if (!answer) return;
    if (waiting.get(slot) !== edit) continue; // more was typed meanwhile
    if (answer.status === 422) refused.set(slot, reasonOf(answer.page));
    else {
      waiting.delete(slot);
      if (!isLeaving) localStorage.removeItem(prefix + slot);
      lastStored = slot;
    }
    const isLast = ![...waiting.keys()].some((each) => !refused.has(each));
    if (isLast) show(answer.page, edit.whole && answer.status !== 422);
  }
  const reasons = [...refused.values()];
  say(reasons.length ? `Not saved: ${reasons.join(" ")}` : "Saved", reasons.length > 0);
}

// Returns the status and page of an edit; null if the server did not handle the edit.
async function post({ whole, ...form }, slot) {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) body.set(name, typeof value === "string" ? value : JSON.stringify(value));
  if (!whole) body.set("part", "effect");
  if (slot === lastStored) body.set("same_step", "yes");
  const keepalive = String(body).length < MAX_KEEPALIVE;
  const answer = await fetch(rows().dataset.action, { method: "POST", body, credentials: "same-origin", keepalive }).catch(() => null);
  if (!answer || answer.status >= 500) return stop("Not saved: no connection. The text is kept here, and sent again.", true);
  const hadSession = !needsLogin;
  needsLogin = new URL(answer.url).pathname === rows().dataset.login;
  if (needsLogin && !hadSession) return null;
  if (needsLogin) {
    const link = document.createElement("a");
    link.href = `${rows().dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = "Log in";
    stop("Not saved: your session ended. The text is kept here. ");
    document.getElementById("saved").append(link);
    return null;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok && answer.status !== 422) return stop(`Not saved: ${page.querySelector("h1")?.textContent ?? answer.status}.`);
  return { status: answer.status, page };
}

function stop(text, again = false) {
  say(text, true);
  if (again) retry = setTimeout(send, RETRY_MS);
  return null;
}

function say(text, isBad = false) {
  const saved = document.getElementById("saved");
  if (saved.textContent !== text) saved.textContent = text;
  saved.classList.toggle("trouble", isBad);
}

const reasonOf = (page) => page.querySelector("#told .bad")?.textContent.replace("Nothing was changed.", "").trim() ?? "";

addEventListener("online", send);
addEventListener("focus", () => { if (waiting.size) send(); });

// The page after an edit: all of it, or the parts that typing changes. ----------------------------------------------------

function show(page, isWhole) {
  const fresh = page.getElementById("editor");
  if (isWhole && fresh) return replaceEditor(fresh);
  for (const old of document.querySelectorAll("#effect, #takes, #told, #history, #editor .found[id]")) {
    const part = page.getElementById(old.id);
    if (part && old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
  }
}

// Parts are replaced one by one, and only if the server sends another text: typing elsewhere goes on.
const PARTS = "#named, #when, #told, #history, #effect, #yaml, #what .field";
const sent = new WeakMap();
const keyOf = (part) => part.id || part.dataset.path;
const partsOf = (root) => [...root.querySelectorAll(PARTS)];

for (const part of partsOf(document)) sent.set(part, part.innerHTML);

function replaceEditor(fresh) {
  if (fresh.querySelector("#rows").dataset.sample !== rows().dataset.sample) return location.reload();
  const old = new Map(partsOf(document).map((part) => [keyOf(part), part]));
  for (const part of partsOf(fresh)) {
    const before = old.get(keyOf(part));
    const text = part.innerHTML;
    if (!before || sent.get(before) === text) continue;
    if (part.id === "yaml") keepYaml(before, part);
    replaceContent(before, part);
    sent.set(before, text);
    prepare(before);
  }
}

function replaceContent(before, part) {
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  const isWaiting = focused && inRows(focused) && localStorage.getItem(prefix + slotOf(editOf(focused))) !== null;
  const { value, selectionStart } = focused ?? {};
  for (const each of before.querySelectorAll("details")) {
    const same = part.querySelector(each.id ? `#${CSS.escape(each.id)}` : "details");
    if (same) same.open = each.open;
  }
  if (before.contains(document.getElementById("bar"))) hideBar();
  before.className = part.className;
  before.replaceChildren(...part.childNodes);
  const again = focused?.id && document.getElementById(focused.id);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (isWaiting) again.value = value;
  if (again.matches("textarea, input")) again.setSelectionRange(selectionStart, selectionStart);
}

// YAML that is not stored yet stays, with the text from which it began.
function keepYaml(before, part) {
  const text = before.querySelector("#text");
  if (text.value === text.defaultValue) return;
  for (const name of ["text", "base"]) part.querySelector(`[name=${name}]`).value = before.querySelector(`[name=${name}]`).value;
}

// Typing, leaving a field, and buttons. ------------------------------------------------------------------------------------

let typing = 0;
const inRows = (target) => target.closest?.("#rows [data-edit]:not([data-manual])");

document.addEventListener("input", ({ target }) => {
  if (target.matches("#text")) return void localStorage.setItem(`${prefix}yaml`, JSON.stringify(editOf(target)));
  if (!inRows(target) || !target.matches("input")) return;
  const form = editOf(target);
  localStorage.setItem(prefix + slotOf(form), JSON.stringify(form));
  clearTimeout(typing);
  latest = "";
  typing = setTimeout(() => { typing = 0; enqueue(form, { isTyped: true, whole: false }); }, TYPED_MS);
});

document.addEventListener("change", ({ target }) => {
  if (target.matches("#effect select[name=sample]")) {
    location.href = `${target.form.action}?${new URLSearchParams(new FormData(target.form))}`;
  } else if (target.matches("#bar select")) changeChip(target);
  else if (target.isConnected && inRows(target)) store(target);
});

function store(field) {
  clearTimeout(typing);
  typing = 0;
  const stored = enqueue(editOf(field), { isTyped: true });
  stored.then(() => { lastStored = ""; });
  return stored;
}

// Stores the text of the field that has the focus, and all other edits; returns whether the draft has all of them.
async function settle() {
  const field = document.activeElement;
  if (field?.matches("input") && inRows(field) && field.value !== field.defaultValue) await store(field);
  await send();
  return !waiting.size;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("#rows button");
  if (!button) return;
  if (button.closest("#bar")) return changeChip(button);
  if (button.dataset.do) {
    await settle();
    await enqueue({ ...editOf(button), do: button.dataset.do });
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.closest("#editor")) return;
  if (form.matches("[data-edit]")) {
    event.preventDefault();
    const stored = enqueue(editOf(form), { isTyped: true });
    localStorage.removeItem(`${prefix}yaml`);
    const text = document.getElementById("text");
    text.defaultValue = text.value;
    await stored;
  } else if (form.matches("[data-button], #publishing")) {
    event.preventDefault();
    if (!(await settle())) return document.getElementById("saved").scrollIntoView({ block: "center" });
    if (form.matches("#publishing")) {
      if (document.getElementById("faults")) return document.getElementById("told").scrollIntoView({ block: "center" });
      return form.submit();
    }
    latest = "";
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin" }).catch(() => null);
    if (!answer) return void stop("No connection.");
    show(new DOMParser().parseFromString(await answer.text(), "text/html"), true);
  }
});

// The toolbar of the chip that has the focus. --------------------------------------------------------------------------------

let chip = null;

document.addEventListener("focusin", ({ target }) => {
  if (target.closest?.("#bar")) return;
  if (!target.matches?.(".sources .chip > [data-edit]")) return hideBar();
  chip = target;
  const bar = document.getElementById("bar");
  const form = JSON.parse(target.dataset.edit);
  const kind = bar.querySelector("select[data-chip=chip]");
  kind.hidden = !["path", "constant", "template"].includes(form.kind);
  kind.value = form.kind;
  for (const each of bar.querySelectorAll("[data-by]")) each.hidden = typeof form.at.at(-1) !== "number";
  bar.querySelector("[data-function]").hidden = target.matches("input");
  target.parentElement.after(bar);
  bar.hidden = false;
  placeBelow(bar, target);
});

function hideBar() {
  const bar = document.getElementById("bar");
  bar.hidden = true;
  document.getElementById("what").append(bar);
}

async function changeChip(control) {
  const changed = chip;
  const { chip: action, by = "", function: name = control.value } = control.dataset;
  const form = { ...editOf(changed), do: action };
  if (action === "chip") form.kind = control.value;
  if (action === "move-chip") form.by = by;
  if (action === "function") form.function = name;
  if (changed.matches("input") && changed.value !== changed.defaultValue) await store(changed);
  await enqueue(form);
  document.getElementById(changed.id)?.focus();
}

// Keys. ---------------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input, textarea, select");
  const isCommand = event.ctrlKey || event.metaKey;
  if (event.altKey && chip && field === chip && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    event.preventDefault();
    document.querySelector(`#bar [data-by="${event.key === "ArrowLeft" ? -1 : 1}"]`).click();
  } else if (event.key === "Enter" && !event.defaultPrevented && event.target.matches("input") && inRows(event.target)) {
    event.preventDefault();
    store(event.target);
  } else if (isCommand && event.key.toLowerCase() === "z" && !field) {
    event.preventDefault();
    document.getElementById(event.shiftKey ? "redo" : "undo")?.click();
  } else if (!isCommand && !event.altKey && !field) {
    const way = document.querySelector(`#editor [data-key="${CSS.escape(event.key)}"]`);
    if (way) {
      event.preventDefault();
      way.click();
    }
  }
});

// A window that was closed, a failed network or an ended session left text here: store it now. ----------------------------

const yaml = waiting.get("yaml");
waiting.delete("yaml");
if (yaml && yaml.text !== document.getElementById("text").value) {
  document.getElementById("text").value = yaml.text;
  document.querySelector("#yaml [name=base]").value = yaml.base;
  document.getElementById("yaml").open = true;
  say("Not saved: the YAML below. Press Save.", true);
}
if (waiting.size) send();
else if (!yaml) say("Saved");

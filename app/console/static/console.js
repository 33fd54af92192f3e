// Everything here is a convenience: each page works without it.
"use strict";

const REFRESH_MS = 10_000;
const TYPING_MS = 400;
const SHOWN_MS = 100;

// What the first paint does not need waits for it.
const afterPaint = (todo) => requestAnimationFrame(() => setTimeout(todo));

// Times: how long ago, and in the zone that the reader chose: his own or UTC. The first use of `Intl` takes as long as a
// whole page, so that how long ago is said without it. ------------------------------------------------------------------

const ZONE = "pinrelay-zone";
const SHORT = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
const ON_AXIS = ".axis time, #part-table time";
const UNITS = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const chosenZone = () => (localStorage.getItem(ZONE) === "UTC" ? "UTC" : ownZone());
const inUtc = (time) => time.dateTime.replace("T", " ").replace("Z", " UTC");

// The pages are English: so are their times, in the reader's own English where he has one.
function formatOf(options) {
  const english = navigator.languages.find((each) => /^en\b/.test(each)) ?? "en-GB";
  return new Intl.DateTimeFormat(english, { ...options, timeZone: chosenZone() });
}

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1_000);
  const [size, unit] = UNITS.find(([least]) => Math.abs(seconds) >= least) ?? [1, "second"];
  const count = Math.trunc(Math.abs(seconds) / size);
  const span = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${span}` : `${span} ago`;
}

function showAges(root) {
  for (const time of root.querySelectorAll("time")) if (!time.matches(ON_AXIS)) time.textContent = relative(new Date(time.dateTime));
}

function showAxes(root) {
  const times = root.querySelectorAll(ON_AXIS);
  if (!times.length) return;
  const short = formatOf(SHORT);
  for (const time of times) time.textContent = short.format(new Date(time.dateTime));
}

// The exact time, once somebody points at it.
document.addEventListener("pointerover", ({ target }) => {
  const time = target.closest("time");
  if (!time) return;
  const full = formatOf({ dateStyle: "medium", timeStyle: "medium" }).format(new Date(time.dateTime));
  time.title = chosenZone() === "UTC" ? inUtc(time) : `${full}, ${inUtc(time)}`;
});

function startZone(button) {
  const show = () => {
    document.getElementById("zone").textContent = chosenZone();
    button.textContent = `Show ${chosenZone() === "UTC" ? ownZone() : "UTC"}`;
  };
  button.addEventListener("click", () => {
    if (chosenZone() === "UTC") localStorage.removeItem(ZONE);
    else localStorage.setItem(ZONE, "UTC");
    showAxes(document);
    show();
  });
  button.hidden = ownZone() === "UTC";
  show();
}

// Copying. ---------------------------------------------------------------------------------------------------------

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // No clipboard without TLS: select the text instead, so that a key press copies it.
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2_000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

document.addEventListener("click", ({ target }) => document.getElementById(target.closest("[data-opens]")?.dataset.opens)?.showModal());

// `/` leads to the field that finds everything. ------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !find) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  find.focus();
});

// The filter at the head: a choice by mouse or finger applies at once, one by keys waits for the button. The control that
// was used has the focus on the next page, too. --------------------------------------------------------------------------

const FOCUSED = "pinrelay-focus";

function startChoosing(form) {
  const button = form.querySelector("button");
  let isKeyed = false;
  const focused = sessionStorage.getItem(FOCUSED);
  sessionStorage.removeItem(FOCUSED);
  if (focused) form.querySelector(focused)?.focus({ preventScroll: true });
  form.addEventListener("submit", () => {
    const used = form.contains(document.activeElement) ? document.activeElement : null;
    sessionStorage.setItem(FOCUSED, used?.matches("select") ? `[name=${used.name}]` : "summary");
  });
  form.addEventListener("keydown", () => { isKeyed = true; });
  form.addEventListener("pointerdown", () => { isKeyed = false; });
  form.addEventListener("change", () => {
    if (isKeyed) button.classList.add("keyed");
    else form.requestSubmit();
  });
  // The address carries what was chosen, and nothing else.
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

// A menu closes when somebody clicks elsewhere, or with Escape.
document.addEventListener("click", ({ target }) => {
  for (const each of document.querySelectorAll("details:has(> .menu)[open]")) if (!each.contains(target)) each.open = false;
});
document.addEventListener("keydown", ({ key, target }) => {
  const open = key === "Escape" && target.closest("details:has(> .menu)[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// Replacing a part of the page: only what changed, keeping focus, open details and scroll. -------------------------

function replacePart(old, fresh) {
  const open = [...old.querySelectorAll("details")].map((each) => each.open);
  [...fresh.querySelectorAll("details")].forEach((each, place) => { if (place in open) each.open = open[place]; });
  if (old.matches("details")) fresh.open = old.open;
  const scrolls = [...old.querySelectorAll(".scroller")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = old.contains(document.activeElement) ? placeOf(document.activeElement, old) : -1;
  old.replaceWith(fresh);
  [...fresh.querySelectorAll(".scroller")].forEach((each, place) => each.scrollTo(...(scrolls[place] ?? [0, 0])));
  if (focused >= 0) focusable(fresh)[focused]?.focus({ preventScroll: true });
}

function focusable(root) {
  return [root, ...root.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")];
}

function placeOf(element, root) {
  return focusable(root).indexOf(element);
}

function prepare(root) {
  // What is put into the page later is shown at once.
  if (root !== document) document.body.classList.add("shown");
  showAges(root);
  afterPaint(() => {
    startCharts(root);
    showAxes(root);
  });
}

// The overview and the live tail refresh themselves. ---------------------------------------------------------------

function startRefreshing(live, button) {
  let on = true;
  let tag = "";
  const seen = new Map([...live.querySelectorAll("[id^=part-]")].map((part) => [part.id, part.innerHTML]));

  async function refresh() {
    if (!on || document.hidden || String(getSelection())) return;
    const asked = { credentials: "same-origin", cache: "no-store", headers: { "If-None-Match": tag } };
    const answer = await fetch(live.dataset.live, asked).catch(() => null);
    if (answer?.redirected) return location.reload();
    const isSame = answer?.status === 304;
    live.classList.toggle("stale", !answer?.ok && !isSame);
    if (!answer?.ok) return;
    tag = answer.headers.get("ETag") ?? "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const parts = [...page.querySelectorAll("[id^=part-]")];
    // A part that came or went changes the whole arrangement: then the page is loaded anew.
    if (parts.map((part) => part.id).join() !== [...live.querySelectorAll("[id^=part-]")].map((part) => part.id).join()) {
      return location.reload();
    }
    for (const part of parts) update(part);
  }

  function update(part) {
    const text = part.innerHTML;
    if (seen.get(part.id) === text) return;
    seen.set(part.id, text);
    prepare(part);
    replacePart(document.getElementById(part.id), document.adoptNode(part));
  }

  button.addEventListener("click", () => {
    on = !on;
    button.textContent = `Auto-refresh: ${on ? "on" : "off"}`;
  });
  setInterval(refresh, Number(live.dataset.every ?? REFRESH_MS));
}

// What was typed into the tester is kept in this tab, until it is put away or somebody logs out. ------------------

const TYPED = "pinrelay-typed";
const BROUGHT_BACK = "&again=yes".length;

function keepTyped(form) {
  const typed = new FormData(form);
  // What the server takes no form of would lead nowhere when it is brought back.
  if (String(new URLSearchParams(typed)).length > form.dataset.most - BROUGHT_BACK) sessionStorage.removeItem(TYPED);
  else sessionStorage.setItem(TYPED, JSON.stringify(Object.fromEntries(typed)));
}

function bringBackTyped(form) {
  const typed = JSON.parse(sessionStorage.getItem(TYPED) ?? "null");
  if (!typed) return;
  const again = document.createElement("form");
  again.method = "post";
  again.action = form.action;
  for (const [name, value] of Object.entries({ ...typed, again: "yes" })) {
    const field = document.createElement("textarea");
    field.name = name;
    field.value = value;
    again.append(field);
  }
  again.hidden = true;
  document.body.append(again);
  again.submit();
}

if (new URLSearchParams(location.search).has("anew")) sessionStorage.removeItem(TYPED);
document.querySelector('form[action$="/logout"]')?.addEventListener("submit", () => sessionStorage.removeItem(TYPED));

// The tester shows the effect of a change at once. ---------------------------------------------------------------

function startTesting(form) {
  let timer = 0;
  let latest = 0;
  const note = document.getElementById("unanswered");
  const silent = note.textContent;

  // Why there is no result; what was typed stays.
  function tell(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  async function run(submitter) {
    const mine = ++latest;
    const fields = new URLSearchParams(new FormData(form));
    if (submitter?.name) fields.set(submitter.name, submitter.value);
    const old = document.getElementById("result");
    old.classList.add("stale");
    const answer = await fetch(form.action, { method: "POST", body: fields }).catch(() => null);
    if (mine !== latest) return;
    if (!answer) return tell(silent);
    if (answer.redirected) return location.assign(answer.url); // to log in again: what was typed comes back then
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("result");
    tell(fresh ? "" : page.querySelector(".problem p")?.textContent ?? silent);
    if (!fresh) return;
    prepare(fresh);
    // Which presets stand where may have changed: details open as the page says.
    document.getElementById("result").replaceWith(document.adoptNode(fresh));
    document.getElementById("answer")?.scrollIntoView({ block: "nearest" });
    if (submitter?.name === "send") document.querySelector(`[name=send][value="${CSS.escape(submitter.value)}"]`)?.focus();
  }

  form.addEventListener("input", (event) => {
    keepTyped(form);
    clearTimeout(timer);
    if (event.target.matches("textarea")) timer = setTimeout(run, TYPING_MS);
  });
  form.elements.draft_file.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("submit", (event) => {
    const submitter = event.submitter;
    clearTimeout(timer);
    if (submitter?.matches(".main, [name=send]")) {
      event.preventDefault();
      run(submitter);
    }
  });
}

// A file that is sent stays chosen, so that its columns can be named and it can be sent again. ---------------------------

function startUploading(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button.main");
    button.disabled = true;
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
    button.disabled = false;
    if (!answer || answer.redirected) return form.submit();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("outcome") ?? page.querySelector(".problem");
    fresh.id = "outcome";
    prepare(fresh);
    document.getElementById("outcome").replaceWith(document.adoptNode(fresh));
    if (fresh.querySelector("[role=alert]")) form.querySelector("details").open = true;
    fresh.scrollIntoView({ block: "nearest" });
  });
}

// The theme: system, light, dark. The server reads the cookie, so that no page is painted in another. ---------------------

document.getElementById("theme").addEventListener("click", ({ currentTarget }) => {
  const themes = ["system", "light", "dark"];
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % themes.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  const kept = next === "system" ? 0 : 31_536_000;
  document.cookie = `pinrelay-theme=${next}; path=${document.querySelector(".brand").pathname}; max-age=${kept}; samesite=lax`;
  currentTarget.querySelector("span").textContent = next;
});

// What opens or is laid out anew is shown at once, too.
setTimeout(() => document.body.classList.add("shown"), SHOWN_MS);
afterPaint(() => startZone(document.getElementById("other-zone")));
const chosen = document.getElementById("chosen");
if (chosen) startChoosing(chosen);
const live = document.getElementById("live");
if (live) startRefreshing(live, document.getElementById("refresh"));
const upload = document.getElementById("upload");
if (upload) startUploading(upload);
const tester = document.getElementById("tester");
if (tester) startTesting(tester);
if (tester && "opened" in tester.dataset) keepTyped(tester);
if (tester && "fresh" in tester.dataset) bringBackTyped(tester);
// Last: what refreshes is compared with what the server sent, before it was prepared.
prepare(document);

// Everything here is a convenience: each page works without it.
"use strict";

const REFRESH_MS = 10_000;
const TYPING_MS = 400;

// Times: how long ago, and in the zone that the reader chose: his own or UTC. ------------------------------------

const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ZONE = "pinrelay-zone";
const chosenZone = () => (localStorage.getItem(ZONE) === "UTC" ? "UTC" : OWN_ZONE);
const SHORT = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };

// The pages are English: so are their times, in the reader's own English where he has one.
const ENGLISH = navigator.languages.find((each) => /^en\b/.test(each)) ?? "en-GB";
const ago = new Intl.RelativeTimeFormat(ENGLISH, { numeric: "always" });
const UNITS = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1_000);
  const [size, unit] = UNITS.find(([least]) => Math.abs(seconds) >= least) ?? [1, "second"];
  return ago.format(Math.trunc(seconds / size), unit);
}

function localise(root) {
  const timeZone = chosenZone();
  const full = new Intl.DateTimeFormat(ENGLISH, { dateStyle: "medium", timeStyle: "medium", timeZone });
  const short = new Intl.DateTimeFormat(ENGLISH, { ...SHORT, timeZone });
  for (const time of root.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    time.dataset.time ||= time.textContent;
    time.title = timeZone === "UTC" ? time.dataset.time : `${full.format(at)}, ${time.dataset.time}`;
    time.textContent = time.closest(".axis, #part-table") ? short.format(at) : relative(at);
  }
}

function startZone(button) {
  const show = () => {
    document.getElementById("zone").textContent = chosenZone();
    button.textContent = `Show ${chosenZone() === "UTC" ? OWN_ZONE : "UTC"}`;
  };
  button.addEventListener("click", () => {
    if (chosenZone() === "UTC") localStorage.removeItem(ZONE);
    else localStorage.setItem(ZONE, "UTC");
    localise(document);
    show();
  });
  button.hidden = OWN_ZONE === "UTC";
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

function reveal(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

// `/` leads to the field that finds everything. ------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !find) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  find.focus();
});

// The filter at the head: a choice by mouse or finger applies at once, one by keys waits for the button. ----------------

function startChoosing(form) {
  const button = form.querySelector("button");
  let isKeyed = false;
  button.hidden = true;
  form.addEventListener("keydown", () => { isKeyed = true; });
  form.addEventListener("pointerdown", () => { isKeyed = false; });
  form.addEventListener("change", () => {
    if (isKeyed) button.hidden = false;
    else form.requestSubmit();
  });
  // The address carries what was chosen, and nothing else.
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

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
  startCharts(root);
  localise(root);
  reveal(root);
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

  button.hidden = false;
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

// The theme: system, light, dark. ----------------------------------------------------------------------------------

function startTheme(button) {
  const themes = ["system", "light", "dark"];
  const show = () => { button.querySelector("span").textContent = document.documentElement.dataset.theme ?? "system"; };
  button.addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "system";
    const next = themes[(themes.indexOf(now) + 1) % themes.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    localStorage.setItem("pinrelay-theme", next);
    show();
  });
  button.hidden = false;
  show();
}

startZone(document.getElementById("other-zone"));
startTheme(document.getElementById("theme"));
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

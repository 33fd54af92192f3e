// The visual editor: edits without leaving the page, what they do while one types, and keys. Each works without it.
"use strict";

const TYPED_MS = 60;

async function show(answer, root) {
  if (!answer) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("editor");
  if (!fresh) return location.reload();
  replacePart(root, fresh);
  prepare(fresh);
  if (answer.ok && answer.redirected) history.replaceState(null, "", answer.url);
}

function send(form, button, more = {}) {
  const body = new URLSearchParams(new FormData(form, button));
  if (button?.name) body.set(button.name, button.value);
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  return fetch(form.action, { method: "POST", body, credentials: "same-origin" }).catch(() => null);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("#editor form[data-edit]");
  if (!form) return;
  event.preventDefault();
  await show(await send(form, event.submitter), document.getElementById("editor"));
});

// What is chosen applies at once, by mouse; keys wait for the button, so that arrows can walk the choices.
document.addEventListener("change", (event) => {
  const select = event.target.closest("#editor select");
  if (!select) return;
  if (select.name === "kind") {
    const form = select.form;
    form.classList.toggle("choosing", select.value !== "default");
    if (select.value === "default") form.requestSubmit();
    else form.elements.value?.focus();
  } else if (select.name === "sample") {
    location.href = `${select.form.action}?${new URLSearchParams(new FormData(select.form))}`;
  }
});

// While one types: the effect and what is found, and nothing else. ------------------------------------------------

let typing = 0;
let asked = 0;

document.addEventListener("input", (event) => {
  const form = event.target.closest("#editor form[data-live]");
  if (!form || event.target.matches("select[name=kind]")) return;
  if (event.target.name === "function") {
    form.querySelector(".more").hidden = !("more" in event.target.selectedOptions[0].dataset);
  }
  clearTimeout(typing);
  typing = setTimeout(() => peek(form), TYPED_MS);
});

async function peek(form) {
  const number = ++asked;
  const answer = await send(form, null, { peek: "yes" });
  if (!answer || number !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("#effect, #takes, #told, #editor .found[id]")) {
    const fresh = page.getElementById(old.id);
    if (fresh && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
  }
}

// Keys. -----------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const inField = event.target.closest("input, textarea, select");
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && event.key.toLowerCase() === "z" && !inField) {
    event.preventDefault();
    document.getElementById(event.shiftKey ? "redo" : "undo")?.click();
  } else if (isCommand && event.key === "Enter" && inField?.form?.matches("[data-live]")) {
    event.preventDefault();
    peek(inField.form);
  } else if (!isCommand && !event.altKey && !inField) {
    const way = document.querySelector(`#editor [data-key="${CSS.escape(event.key)}"]`);
    if (way) {
      event.preventDefault();
      way.click();
    }
  }
});

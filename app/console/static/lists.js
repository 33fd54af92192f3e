// Lists and ids: a convenience, each page works without it.
"use strict";

// A click on an id copies it. ---------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const id = event.target.closest("button[data-text]");
  if (!id) return;
  try {
    await navigator.clipboard.writeText(id.dataset.text);
    id.classList.add("done");
    setTimeout(() => id.classList.remove("done"), 1_500);
  } catch {
    // No clipboard without TLS: show the whole id, selected, so that a key press copies it.
    id.textContent = id.dataset.text;
    getSelection().selectAllChildren(id);
  }
});

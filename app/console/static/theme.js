// Runs before the page is painted, so that the chosen theme does not flash.
"use strict";
{
  const chosen = localStorage.getItem("pinrelay-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}

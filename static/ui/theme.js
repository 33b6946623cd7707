// The switch of colours works without a script: it sends a form, and the page comes back in the colours that were chosen.
// With one the page stays as it is, and what is being typed on it.
"use strict";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.theme");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const chosen = event.submitter.value;
  const body = new FormData(form, event.submitter);
  let answer = null;
  try {
    answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
  } catch {
    return;
  }
  // The address that it sends us back to is the one that we are at.
  if (answer.type !== "opaqueredirect") return location.reload();
  const named = chosen !== "system";
  if (named) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.querySelector("meta[name=color-scheme]").content = named ? chosen : "light dark";
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === event.submitter));
  }
});

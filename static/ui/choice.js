// The list's checkbox in its head chooses all rows of the page; without JavaScript it is not there.
"use strict";

(() => {
  const show = () => {
    for (const all of document.querySelectorAll("[data-choose-all]")) all.hidden = false;
  };
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-choose-all]")) return;
    const list = event.target.closest("[role=table]");
    for (const box of list.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  });
  document.addEventListener("page:swapped", show);
  show();
})();

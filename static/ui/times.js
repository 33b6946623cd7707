// Times in the reader's own zone, UTC on hover. Without JavaScript they stay in UTC, as the page says.
"use strict";

(() => {
  const two = (number) => String(number).padStart(2, "0");

  function local(at) {
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  }

  function translate(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = `${time.textContent.trim()} UTC`;
      time.textContent = local(at);
      time.dataset.local = "";
      const after = time.nextSibling;
      if (after && after.nodeType === Node.TEXT_NODE) after.data = after.data.replace(/^ UTC\b/, "");
    }
    for (const head of root.querySelectorAll("th, dt, [role=columnheader]")) {
      const last = head.lastChild;
      if (last && last.nodeType === Node.TEXT_NODE) last.data = last.data.replace(/ \(UTC\)\s*$/, "");
    }
    for (const cell of root.querySelectorAll("[data-label$=' (UTC)']")) {
      cell.dataset.label = cell.dataset.label.slice(0, -" (UTC)".length);
    }
  }

  // One rule for all that a page says: sentences tell their times as text, and these become times of their own. What is
  // quoted stays as it was written: data, code, documentation, what is being typed.
  const TOLD = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/;

  const QUOTED = "time, pre, code, svg, textarea, select, .prose";

  function mark(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const found = TOLD.exec(text.data);
      if (!found || text.parentElement.closest(QUOTED)) continue;
      const told = text.splitText(found.index);
      told.splitText(found[0].length);
      const time = document.createElement("time");
      time.dateTime = `${found[1]}T${found[2]}Z`;
      time.textContent = `${found[1]} ${found[2]}`;
      told.replaceWith(time);
      walker.currentNode = time;
    }
  }

  function read(root) {
    mark(root);
    translate(root);
  }

  read(document.querySelector("main"));
  document.addEventListener("page:swapped", (event) => read(event.target));
  document.addEventListener("htmx:afterSwap", (event) => read(event.target));
})();

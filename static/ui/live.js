// Live pages. <body data-live="address of a stream"> says where changes are announced; on each one the page asks for
// itself again, at most once in data-live-pace milliseconds, and every element with an id and the attribute data-region
// is replaced by its new form. Where no stream can be had, the page asks every few seconds instead. An element with
// data-live-status says which of the two it is. An element that was replaced gets the event "page:swapped".
"use strict";

(() => {
  const address = document.body.dataset.live;
  if (!address) return;

  const POLL = 5000;
  const SOONEST = Number(document.body.dataset.livePace) || 1000;
  let stream = null;
  let poll = null;
  let last = 0;
  let planned = null;
  let asking = false;

  function say(words) {
    for (const element of document.querySelectorAll("[data-live-status]")) element.textContent = words;
  }

  function plan() {
    if (planned !== null) return;
    planned = setTimeout(refresh, Math.max(0, last + SOONEST - Date.now()));
  }

  async function refresh() {
    planned = null;
    if (asking) return plan();
    asking = true;
    last = Date.now();
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      if (response.redirected && new URL(response.url).pathname !== location.pathname) return leave();
      if (response.status === 403 || response.status === 404) return leave();
      if (response.ok) replace(new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch {
      // The server is away for a moment: the next change or poll asks again.
    } finally {
      asking = false;
    }
  }

  function leave() {
    stop();
    say("No longer live: load the page again");
  }

  function replace(fresh) {
    document.title = fresh.title;
    for (const region of document.querySelectorAll("[data-region][id]")) {
      const next = fresh.getElementById(region.id);
      if (!next || isBeingEdited(region) || region.isEqualNode(next)) continue;
      keep(region, next);
      const focused = region.contains(document.activeElement) ? nameOf(document.activeElement) : null;
      region.replaceWith(next);
      if (focused) next.querySelector(focused)?.focus({ preventScroll: true });
      if (window.htmx) window.htmx.process(next);
      next.dispatchEvent(new CustomEvent("page:swapped", { bubbles: true }));
    }
    // The page that came may no longer be a live one: what it showed has ended.
    if (!fresh.body.dataset.live) {
      stop();
      say("");
    }
  }

  function isBeingEdited(region) {
    const inside = document.activeElement;
    return region.contains(inside) && inside.matches("input:not([type=checkbox]), textarea, select");
  }

  function nameOf(element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const href = element.getAttribute("href");
    return href ? `a[href="${CSS.escape(href)}"]` : null;
  }

  function keep(old, next) {
    const opened = new Map();
    const keyOf = (details, index) => details.id || `${index} ${details.querySelector("summary")?.textContent}`;
    old.querySelectorAll("details").forEach((each, index) => opened.set(keyOf(each, index), each.open));
    next.querySelectorAll("details").forEach((each, index) => {
      const known = opened.get(keyOf(each, index));
      if (known !== undefined) each.open = known;
    });
    const ticked = new Set(
      [...old.querySelectorAll("input[type=checkbox]:checked")].map((each) => `${each.name} ${each.value}`),
    );
    for (const box of next.querySelectorAll("input[type=checkbox]")) {
      if (ticked.has(`${box.name} ${box.value}`)) box.checked = true;
    }
    const scrolled = old.querySelectorAll(".scroll");
    next.addEventListener("page:swapped", () => {
      next.querySelectorAll(".scroll").forEach((each, index) => {
        if (!scrolled[index]) return;
        each.scrollLeft = scrolled[index].dataset.left || 0;
        each.scrollTop = scrolled[index].dataset.top || 0;
      });
    });
    scrolled.forEach((each) => {
      each.dataset.left = each.scrollLeft;
      each.dataset.top = each.scrollTop;
    });
  }

  function listen() {
    stream = new EventSource(address);
    stream.addEventListener("open", () => {
      stopPolling();
      say("Live");
    });
    stream.addEventListener("changed", plan);
    stream.addEventListener("error", () => {
      // Closed for good (refused, or no streams here): ask now and then. Otherwise the browser connects again.
      if (stream && stream.readyState === EventSource.CLOSED) stream = null;
      startPolling();
    });
  }

  function startPolling() {
    if (poll !== null) return;
    say(`Refreshed every ${POLL / 1000} seconds`);
    poll = setInterval(plan, POLL);
  }

  function stopPolling() {
    clearInterval(poll);
    poll = null;
  }

  function stop() {
    if (stream) stream.close();
    stream = null;
    stopPolling();
  }

  // A browser has few connections to one server: pages that nobody looks at give theirs back.
  document.addEventListener("visibilitychange", () => {
    if (!document.body.dataset.live) return;
    if (document.hidden) {
      stop();
    } else {
      plan();
      listen();
    }
  });
  window.addEventListener("pagehide", stop);
  if (!document.hidden) listen();
})();

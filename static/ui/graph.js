// Graphs that are wider or higher than their box open where the action is: at the piece that has data-here. One that is
// only a little wider is drawn smaller instead. Without JavaScript they open at their upper left corner; the keys scroll.
"use strict";

(() => {
  const SMALLEST = 0.75;

  function fit(box, graph) {
    const room = box.clientWidth - 2 * parseFloat(getComputedStyle(box).paddingLeft);
    const share = room / graph.width.baseVal.value;
    if (share < 1 && share >= SMALLEST) graph.classList.add("fitted");
  }

  function open(box, here) {
    const outer = box.getBoundingClientRect();
    const inner = here.getBoundingClientRect();
    box.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
    // At the side nothing is lost by being in the middle; from above people read on.
    if (inner.bottom > outer.bottom) box.scrollTop += inner.top + inner.height / 2 - (outer.top + outer.height / 2);
  }

  function each(root, act) {
    for (const graph of root.querySelectorAll("svg.graph")) act(graph.closest(".graph-box"), graph);
  }

  each(document, (box, graph) => {
    fit(box, graph);
    const here = graph.querySelector("[data-here]");
    if (here) open(box, here);
  });
  // A new form of the graph stays where its reader has scrolled to.
  document.addEventListener("page:swapped", (event) => each(event.target, fit));
})();

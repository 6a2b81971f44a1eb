// On every page: what a mark or a note means, where the pointer or the keyboard is. Its words are the legend's, to which it links.
(() => {
  "use strict";
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let shown = null;

  function hide() {
    if (shown) shown.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  }

  function show(link) {
    const entry = document.getElementById(link.hash.slice(1));
    if (!entry) return;
    hide();
    shown = link;
    tip.textContent = entry.textContent.trim();
    tip.hidden = false;
    link.setAttribute("aria-describedby", "tip");
    const at = link.getBoundingClientRect();
    const width = tip.offsetWidth;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
    const below = at.bottom + 4 + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - tip.offsetHeight - 4)}px`;
  }

  const marked = (event) => event.target instanceof Element && event.target.closest("a.why");
  document.addEventListener("focusin", (event) => (marked(event) ? show(marked(event)) : hide()));
  document.addEventListener("mouseover", (event) => {
    if (marked(event)) show(marked(event));
    else if (shown && !tip.contains(event.target) && document.activeElement !== shown) hide();
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("scroll", hide, true);
  document.addEventListener("click", (event) => {
    const link = marked(event);
    if (!link) return;
    // The address keeps the choice of rows and columns: it is not the legend's to change.
    event.preventDefault();
    hide();
    const entry = document.getElementById(link.hash.slice(1));
    entry.scrollIntoView({ block: "center" });
    entry.focus({ preventScroll: true });
  });
})();

"""How the HTML report looks and what it does. Constant texts: no name and no number of a run ever gets into them."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1a1a1a; --faint: #5a5a5a; --line: #0003; --check: #e4e4e4; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15171a; --text: #e6e6e6; --faint: #a8a8a8; --line: #fff4; --check: #2c2f33; }
}
body { margin: 0 auto; padding: 1rem; max-width: 110rem; background: var(--ground); color: var(--text);
  font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; }
h2 { margin: .5rem 0 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
li p, #says { color: var(--faint); }
select, button { font: inherit; }
:focus-visible { outline: 3px solid #2f7fd8; outline-offset: 2px; }
#images { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(336px, 100%), 1fr)); gap: 1.5rem;
  padding: 0; list-style: none; }
.pair { display: inline-grid; position: relative; max-width: 100%; border: 1px solid var(--line);
  background: repeating-conic-gradient(var(--check) 0 25%, var(--ground) 0 50%) 0 0 / 16px 16px; }
.pair img { grid-area: 1 / 1; display: block; max-width: 100%; height: auto; }
.compare .pair img:last-of-type { clip-path: inset(0 0 0 var(--seen, 50%)); }
.compare .pair::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--seen, 50%); width: 2px;
  margin-left: -1px; background: #d33; pointer-events: none; }
.compare .pair img:first-of-type { clip-path: inset(0 calc(100% - var(--seen, 50%)) 0 0); }
.compare label { display: flex; gap: .5rem; align-items: center; max-width: 322px; color: var(--faint); }
.compare input { flex: 1; min-width: 0; }
.none { display: grid; place-items: center; width: 320px; max-width: 100%; height: 120px; color: var(--faint);
  border: 1px dashed var(--line); }
dialog { width: min(96vw, 110rem); max-width: none; height: 94vh; max-height: none; box-sizing: border-box;
  border: 1px solid var(--line); background: var(--ground); color: var(--text); }
dialog[open] { display: flex; flex-direction: column; gap: .5rem; }
dialog form { display: flex; gap: 1rem; justify-content: space-between; align-items: start; }
dialog .compare { display: flex; flex-direction: column; gap: .5rem; min-height: 0; flex: 1; }
dialog .compare label { max-width: none; }
.scrolled { overflow: auto; flex: 1; }
.scrolled .pair, .scrolled .pair img { max-width: none; }
"""

SCRIPT = """
"use strict";
(() => {
  const [list, order, says, viewer] = ["images", "order", "says", "viewer"].map((id) => document.getElementById(id));
  const rank = (item) => Number(item.dataset.ranks.split(" ")[order.selectedIndex]);
  const sort = () => {
    list.replaceChildren(...[...list.children].sort((one, other) => rank(one) - rank(other)));
    says.textContent = order.selectedOptions[0].dataset.says;
  };
  const edge = (range, scrolled) => {
    if (!scrolled) return `${range.value}%`;
    const width = Math.min(scrolled.clientWidth, scrolled.firstElementChild.offsetWidth);
    return `${scrolled.scrollLeft + width * range.value / 100}px`;
  };
  const show = (range) => {
    const box = range.closest(".compare");
    box.style.setProperty("--seen", edge(range, box.querySelector(".scrolled")));
    range.setAttribute("aria-valuetext", `${range.value} % before, ${100 - range.value} % after`);
  };
  const view = ({name, before, after}) => {
    document.getElementById("viewed").textContent = name;
    const [left, right] = viewer.querySelectorAll("img");
    [left.src, right.src] = [before, after];
    viewer.showModal();
    viewer.querySelector("input").focus();
  };
  order.addEventListener("change", sort);
  document.addEventListener("input", ({target}) => { if (target.type === "range") show(target); });
  list.addEventListener("click", ({target}) => { if (target.dataset.before) view(target.dataset); });
  const again = () => show(viewer.querySelector("input"));
  viewer.querySelector(".scrolled").addEventListener("scroll", again);
  viewer.querySelectorAll("img").forEach((image) => image.addEventListener("load", again));
  window.addEventListener("resize", again);
  document.querySelectorAll("input[type=range]").forEach(show);
  sort();
})();
"""

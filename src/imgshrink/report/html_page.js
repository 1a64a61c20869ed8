/* The HTML report. No name and no number of a run is ever inserted here: the page's policy holds the hash of this file. */
"use strict";
(() => {
  const [list, order, description, viewer] = ["images", "order", "description", "viewer"].map((id) => document.getElementById(id));
  const rank = (item) => Number(item.dataset.ranks.split(" ")[order.selectedIndex]);
  const sort = () => {
    list.replaceChildren(...[...list.children].sort((one, other) => rank(one) - rank(other)));
    description.textContent = order.selectedOptions[0].dataset.description;
  };
  const dividerPosition = (range, scrolled) => {
    if (!scrolled) return `${range.value}%`;
    const width = Math.min(scrolled.clientWidth, scrolled.firstElementChild.offsetWidth);
    return `${scrolled.scrollLeft + width * range.value / 100}px`;
  };
  const update = (range) => {
    const box = range.closest(".compare");
    box.style.setProperty("--seen", dividerPosition(range, box.querySelector(".scrolled")));
    range.setAttribute("aria-valuetext", `${range.value} % before, ${100 - range.value} % after`);
  };
  const openViewer = ({name, before, after}) => {
    document.getElementById("viewed").textContent = name;
    const [left, right] = viewer.querySelectorAll("img");
    [left.src, right.src] = [before, after];
    viewer.showModal();
    viewer.querySelector("input").focus();
  };
  order.addEventListener("change", sort);
  document.addEventListener("input", ({target}) => { if (target.type === "range") update(target); });
  list.addEventListener("click", ({target}) => { if (target.dataset.before) openViewer(target.dataset); });
  const updateViewer = () => update(viewer.querySelector("input"));
  viewer.querySelector(".scrolled").addEventListener("scroll", updateViewer);
  viewer.querySelectorAll("img").forEach((image) => image.addEventListener("load", updateViewer));
  window.addEventListener("resize", updateViewer);
  document.querySelectorAll("input[type=range]").forEach(update);
  sort();
})();

"use strict";
// Lays the two images of a pair over each other, with a line between them to drag. Without it they stand side by side.
function lay(pair) {
  const [before, after] = pair.querySelectorAll("img");
  if (!after || pair.classList.contains("laid")) return;
  const line = document.createElement("input");
  Object.assign(line, { type: "range", min: 0, max: 100, step: "any", value: 50 });
  line.setAttribute("aria-label", "Where the image as committed ends, and the one as published begins");
  const place = () => {
    pair.style.setProperty("--at", `${line.value}%`);
    line.setAttribute("aria-valuetext", `${Math.round(line.value)} % as committed`);
  };
  line.addEventListener("input", place);
  after.after(line);
  pair.classList.add("laid");
  place();
}
// What the theme leaves out for people who use a keyboard or a screen reader.
function label() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-typeset__scrollwrap, .highlight code").forEach((box) => box.setAttribute("tabindex", "0"));
}
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("figure.pair").forEach(lay);
  label();
  setTimeout(label, 500); // the theme wraps its tables when it is ready
});

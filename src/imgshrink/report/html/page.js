/* The HTML report. No name and no number of a run is ever inserted here: the page's policy holds the hash of this file. */
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
  const [list, cards, viewer] = ["images", "cards", "viewer"].map(element);
  const stage = viewer.querySelector(".compare");
  const area = viewer.querySelector(".scrolled");
  const pair = area.querySelector(".pair");
  const images = [...pair.querySelectorAll("img")];

  /* The divider: a range holds its position in per cent; what is left of it shows the original. */
  const rangeOf = (box) => box.querySelector("input[type=range]");
  const visible = (box) => {
    if (box !== stage) return {left: 0, width: box.clientWidth, scrolled: 0};
    const width = Math.min(area.clientWidth, pair.offsetWidth);
    return {left: Math.max(0, (area.clientWidth - pair.offsetWidth) / 2), width, scrolled: area.scrollLeft};
  };
  const paint = (box) => {
    const value = Number(rangeOf(box).value);
    const {left, width, scrolled} = visible(box);
    const inStage = box === stage;
    box.style.setProperty("--seen", inStage ? `${scrolled + width * value / 100}px` : `${value}%`);
    box.style.setProperty("--line-at", inStage ? `${left + width * value / 100}px` : `${value}%`);
    if (value > 0 && value < 100) delete box.dataset.side;
    else box.dataset.side = value ? "original" : "result";
    rangeOf(box).setAttribute("aria-valuetext", `${value} % original, ${100 - value} % result`);
  };
  const divide = (box, value) => {
    rangeOf(box).value = value;
    paint(box);
  };
  const dragged = (box, event) => {
    const {left, width} = visible(box);
    divide(box, Math.round(clamp((event.clientX - box.getBoundingClientRect().left - left) / width, 0, 1) * 100));
  };
  const draggable = (box) => {
    box.addEventListener("pointerdown", (event) => {
      const knob = event.target.closest(".knob");
      const scrolls = box === stage && event.pointerType === "touch" && !stage.classList.contains("fits");
      if (event.button || (scrolls && !knob) || !(knob || event.target.closest(".pair"))) return;
      event.preventDefault();
      box.setPointerCapture(event.pointerId);
      rangeOf(box).focus({preventScroll: true});
      dragged(box, event);
    });
    box.addEventListener("pointermove", (event) => {
      if (box.hasPointerCapture(event.pointerId)) dragged(box, event);
    });
  };
  const tags = (box) => {
    for (const words of ["original", "result"]) {
      const tag = document.createElement("span");
      tag.className = `tag ${words}`;
      tag.textContent = words;
      tag.ariaHidden = "true";
      box.append(tag);
    }
  };

  const mark = (box, left, top) => {
    box.querySelectorAll("img").forEach((image) => { image.style.objectPosition = `${left} ${top}`; });
    const ring = document.createElement("i");
    ring.className = "ring";
    Object.assign(ring.style, {left, top});
    box.append(ring);
  };

  /* Flicker: the original while a key or the button is held, the result afterwards. */
  let held = null;
  const hold = (box) => {
    if (!box || held) return;
    held = box;
    divide(box, 100);
  };
  const release = () => {
    if (held) divide(held, 0);
    held = null;
  };
  const meant = () => viewer.open ? stage : document.activeElement.closest(".compare") || document.querySelector(".card:hover .compare");
  const typing = () => document.activeElement.matches("input[type=search], select");
  const plain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || typing());

  /* The viewer: the images of the place where it was opened, one after the other. */
  let shown = [];
  let current = null;
  let zoom = "1";
  const natural = () => ({width: images[0].naturalWidth, height: images[0].naturalHeight});
  const scale = () => {
    const {width, height} = natural();
    return zoom === "fit" ? Math.min(1, area.clientWidth / width, area.clientHeight / height) : Number(zoom);
  };
  const scrollTo = ([x, y], [left, top]) => {
    area.scrollTo({left: x * scale() - left, top: y * scale() - top, behavior: "instant"});
    paint(stage);
  };
  const ring = pair.querySelector(".ring");
  let fading = 0;
  const showPlace = () => {
    scrollTo(place(), middle());
    ring.classList.add("seen");
    clearTimeout(fading);
    fading = setTimeout(() => ring.classList.remove("seen"), 1500);
  };
  const place = () => [Number(current.dataset.x), Number(current.dataset.y)];
  const middle = () => [area.clientWidth / 2, area.clientHeight / 2];
  /* What stays where it is when the size changes: the place if it is in sight, else what is in the middle. */
  const anchor = () => {
    const factor = pair.offsetWidth / natural().width;
    const [left, top] = [Math.max(0, (area.clientWidth - pair.offsetWidth) / 2), Math.max(0, (area.clientHeight - pair.offsetHeight) / 2)];
    const at = [place()[0] * factor + left - area.scrollLeft, place()[1] * factor + top - area.scrollTop];
    if (at[0] >= 0 && at[0] <= area.clientWidth && at[1] >= 0 && at[1] <= area.clientHeight) return [place(), at];
    return [[(area.scrollLeft + area.clientWidth / 2 - left) / factor, (area.scrollTop + area.clientHeight / 2 - top) / factor], middle()];
  };
  const layOut = (point, at) => {
    const {width, height} = natural();
    if (!width) return;
    pair.style.width = `${width * scale()}px`;
    pair.style.height = `${height * scale()}px`;
    pair.classList.toggle("pixelated", scale() >= 2);
    stage.classList.toggle("fits", pair.offsetWidth <= area.clientWidth && pair.offsetHeight <= area.clientHeight);
    viewer.querySelectorAll("[data-zoom]").forEach((one) => one.setAttribute("aria-pressed", one.dataset.zoom === zoom));
    const [x, y] = place();
    Object.assign(ring.style, {left: `${x * scale()}px`, top: `${y * scale()}px`});
    scrollTo(point, at);
  };
  const zoomTo = (wanted) => {
    const kept = anchor();
    zoom = wanted;
    layOut(...kept);
  };
  const first = () => {
    const {width, height} = natural();
    return ["4", "2"].find((factor) => width * factor <= area.clientWidth && height * factor <= area.clientHeight) || "1";
  };
  const action = ([label, text]) => {
    const [item, words, code, button] = ["li", "span", "code", "button"].map((name) => document.createElement(name));
    [words.textContent, code.textContent, button.textContent] = [label, text, "Copy"];
    Object.assign(button, {type: "button", ariaLabel: `Copy: ${label}`, title: text});
    button.dataset.copy = text;
    item.append(words, code, button);
    return item;
  };
  const show = async (item) => {
    current = item;
    const {name, facts, before, after, whole, actions} = item.dataset;
    const at = shown.indexOf(item);
    element("viewed").textContent = name;
    element("facts").textContent = [`${at + 1} of ${shown.length}`, facts, whole && `a part of ${whole} pixels`].filter(Boolean).join(" \u00b7 ");
    element("previous").disabled = at === 0;
    element("next").disabled = at === shown.length - 1;
    element("actions").replaceChildren(...JSON.parse(actions || "[]").map(action));
    if (!viewer.open) viewer.showModal();
    viewer.setAttribute("aria-busy", "true");
    pair.style.visibility = "hidden";
    [images[0].src, images[1].src] = [before, after];
    [images[0].alt, images[1].alt] = [`original: ${name}`, `shrunk: ${name}`];
    await Promise.allSettled(images.map((image) => image.decode()));
    if (current !== item) return;
    pair.style.visibility = "";
    zoom = first();
    layOut(place(), middle());
    showPlace();
    viewer.removeAttribute("aria-busy");
  };
  const step = (by) => {
    const item = shown[shown.indexOf(current) + by];
    if (item) show(item);
  };
  const openFrom = (button) => {
    shown = [...button.closest("ul").children].filter((item) => !item.hidden && item.dataset.before);
    divide(stage, 50);
    show(button.closest("li"));
    rangeOf(stage).focus({preventScroll: true});
  };
  const KEYS = {
    n: () => step(1), p: () => step(-1), w: showPlace,
    0: () => zoomTo("fit"), 1: () => zoomTo("1"), 2: () => zoomTo("2"), 4: () => zoomTo("4"),
  };

  /* Copying: the clipboard, or where the browser refuses it, a selection. */
  const select = (text) => {
    const box = document.createElement("textarea");
    box.value = text;
    (viewer.open ? viewer : document.body).append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  };
  const copy = async (button) => {
    const text = button.dataset.copy;
    const done = await navigator.clipboard.writeText(text).then(() => true, () => select(text));
    const words = button.textContent;
    button.focus();
    element("copied").textContent = done ? `copied: ${text}` : "not copied: the browser does not allow it";
    if (words === "Copied") return;
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = words; }, 1500);
  };

  /* The list: one order, and what the filter leaves. */
  const rank = (item) => Number(item.dataset.ranks.split(" ")[element("order").selectedIndex]);
  const sort = () => {
    list.replaceChildren(...[...list.children].sort((one, other) => rank(one) - rank(other)));
    element("description").textContent = element("order").selectedOptions[0].dataset.description;
  };
  const filter = () => {
    const [part, state] = [element("filter").value.trim().toLowerCase(), element("state").value];
    let left = 0;
    for (const item of list.children) {
      item.hidden = !(item.dataset.name.toLowerCase().includes(part) && (!state || item.dataset.state === state));
      left += !item.hidden;
    }
    const all = list.children.length;
    element("shown").textContent = left === all ? `${all} ${all === 1 ? "image" : "images"}.` : `${left} of ${all} images.`;
  };

  const knob = document.createElement("div");
  knob.className = "knob";
  stage.append(knob);
  for (const box of document.querySelectorAll(".compare")) {
    tags(box);
    draggable(box);
    const {x, y} = box.dataset;
    if (x) mark(box, `${x * 100}%`, `${y * 100}%`);
    paint(box);
  }
  element("order").addEventListener("change", sort);
  element("filter").addEventListener("input", filter);
  element("state").addEventListener("change", filter);
  document.addEventListener("input", ({target}) => { if (target.type === "range") paint(target.closest(".compare")); });
  document.addEventListener("click", ({target}) => {
    if (target.matches("button.open")) openFrom(target);
    else if (target.matches("li[data-before] > .small")) openFrom(target.parentElement.querySelector("button.open"));
    else if (target.dataset.copy) copy(target);
    else if (target.dataset.zoom) zoomTo(target.dataset.zoom);
  });
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!plain(event)) return;
    if (key === "f" && !event.repeat) hold(meant());
    else if (viewer.open && current && KEYS[key]) KEYS[key]();
  });
  document.addEventListener("keyup", ({key}) => { if (key.toLowerCase() === "f") release(); });
  window.addEventListener("blur", release);
  const button = element("hold");
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    hold(stage);
  });
  for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, release);
  button.addEventListener("keydown", ({key}) => { if (key === " " || key === "Enter") hold(stage); });
  button.addEventListener("keyup", ({key}) => { if (key === " " || key === "Enter") release(); });
  element("previous").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  element("place").addEventListener("click", showPlace);
  element("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => {
    release();
    const opener = current && current.querySelector("button.open");
    if (opener) opener.focus();
  });
  area.addEventListener("scroll", () => paint(stage));
  window.addEventListener("resize", () => { if (viewer.open) layOut(...anchor()); });
  sort();
  filter();
})();

"use strict";
const by = (id) => document.getElementById(id);
const here = new URL(".", location.href);
const publicUrl = document.body.dataset.publicUrl;
const inKB = (bytes) => bytes < 1e6 ? `${(bytes / 1e3).toFixed(bytes < 1e5 ? 1 : 0)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
const pause = (seconds) => new Promise((go) => setTimeout(go, seconds * 1000));
let run = 0, shown = [];

function say(text, bad = false) {
  by("said").textContent = text;
  by("said").classList.toggle("bad", bad);
}

async function asked(path, options = {}) {
  const reply = await fetch(new URL(path, here), { ...options, headers: { "X-API-Key": by("key").value.trim() } });
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) {
    const fields = Object.values(body.errors || {}).flat().join(" ");
    throw new Error(`${body.message || `The server answered ${reply.status}`}. ${fields}`.trim());
  }
  return body.data;
}

// A reply names files by the public URL; this page may have been opened under another name of the same server.
const ownUrl = (url) => new URL(url.startsWith(publicUrl) ? url.slice(publicUrl.length).replace(/^\/+/, "") : url, here);

async function finished(id, mine) {
  for (let wait = 0.2; mine === run; wait = Math.min(2, wait * 1.5)) {
    const job = await asked(`api/status/${encodeURIComponent(id)}`);
    if (job.status === "completed") return job;
    if (job.status === "failed") throw new Error(job.message || "The server could not use this image.");
    await pause(wait);
  }
}

async function shrink(file) {
  const mine = ++run;
  by("result").hidden = true;
  if (!by("key").value.trim()) { say("Type an API key first.", true); by("key").focus(); return; }
  try {
    say(`Uploading ${file.name} (${inKB(file.size)}).`);
    const form = new FormData();
    form.append("image", file);
    form.append("quality", by("quality").value);
    const job = await asked("api/optimize", { method: "POST", body: form });
    if (mine === run) say("The server is shrinking it.");
    const done = await finished(job.image_id, mine);
    if (mine !== run) return;
    const reply = await fetch(ownUrl(done.optimized_url));
    if (!reply.ok) throw new Error(`The result could not be fetched: the server answered ${reply.status}.`);
    const small = await reply.blob();
    if (mine === run) show(file, small);
  } catch (error) {
    if (mine === run) say(error instanceof TypeError ? "The server can't be reached." : error.message, true);
  }
}

function show(file, small) {
  shown.forEach((url) => URL.revokeObjectURL(url));
  shown = [file, small].map((blob) => URL.createObjectURL(blob));
  [by("before").src, by("after").src] = shown;
  by("save").href = shown[1];
  by("save").download = file.name;
  const saved = Math.round(100 * (1 - small.size / file.size));
  by("sizes").textContent = small.size < file.size
    ? `${inKB(file.size)} \u2192 ${inKB(small.size)}, ${saved} % smaller`
    : `${inKB(file.size)}: it can't get smaller at this quality`;
  by("result").hidden = false;
  place(50);
  say("");
}

function place(at) {
  const bounded = Math.min(100, Math.max(0, at));
  by("position").value = bounded;
  by("pair").style.setProperty("--at", `${bounded}%`);
}

function drag(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const box = by("pair").getBoundingClientRect();
  place(100 * (event.clientX - box.left) / box.width);
}

by("form").addEventListener("submit", (event) => event.preventDefault());
by("quality").addEventListener("input", () => { by("quality-shown").value = by("quality").value; });
by("position").addEventListener("input", () => place(by("position").value));
by("pair").addEventListener("pointerdown", drag);
by("pair").addEventListener("pointermove", drag);
by("pair").addEventListener("dragstart", (event) => event.preventDefault());
by("file").addEventListener("change", () => { if (by("file").files[0]) shrink(by("file").files[0]); by("file").value = ""; });
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("dragover", () => by("drop").classList.add("over"));
document.addEventListener("dragleave", () => by("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  by("drop").classList.remove("over");
  if (event.dataTransfer.files[0]) shrink(event.dataTransfer.files[0]);
});
fetch(new URL("health", here)).then(
  (reply) => { by("health").textContent = reply.ok ? "\u2013 healthy" : `\u2013 not healthy (${reply.status})`; },
  () => { by("health").textContent = "\u2013 not reachable"; },
);

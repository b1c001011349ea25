// Puts the views together: which one is shown, in which language, and what the box says of itself.

import { Answers } from "./answers.js";
import { Check } from "./check.js";
import { el, setText } from "./dom.js";
import { Ink } from "./ink.js";
import { Link } from "./link.js";
import { Pens } from "./pens.js";
import { Pupil } from "./pupil.js";
import { Sheet } from "./sheet.js";
import { Wall } from "./wall.js";
import { clock, language, load, local, other, paint, t } from "./words.js";

const find = (selector) => document.querySelector(selector);
const ink = new Ink();
const told = { seats: null, questions: null, box: null };
let sheet = new Sheet(null);

await load();
const wall = new Wall(find("#wall"), ink);
const answers = new Answers(find("#answers"));
const pens = new Pens(find("#pens"));
const pupil = new Pupil(find("#pupil"), ink);
const check = new Check(find("#check"));
const views = { wall, answers, pens, check };

function help(name) {
  const node = views[name].help;
  node.hidden = localStorage.getItem(`help-${name}`) === "read";
  const close = () => {
    localStorage.setItem(`help-${name}`, "read");
    node.hidden = true;
    wall.lay();
  };
  node.replaceChildren(
    el("span", {}, t(`help.${name}`)),
    el("button", { type: "button", class: "quiet", onclick: close }, t("help.close")),
  );
}

function where() {
  const seat = /^#seat-(\d+)$/.exec(location.hash);
  if (seat) return { name: "pupil", seat: Number(seat[1]) };
  const name = location.hash.slice(1);
  return { name: name in views ? name : "wall", seat: null };
}

function route() {
  const { name, seat } = where();
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#${name}` || (name === "pupil" && link.hash === "#wall");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name === "pupil") pupil.open(seat);
  else pupil.close();
  if (name === "check") check.open();
  window.scrollTo(0, 0);
  draw();
  wall.lay();
  wall.redraw();
}

function draw() {
  if (told.seats) {
    wall.onSeats(told.seats);
    pupil.onSeats(told.seats);
  }
  if (told.questions) wall.onQuestions(told.questions);
  answers.draw(told.questions, sheet);
  pens.draw(told.seats, told.box);
  if (told.box) drawBox(told.box);
}

function drawBox(box) {
  const { lesson } = box;
  const title = lesson ? local(lesson.title) : t("lesson.none");
  setText(find("#title"), title);
  document.title = `${title} · ${t("app.title")}`;
  const minute = { seconds: false };
  setText(
    find("#since"),
    !lesson ? "" : lesson.stopped_ms ? t("lesson.ended", { time: clock(lesson.stopped_ms, minute) }) : t("lesson.since", { time: clock(lesson.started_ms, minute) }),
  );
  const lines = box.warnings.map((warning) => el("li", { class: "warning" }, `⚠ ${t(warning.code, warning.params)}`));
  const list = find("#warnings");
  const changed = list.textContent !== lines.map((line) => line.textContent).join("");
  if (changed) list.replaceChildren(...lines);
  if (list.hidden !== (lines.length === 0)) list.hidden = lines.length === 0;
  const link = find("nav a[href='#check']");
  link.hidden = box.unsure === 0 && where().name !== "check";
  setText(find("#unsure"), box.unsure ? String(box.unsure) : "");
  wall.onLesson(box);
  check.onBox(box);
  drawUplink(box);
}

function drawUplink(box) {
  const parts = [];
  if (box.pens_with_memory) parts.push(t("box.in_pens", { n: box.pens_with_memory, strokes: box.strokes_in_pens }));
  if (box.results_waiting) parts.push(t("box.reading", { n: box.results_waiting }));
  if (box.outbox_depth) {
    const results = t("box.results", { n: box.outbox_depth });
    const minutes = box.outbox_oldest_min;
    parts.push(minutes ? t("box.results_old", { results, minutes }) : results);
  } else if (box.lesson) parts.push(t("box.sent"));
  setText(find("#uplink"), parts.join(" · "));
}

function onMessage(message) {
  told[message.t] = message;
  if (message.t === "box" && message.lesson?.id !== sheet.id) {
    sheet = new Sheet(message.lesson);
    wall.sheet = pupil.sheet = sheet;
    wall.redraw();
    if (ink.seq !== null) link.askAgain();
  }
  if (message.t === "questions") pupil.prompts = new Map(message.questions.map((question) => [question.field, question.prompt]));
  draw();
}

function onInk(added) {
  wall.onInk(added);
  pupil.onInk(added);
}

function onLive(word, boxMs) {
  const node = find("#link");
  node.dataset.live = word;
  const time = boxMs === null ? "" : clock(boxMs);
  setText(node, `${word === "live" ? "●" : "○"} ${t(word === "live" ? "link.live" : "link.opening")}`);
  const stale = find("#stale");
  stale.hidden = word !== "stale";
  setText(stale, word === "stale" ? `⚠ ${t("link.stale", { time })}` : "");
  find("main").classList.toggle("old", word === "stale");
  wall.lay();
}

function repaint() {
  paint();
  find("#language").setAttribute("aria-label", `${t("app.language")}: ${t("app.language_label")}`);
  for (const name of Object.keys(views)) help(name);
  wall.paint();
  pens.repaint();
  pupil.paint();
  check.paint();
  draw();
  if (link) onLive(link.live, link.boxMs);
  wall.lay();
  wall.redraw();
}

find("#language").addEventListener("click", async () => {
  await load(other());
  repaint();
  if (where().name === "check") check.card.focus({ preventScroll: true });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  wall.recolor();
  wall.redraw();
  pupil.redraw();
  check.redraw();
});
window.addEventListener("hashchange", route);
window.addEventListener("resize", () => wall.lay());
window.addEventListener("keydown", (event) => {
  if (where().name !== "pupil" || /INPUT|SELECT/.test(event.target.tagName)) return;
  if (event.key === "Escape") location.hash = "#wall";
  if (event.key === "ArrowLeft") pupil.previous.click();
  if (event.key === "ArrowRight") pupil.next.click();
});

wall.sheet = pupil.sheet = sheet;
let link = null;
repaint();
route();
link = new Link(ink, { onInk, onMessage, onLive });
window.inkgate = { link, ink, language: () => language };

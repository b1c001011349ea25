// One pupil's page: the ink over the printed fields, its replay, and what was read.

import { el, setText } from "./dom.js";
import { color, drawStroke, fit, sized } from "./ink.js";
import { drawPrint } from "./sheet.js";
import { clock, has, language, local, t } from "./words.js";

const PAUSE_MS = 1200;
const REFRESH_MS = 1000;
const SPEEDS = [1, 2, 4, 8];
const RIGHT = new Set(["answered", "marked"]);
const STATE_MARKS = { answered: "✓", marked: "✓", unsure: "?", not_captured: "⚠", no_pen: "⚠", blank: "○" };

/** Long pauses are cut short, so that a replay shows writing: [stroke, dot, ms of the replay, ms of the clock]. */
function timeline(strokes) {
  const moments = [];
  let played = 0;
  let before = null;
  for (const stroke of strokes) {
    let at = stroke.atMs;
    for (let i = 0; i < stroke.dots.length / 4; i += 1) {
      if (i > 0) at += stroke.dots[4 * i + 3];
      if (before !== null) played += Math.min(Math.max(at - before, 0), PAUSE_MS);
      before = at;
      moments.push({ stroke, dot: i, played, at });
    }
  }
  return moments;
}

const seconds = (ms) => (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);

/** How the pupil worked on it, each figure with its error; with ink missing, as what it is at least and at most. */
function evidence(its) {
  const least = its.complete ? "" : "_least";
  const facts = [];
  if (its.first_touch_least_ms < its.first_touch_ms) {
    facts.push(t("evidence.first_touch_span", { from: clock(its.first_touch_least_ms), to: clock(its.first_touch_ms) }));
  } else {
    facts.push(t("evidence.first_touch", { time: clock(its.first_touch_ms), n: its.order }));
  }
  if (its.on_question_most_ms > its.on_question_ms) {
    facts.push(t("evidence.time_span", { from: seconds(its.on_question_ms), to: seconds(its.on_question_most_ms) }));
  } else {
    facts.push(t("evidence.time", { n: seconds(its.on_question_ms), error: seconds(its.on_question_error_ms) }));
  }
  if (its.pauses) facts.push(t(`evidence.pauses${least}`, { n: its.pauses, longest: seconds(its.longest_pause_ms) }));
  if (its.revisits) facts.push(t(`evidence.revisits${least}`, { n: its.revisits }));
  return facts;
}

export class Pupil {
  constructor(node, ink) {
    this.node = node;
    this.ink = ink;
    this.sheet = null;
    this.seat = null;
    this.page = null;
    this.moments = [];
    this.follow = true;
    this.playing = null;
    this.build();
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  build() {
    this.title = el("h2");
    this.back = el("a", { href: "#wall", class: "button" });
    this.previous = el("a", { class: "button" });
    this.next = el("a", { class: "button" });
    this.pages = el("div", { class: "pages", role: "group" });
    this.canvas = el("canvas", { class: "sheet", role: "img" });
    this.note = el("p", { class: "mute", role: "status" });
    this.play = el("button", { type: "button", class: "main", onclick: () => (this.playing ? this.stop() : this.start()) });
    this.slider = el("input", { type: "range", min: 0, max: 0, value: 0, id: "moment", oninput: () => this.seek() });
    this.sliderLabel = el("label", { for: "moment" });
    this.moment = el("span", { class: "moment" });
    this.speed = el("select", { id: "speed" }, ...SPEEDS.map((n) => el("option", { value: n })));
    this.speed.value = "2";
    this.speedLabel = el("label", { for: "speed" });
    this.readings = el("div", { class: "readings", role: "region", tabindex: "0", "aria-label": t("pupil.answers") });
    const scrub = el("div", { class: "scrub" }, this.play, this.sliderLabel, this.slider, this.moment, this.speedLabel, this.speed);
    this.node.append(
      el("div", { class: "bar" }, this.back, this.title, this.pages, el("span", { class: "pair" }, this.previous, this.next)),
      el("div", { class: "two" }, el("div", { class: "paper" }, this.canvas, this.note, scrub), this.readings),
    );
  }

  open(seat) {
    this.stop();
    this.seat = seat;
    this.page = null;
    this.follow = true;
    this.view = null;
    this.readings.replaceChildren();
    this.paint();
    this.refresh();
    this.onInk("all");
  }

  close() {
    this.stop();
    this.seat = null;
  }

  paint() {
    setText(this.back, t("pupil.back"));
    setText(this.previous, "‹");
    setText(this.next, "›");
    this.previous.setAttribute("aria-label", t("pupil.previous"));
    this.next.setAttribute("aria-label", t("pupil.next"));
    setText(this.sliderLabel, t("pupil.time"));
    setText(this.speedLabel, t("pupil.speed"));
    for (const option of this.speed.options) setText(option, t("pupil.speed_times", { n: option.value }));
    setText(this.play, t(this.playing ? "pupil.pause" : "pupil.play"));
    this.canvas.setAttribute("aria-label", t("pupil.ink_label"));
    this.drawPages();
    this.drawReadings();
    this.redraw();
  }

  onSeats(message) {
    if (this.seat === null) return;
    const at = message.tiles.findIndex((tile) => tile.seat === this.seat);
    const tile = message.tiles[at];
    setText(this.title, tile ? `${t("seat.long", { seat: tile.seat })} ${tile.name}` : t("pupil.unknown"));
    const beside = (step) => message.tiles[(at + step + message.tiles.length) % message.tiles.length];
    if (tile) {
      this.previous.href = `#seat-${beside(-1).seat}`;
      this.next.href = `#seat-${beside(1).seat}`;
    }
    const told = JSON.stringify([tile?.answered, tile?.unsure, tile?.blank, tile?.not_captured]);
    if (told !== this.told) this.refresh();
    this.told = told;
  }

  async refresh() {
    const seat = this.seat;
    if (seat === null || this.refreshing) return;
    this.refreshing = true;
    setTimeout(() => (this.refreshing = false), REFRESH_MS);
    const answer = await fetch(`/api/seats/${seat}`).catch(() => null);
    if (!answer?.ok || seat !== this.seat) return;
    this.view = await answer.json();
    this.drawReadings();
  }

  onInk(added) {
    if (this.seat === null || this.node.hidden) return;
    if (added !== "all" && !added.some((one) => one.seat === this.seat)) return;
    const strokes = this.ink.strokes(this.seat);
    const live = this.follow && !this.playing;
    if (live && strokes.length && this.chosen !== this.seat) this.page = strokes.at(-1).page;
    this.page ??= 0;
    this.drawPages();
    this.moments = timeline(strokes.filter((stroke) => stroke.page === this.page));
    const last = this.moments.at(-1)?.played ?? 0;
    this.slider.max = last;
    if (live) this.slider.value = last;
    this.redraw();
  }

  choose(page) {
    this.stop();
    this.chosen = this.seat;
    this.page = page;
    this.follow = true;
    this.onInk("all");
  }

  drawPages() {
    const pages = this.sheet?.pages ?? [];
    this.pages.hidden = pages.length < 2;
    if (this.pages.childElementCount !== pages.length) {
      this.pages.replaceChildren(
        ...pages.map((_, index) => el("button", { type: "button", onclick: () => this.choose(index) })),
      );
    }
    for (const [index, button] of [...this.pages.children].entries()) {
      setText(button, t("pupil.page", { n: index + 1 }));
      button.setAttribute("aria-pressed", String(index === this.page));
    }
  }

  start() {
    if (!this.moments.length) return;
    this.follow = false;
    let played = Number(this.slider.value);
    if (played >= Number(this.slider.max)) played = 0;
    let before = performance.now();
    const step = (now) => {
      played += (now - before) * Number(this.speed.value);
      before = now;
      this.slider.value = played;
      this.redraw();
      if (played >= Number(this.slider.max)) this.stop();
      else this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
    setText(this.play, t("pupil.pause"));
  }

  stop() {
    if (this.playing) cancelAnimationFrame(this.playing);
    this.playing = null;
    this.follow = Number(this.slider.value) >= Number(this.slider.max);
    setText(this.play, t("pupil.play"));
  }

  seek() {
    if (this.playing) this.stop();
    this.follow = Number(this.slider.value) >= Number(this.slider.max);
    this.redraw();
  }

  redraw() {
    if (this.seat === null || this.node.hidden || !this.sheet) return;
    const index = this.page ?? 0;
    const region = this.sheet.used(index, this.ink.strokes(this.seat).filter((stroke) => stroke.page === index));
    this.canvas.style.aspectRatio = `${region[2] - region[0]} / ${region[3] - region[1]}`;
    const area = sized(this.canvas, color("--ink"));
    if (!area) return;
    const place = fit(region, area.width, area.height);
    const page = this.sheet.pages[index];
    drawPrint(area.context, place, page?.boxes ?? [], color("--print"), color("--mute"), area.ratio);
    this.drawPrompts(area, place, page);
    this.drawMoment(area, place);
  }

  drawPrompts({ context }, place, page) {
    context.save();
    context.fillStyle = color("--mute");
    context.font = `${4.6 * place.scale}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    for (const box of page?.boxes ?? []) {
      const prompt = local(this.prompts?.get(box.field) ?? {});
      const [left, top, , bottom] = box.box_mm;
      const text = `${box.label}.  ${prompt}`;
      const above = box.marks.length > 0;
      context.textAlign = above ? "left" : "right";
      const y = above ? top - 4 : (top + bottom) / 2;
      context.fillText(text, ((above ? left : left - 4) - place.left) * place.scale, (y - place.top) * place.scale);
    }
    context.restore();
  }

  drawMoment(area, place) {
    const until = Number(this.slider.value);
    const ends = new Map();
    let last = null;
    for (const moment of this.moments) {
      if (moment.played > until + 0.5) break;
      ends.set(moment.stroke, moment.dot + 1);
      last = moment;
    }
    for (const [stroke, end] of ends) drawStroke(area.context, place, stroke, 0, end, area.ratio);
    const time = last ? clock(last.at) : "";
    setText(this.moment, time);
    this.slider.setAttribute("aria-valuetext", time);
    this.slider.disabled = this.play.disabled = this.moments.length === 0;
    setText(this.note, this.moments.length ? "" : t("pupil.no_ink"));
  }

  drawReadings() {
    if (!this.view || this.view.seat !== this.seat) return;
    const rows = this.view.fields.map((field) => this.reading(field));
    this.readings.replaceChildren(el("h3", {}, t("pupil.answers")), el("ol", {}, ...rows));
  }

  reading(field) {
    const label = this.sheet?.field(field.field)?.label ?? field.field;
    const early = field.state === "blank" && field.reasons.includes("nothing_yet");
    const full = RIGHT.has(field.state) && field.points !== null && field.points === field.max_points;
    const kind = RIGHT.has(field.state) && field.points !== null && !full ? "wrong" : field.state;
    const facts = [];
    if (field.points !== null && !early) facts.push(t("pupil.points", { points: field.points, max: field.max_points }));
    if (field.confidence !== null && field.value !== null) facts.push(t("pupil.sure", { n: Math.round(100 * field.confidence) }));
    if (field.alternatives.length) {
      const values = new Intl.ListFormat(language, { type: "disjunction" }).format(field.alternatives.slice(0, 2).map(([value]) => value));
      facts.push(t("pupil.or", { values }));
    }
    const worked = field.evidence ? evidence(field.evidence) : [];
    const state = t(early ? "state.nothing_yet" : `state.${field.state}`);
    const partly = field.points > 0 && !full;
    const verdict = full ? t("answers.right") : partly ? t("answers.partly") : t("answers.wrong");
    const judged = !RIGHT.has(field.state) || field.points === null ? "" : verdict;
    const why = field.reasons
      .filter((code) => !(early && code === "nothing_yet"))
      .map((code) => (has(`reason.${code}`) ? t(`reason.${code}`) : t("reason.other", { code })));
    return el(
      "li",
      { class: `reading ${kind}` },
      el("span", { class: "number" }, label),
      el("span", { class: "prompt" }, local(this.prompts?.get(field.field) ?? {})),
      el("b", { class: "value" }, field.value ?? t("pens.unknown")),
      el(
        "span",
        { class: "state" },
        el("span", { "aria-hidden": "true" }, `${kind === "wrong" ? "✗" : (STATE_MARKS[field.state] ?? "○")} `),
        judged ? t("pupil.state_right", { state, judged }) : state,
      ),
      facts.length ? el("span", { class: "facts" }, facts.join(" · ")) : null,
      worked.length ? el("span", { class: "facts" }, worked.join(" · ")) : null,
      why.length ? el("span", { class: "facts" }, why.join(" ")) : null,
    );
  }
}

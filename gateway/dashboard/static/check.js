// The Check screen: only what the reader is unsure of, similar answers together, one key for all of them.
// Single keys count only while the focus is in this view.

import { el, setText } from "./dom.js";
import { color } from "./ink.js";
import { paintInk } from "./snippet.js";
import { has, local, t } from "./words.js";

const PATH = "/api/check";
const NEXT_GROUPS = 6;
const NEXT_INKS = 8;
const KEY_SIGNS = { right: "+", wrong: "−" };
const SIGNS = { "+": "right", "-": "wrong", "−": "wrong" };

const nameOf = (group, ink) => `${group.field.field} ${ink.seat} ${ink.ink}`;

const keyed = (sign, ...children) => [el("kbd", { "aria-hidden": "true" }, sign), ...children];

export class Check {
  constructor(node) {
    this.node = node;
    this.view = null;
    this.now = null;
    this.rest = [];
    this.also = [];
    this.leftOut = new Set();
    this.takenIn = new Set();
    this.pending = null;
    this.told = "";
    this.seen = null;
    this.build();
    node.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.redraw()).observe(node);
  }

  build() {
    this.help = el("div", { class: "help" });
    this.status = el("p", { class: "big", role: "status" });
    this.title = el("h2", { id: "check-title" });
    this.facts = el("p", { class: "mute" });
    this.guesses = el("span", { class: "guesses" });
    this.input = el("input", { id: "check-value", autocomplete: "off", maxlength: 64, "aria-keyshortcuts": "Enter" });
    this.inputLabel = el("label", { for: "check-value" });
    this.take = el("button", { type: "submit" });
    this.form = el("form", { class: "typed", onsubmit: (event) => this.onSubmit(event) }, this.inputLabel, this.input, this.take);
    const button = (name, shortcut, act) => el("button", { type: "button", "data-act": name, "aria-keyshortcuts": shortcut, onclick: act });
    this.right = button("right", "+", () => this.judge("right"));
    this.wrong = button("wrong", "-", () => this.judge("wrong"));
    this.skip = button("skip", "s", () => this.putOff());
    this.undo = button("undo", "u", () => this.takeBack());
    this.inks = el("ul", { class: "inks" });
    this.others = el("ul", { class: "inks" });
    this.all = button("all", "a", () => this.takeAll());
    this.wider = el("div", { class: "wider" }, this.all, this.others);
    this.choices = el("div", { class: "choices" }, this.guesses, this.form, this.right, this.wrong, this.skip, this.undo);
    this.none = el("div", { class: "empty" });
    this.card = el(
      "article",
      { class: "card", tabindex: "-1", "aria-labelledby": "check-title" },
      this.title,
      this.facts,
      this.choices,
      this.inks,
      this.wider,
    );
    this.next = el("ol", { class: "next" });
    this.nextTitle = el("h3");
    this.node.append(this.help, this.status, this.none, this.card, this.nextTitle, this.next);
  }

  async open() {
    await this.refresh();
    this.card.focus({ preventScroll: true });
  }

  onBox(box) {
    const seen = `${box.lesson?.id} ${box.unsure}`;
    if (this.node.hidden || seen === this.seen) return;
    this.seen = seen;
    this.refresh();
  }

  async refresh() {
    const answer = await fetch(PATH).catch(() => null);
    await this.heard(answer);
  }

  /** Take an answer of the box in. Returns what an order did, or null where it was refused. */
  async heard(answer) {
    if (answer?.status === 401) location.assign("/?said=login.needed");
    const said = await answer?.json().catch(() => null);
    if (answer?.ok && said) {
      this.adopt(said.check);
      this.draw();
      return said.done ?? {};
    }
    const { code = "check.later", params = {} } = said ?? {};
    if (code === "review.needs_verdict") this.pending = params.value;
    this.tell(has(code) ? t(code, params) : t("check.later"));
    this.draw();
    return null;
  }

  /** What is looked at stays in front of the teacher, however the stack changes behind it. */
  adopt(view) {
    const open = new Set(view.groups.flatMap((group) => group.inks.map((ink) => nameOf(group, ink))));
    const stay = this.now?.inks.filter((ink) => open.has(nameOf(this.now, ink))) ?? [];
    const same = this.view?.lesson === view.lesson && stay.length > 0;
    if (!same) {
      this.leftOut.clear();
      this.takenIn.clear();
      this.pending = null;
      this.input.value = "";
    }
    this.now = same ? { ...this.now, inks: stay } : (view.groups[0] ?? null);
    this.view = view;
    const here = new Set(this.now?.inks.map((ink) => nameOf(this.now, ink)));
    this.rest = view.groups
      .map((group) => ({ ...group, inks: group.inks.filter((ink) => !here.has(nameOf(group, ink))) }))
      .filter((group) => group.inks.length);
    this.also = this.rest.filter((group) => this.isReadAs(group)).flatMap((group) => group.inks);
  }

  /** Whether a group is of the question that is looked at and read alike, only written less alike. */
  isReadAs(group) {
    const value = this.now?.guesses[0]?.value;
    return value !== undefined && group.field.field === this.now.field.field && group.guesses[0]?.value === value;
  }

  async order(what, told) {
    if (this.busy || !this.view) return;
    this.busy = true;
    const inside = this.node.contains(document.activeElement);
    const before = this.now;
    this.now = null;
    const body = JSON.stringify({ lesson: this.view.lesson, ...what });
    const answer = await fetch(PATH, { method: "POST", body, headers: { "content-type": "application/json" } }).catch(() => null);
    if (!answer?.ok) this.now = before;
    const done = await this.heard(answer);
    if (done) this.tell(told(done));
    if (answer?.status === 409 && this.pending === null) await this.refresh();
    this.busy = false;
    if (inside) this.card.focus({ preventScroll: true });
  }

  chosen() {
    const near = this.now?.inks.filter((ink) => !this.leftOut.has(ink.seat)) ?? [];
    return [...near, ...this.also.filter((ink) => this.takenIn.has(ink.seat))];
  }

  decide(said) {
    const inks = this.chosen();
    if (!inks.length) {
      this.tell(t("check.take_none"));
      return;
    }
    const what = { do: "decide", field: this.now.field.field, inks: Object.fromEntries(inks.map((ink) => [ink.seat, ink.ink])), ...said };
    this.order(what, (done) => t("check.decided", { n: done.answers }));
  }

  guess(index) {
    const guess = this.now?.guesses[index];
    if (!guess) return;
    if (guess.points !== null) this.decide({ value: guess.value });
    else this.ask(guess.value);
  }

  /** The key does not say what a value is worth: the teacher does. */
  ask(value) {
    this.pending = value;
    this.tell(t("check.pending", { value }));
    this.draw();
  }

  judge(verdict) {
    if (this.now) this.decide(this.pending === null ? { verdict } : { verdict, value: this.pending });
  }

  onSubmit(event) {
    event.preventDefault();
    const value = this.input.value.trim();
    if (value && this.now) this.decide({ value });
  }

  takeAll() {
    const every = this.also.every((ink) => this.takenIn.has(ink.seat));
    for (const { seat } of this.also) {
      if (every) this.takenIn.delete(seat);
      else this.takenIn.add(seat);
    }
    this.tell(t("check.chosen", { n: this.chosen().length }));
    this.draw();
  }

  putOff() {
    if (!this.now) return;
    const inks = Object.fromEntries(this.now.inks.map((ink) => [ink.seat, ink.ink]));
    this.order({ do: "skip", field: this.now.field.field, inks }, (done) => t("check.skipped", { n: done.answers }));
  }

  takeBack() {
    if (!this.view?.undo) return;
    this.order({ do: "undo" }, (done) => {
      const undone = t("check.undone", { n: done.answers });
      return done.left ? `${undone} ${t("check.left", { n: done.left })}` : undone;
    });
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target === this.input) {
      if (event.key === "Escape") this.leave();
      return;
    }
    const act = {
      1: () => this.guess(0),
      2: () => this.guess(1),
      s: () => this.putOff(),
      u: () => this.takeBack(),
      a: () => this.takeAll(),
      Escape: () => this.leave(),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const onButton = event.target.closest("button, a");
    if (act) act();
    else if (event.key in SIGNS) this.judge(SIGNS[event.key]);
    else if (event.key === "Enter" && !onButton && this.now) this.input.focus();
    else if (event.key.length === 1 && event.key !== " " && this.now) {
      this.input.value = event.key;
      this.input.focus();
    } else return;
    event.preventDefault();
  }

  leave() {
    this.pending = null;
    this.leftOut.clear();
    this.takenIn.clear();
    this.input.value = "";
    this.told = "";
    this.draw();
    this.card.focus({ preventScroll: true });
  }

  tell(text) {
    this.told = text;
    this.drawStatus();
  }

  drawStatus() {
    const remain = this.view?.remain ?? 0;
    const parts = [];
    if (remain) parts.push(t("check.open_in", { open: t("check.open", { n: remain }), groups: t("check.groups", { n: this.view.groups.length }) }));
    else if (this.view) parts.push(t("check.all_done"));
    if (this.told) parts.push(this.told);
    setText(this.status, parts.join(" · "));
  }

  draw() {
    this.drawStatus();
    const { now, view } = this;
    this.none.hidden = Boolean(now) || !view;
    this.none.replaceChildren(el("p", {}, t("check.all_done_why")));
    this.title.hidden = this.facts.hidden = this.inks.hidden = !now;
    for (const part of [this.guesses, this.form, this.right, this.wrong, this.skip, this.wider]) part.hidden = !now;
    this.card.hidden = !now && !view?.undo;
    if (now) this.drawNow(now);
    else this.card.setAttribute("aria-label", t("check.now"));
    this.drawUndo(view?.undo);
    this.drawNext();
    this.redraw();
  }

  drawNow(now) {
    const n = now.inks.length;
    this.title.replaceChildren(
      el("span", { class: "number" }, t("answers.question", { label: now.field.label })),
      ` ${local(now.prompt)} `,
      el("small", { class: "mute" }, t("check.answers", { n })),
    );
    const why = now.reasons.map((code) => (has(`reason.${code}`) ? t(`reason.${code}`) : t("reason.other", { code })));
    setText(this.facts, [now.key === null ? t("answers.no_key") : t("answers.key", { value: now.key }), ...why].join(" · "));
    this.guesses.replaceChildren(...now.guesses.map((guess, index) => this.guessButton(guess, index)));
    setText(this.inputLabel, t("check.type"));
    this.take.replaceChildren(...keyed("⏎", t("check.typed")));
    for (const verdict of ["right", "wrong"]) {
      this[verdict].replaceChildren(...keyed(KEY_SIGNS[verdict], t(`check.is_${verdict}`)));
      this[verdict].classList.toggle("main", this.pending !== null);
    }
    this.skip.replaceChildren(...keyed("S", t("check.skip")));
    this.inks.setAttribute("aria-label", t("check.now"));
    this.inks.replaceChildren(...now.inks.map((ink) => this.inkButton(now, ink, this.leftOut, true)));
    this.wider.hidden = this.also.length === 0;
    this.all.replaceChildren(...keyed("A", t("check.also", { n: this.also.length, value: now.guesses[0]?.value })));
    this.all.setAttribute("aria-pressed", String(this.also.every((ink) => this.takenIn.has(ink.seat))));
    this.others.setAttribute("aria-label", this.all.textContent);
    this.others.replaceChildren(...this.also.map((ink) => this.inkButton(now, ink, this.takenIn, false)));
  }

  drawUndo(undo) {
    const what = undo ? t("check.undo_what", { label: undo.label, n: undo.answers }) : "";
    this.undo.replaceChildren(...keyed("U", t("check.undo"), el("span", { class: "hidden-text" }, ` ${what}`)));
    this.undo.disabled = !undo;
    this.undo.title = what;
  }

  worth(guess) {
    if (guess.points === null) return t("check.worth_ask");
    if (guess.points === 0) return t("check.worth_wrong");
    const { max_points: max } = this.now;
    return guess.points === max ? t("check.worth_right") : t("check.worth_part", { points: guess.points, max });
  }

  guessButton(guess, index) {
    const worth = this.worth(guess);
    return el(
      "button",
      { type: "button", class: "guess", "aria-keyshortcuts": index + 1, onclick: () => this.guess(index) },
      ...keyed(String(index + 1), el("b", {}, guess.value), el("span", { class: "mute" }, worth)),
    );
  }

  /** A child's ink, to press: `listed` holds the seats that are not as they were at first. */
  inkButton(group, ink, listed, first) {
    const isIn = () => listed.has(ink.seat) !== first;
    const toggle = (event) => {
      if (!listed.delete(ink.seat)) listed.add(ink.seat);
      event.currentTarget.setAttribute("aria-pressed", String(isIn()));
      this.tell(t("check.chosen", { n: this.chosen().length }));
    };
    const label = t("check.ink_label", { seat: ink.seat });
    const shown = ink.strokes.length ? this.canvas(group.field, ink) : el("span", { class: "mute" }, t("check.ink_none"));
    const seat = el("b", {}, String(ink.seat));
    return el("li", {}, el("button", { type: "button", class: "ink-box", "data-seat": ink.seat, "aria-pressed": String(isIn()), "aria-label": label, onclick: toggle }, shown, seat));
  }

  canvas(field, ink) {
    const canvas = el("canvas", { "aria-hidden": "true" });
    canvas.shows = { field, ink };
    return canvas;
  }

  drawNext() {
    const shown = this.rest.slice(0, NEXT_GROUPS);
    this.nextTitle.hidden = this.next.hidden = shown.length === 0;
    setText(this.nextTitle, t("check.list"));
    this.next.setAttribute("aria-label", t("check.rest"));
    const rows = shown.map((group) => {
      const more = group.inks.length - NEXT_INKS;
      return el(
        "li",
        {},
        el("span", { class: "number" }, t("answers.question", { label: group.field.label })),
        el("span", { class: "maybe" }, group.guesses.map((guess) => guess.value).join(" / ")),
        el("span", { class: "mute" }, t("check.answers", { n: group.inks.length })),
        el("span", { class: "row" }, ...group.inks.slice(0, NEXT_INKS).map((ink) => this.canvas(group.field, ink))),
        more > 0 ? el("span", { class: "mute" }, t("check.more", { n: more })) : null,
      );
    });
    const rest = this.rest.length - shown.length;
    if (rest > 0) rows.push(el("li", { class: "mute" }, t("check.more", { n: rest })));
    this.next.replaceChildren(...rows);
  }

  redraw() {
    if (this.node.hidden) return;
    const colors = { ink: color("--ink"), print: color("--print"), mute: color("--mute") };
    for (const canvas of this.node.querySelectorAll("canvas")) paintInk(canvas, canvas.shows.field, canvas.shows.ink, colors);
  }

  paint() {
    if (this.view) this.draw();
  }
}

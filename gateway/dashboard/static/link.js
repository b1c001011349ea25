// The WebSocket to the box: comes back by itself, asks for a snapshot at a hole, and knows since when it is not live.

import { readFrame } from "./frames.js";

const SILENT_MS = 4000;
const DEAD_MS = 12000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

export class Link {
  constructor(ink, { onInk, onMessage, onLive }) {
    Object.assign(this, { ink, onInk, onMessage, onLive });
    this.wait = FIRST_WAIT_MS;
    this.heard = performance.now();
    this.boxMs = null;
    this.live = null;
    this.frames = 0;
    this.gaps = 0;
    this.delayMs = null;
    this.open();
    setInterval(() => this.look(), 500);
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("online", () => this.open());
  }

  open() {
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/feed`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => (this.entered = true));
    socket.addEventListener("message", (event) => this.take(socket, event.data));
    socket.addEventListener("close", () => this.closed(socket));
    this.socket = socket;
    this.entered = false;
    this.opened = performance.now();
  }

  take(socket, data) {
    if (socket !== this.socket) return;
    this.heard = performance.now();
    this.wait = FIRST_WAIT_MS;
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.t === "alive") this.boxMs = message.box_ms;
      else this.onMessage(message);
    } else {
      const frame = readFrame(data);
      this.boxMs = frame.boxMs;
      this.delayMs = Date.now() - frame.boxMs;
      this.frames += 1;
      const added = this.ink.apply(frame);
      if (added === "gap") this.askAgain();
      else if (added.length) this.onInk(added);
    }
    this.look();
  }

  askAgain() {
    if (this.asked && performance.now() - this.asked < 1000) return;
    this.asked = performance.now();
    this.gaps += 1;
    this.socket.send("snapshot");
  }

  async closed(socket) {
    if (socket !== this.socket) return;
    this.ink.seq = null;
    this.ink.filling = false;
    if (!this.entered) {
      const answer = await fetch("/api/session").catch(() => null);
      if (answer?.ok && (await answer.json()).role === null) {
        location.assign("/?said=login.needed");
        return;
      }
    }
    const jitter = 0.75 + Math.random() / 2;
    setTimeout(() => this.open(), this.wait * jitter);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    this.look();
  }

  look() {
    const silent = performance.now() - this.heard;
    if (silent > DEAD_MS && performance.now() - this.opened > DEAD_MS) {
      const old = this.socket;
      this.socket = null;
      old?.close();
      this.ink.seq = null;
      this.open();
    }
    const live = this.ink.seq !== null && silent < SILENT_MS && !this.ink.filling;
    const word = live ? "live" : this.boxMs === null ? "opening" : "stale";
    if (word === this.live) return;
    this.live = word;
    this.onLive(word, this.boxMs);
  }
}

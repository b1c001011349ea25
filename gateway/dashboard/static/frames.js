// Reads the binary frames of the live feed; the layout is told in gateway/dashboard/frames.py.

export const LIVE = 1;
export const SNAPSHOT_BEGINS = 2;
export const SNAPSHOT_ENDS = 4;

const HEAD = 24;
const CHUNK = 16;
const DOT = 6;

export function readFrame(buffer) {
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1) throw new Error("frame version");
  const frame = {
    kind: view.getUint8(1),
    seq: view.getUint32(4, true),
    before: view.getUint32(8, true),
    boxMs: Number(view.getBigUint64(16, true)),
    chunks: [],
  };
  let at = HEAD;
  for (let left = view.getUint16(2, true); left > 0; left -= 1) {
    const flags = view.getUint8(at + 3);
    const dots = view.getUint16(at + 4, true);
    const chunk = {
      seat: view.getUint16(at, true),
      page: view.getUint8(at + 2),
      first: Boolean(flags & 1),
      ended: Boolean(flags & 2),
      atMs: Number(view.getBigUint64(at + 8, true)),
      dots: new Array(dots * 4),
    };
    at += CHUNK;
    for (let i = 0; i < dots; i += 1, at += DOT) {
      chunk.dots[4 * i] = view.getUint16(at, true) / 100;
      chunk.dots[4 * i + 1] = view.getUint16(at + 2, true) / 100;
      chunk.dots[4 * i + 2] = view.getUint8(at + 4) / 255;
      chunk.dots[4 * i + 3] = view.getUint8(at + 5);
    }
    frame.chunks.push(chunk);
  }
  return frame;
}

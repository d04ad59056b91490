// SPDX-License-Identifier: Apache-2.0
// Reads a log and keeps its bytes outside of the page's thread: a page asks for the lines in view.

import {styleAfter} from './ansi.js';

/** @typedef {import('./ansi.js').Style} Style */

const blockBits = 20, block = 1 << blockBits;
/** The end of a log that is kept, in bytes. */
const keep = 256 * block;
/** Bytes of a line that a page shows. */
const longest = 8192;
/** Lines with a match that a page can go to. */
const mostMatches = 100_000;
/** Changes of the style that lasts from line to line. Of a log with more, the older ones are dropped. */
const mostStyles = 100_000;
/** Lines that are read before the whole log, so that a page shows its end at once. */
const tailLines = 2000;

/** The lines of a log, the oldest of which are dropped from a certain size on. */
class Lines {
  constructor() {
    /** The bytes, in blocks. Dropped blocks are undefined. @type {(Uint8Array | undefined)[]} */
    this.blocks = [];
    this.size = 0;
    /** Where each line starts. @type {Float64Array} */
    this.starts = new Float64Array(1024);
    this.count = 0;
    /** How many lines are dropped. */
    this.dropped = 0;
    this.ended = true; // the last line is complete
    this.escaped = false; // the last line has a command of terminals
    /** The styles that last from line to line, each from a line on. @type {{line: number, style: Style}[]} */
    this.styles = [];
  }

  /** @param {Uint8Array} bytes */
  append(bytes) {
    for (let at = 0; at < bytes.length;) {
      const within = this.size & (block - 1);
      if (within === 0) this.blocks.push(new Uint8Array(block));
      const part = bytes.subarray(at, at + block - within);
      /** @type {Uint8Array} */ (this.blocks.at(-1)).set(part, within);
      this.index(part);
      this.size += part.length;
      at += part.length;
    }
    this.drop();
  }

  /** @param {Uint8Array} part */
  index(part) {
    let escape = part.indexOf(27);
    for (let at = 0; at < part.length;) {
      if (this.ended) {
        if (this.count === this.starts.length) {
          const longer = new Float64Array(2 * this.count);
          longer.set(this.starts);
          this.starts = longer;
        }
        this.starts[this.count++] = this.size + at;
      }
      const end = part.indexOf(10, at);
      this.ended = end >= 0;
      if (escape >= 0 && escape < at) escape = part.indexOf(27, at);
      if (escape >= 0 && (end < 0 || escape < end)) this.escaped = true;
      if (end < 0) return;
      if (this.escaped) this.carry(this.count - 1, this.size + end);
      this.escaped = false;
      at = end + 1;
    }
  }

  /** Keeps the style of the next line, if that is another. @param {number} line @param {number} end */
  carry(line, end) {
    const before = this.styles.at(-1)?.style ?? [], from = this.starts[line];
    const style = styleAfter(decoder.decode(this.bytes(from, Math.min(end, from + block))), before);
    if (String(style) === String(before)) return;
    this.styles.push({line: line + 1, style});
    if (this.styles.length > mostStyles) this.styles.splice(0, mostStyles / 2);
  }

  /** Returns the style with which a line begins. @param {number} line @returns {Style} */
  style(line) {
    let low = 0, high = this.styles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.styles[middle].line <= line) low = middle + 1;
      else high = middle;
    }
    return this.styles[low - 1]?.style ?? [];
  }

  drop() {
    const first = Math.floor(Math.max(0, this.size - keep) / block);
    for (let i = first - 1; i >= 0 && this.blocks[i]; i--) this.blocks[i] = undefined;
    const kept = first * block;
    while (this.dropped < this.count && this.starts[this.dropped] < kept) this.dropped++;
  }

  /** Returns where a line ends, without its end of line. @param {number} line */
  end(line) {
    if (line + 1 < this.count) return this.starts[line + 1] - 1;
    return this.ended ? this.size - 1 : this.size;
  }

  /** @param {number} from @param {number} to */
  bytes(from, to) {
    const result = new Uint8Array(to - from);
    for (let at = from; at < to;) {
      const within = at % block;
      const part = this.blocks[Math.floor(at / block)]?.subarray(within, Math.min(block, within + to - at));
      if (!part) break;
      result.set(part, at - from);
      at += part.length;
    }
    return result;
  }

  /** Returns a line, without its timestamp. @param {number} line */
  line(line) {
    const from = this.starts[line], to = this.end(line);
    const text = decoder.decode(this.bytes(from, Math.min(to, from + longest)));
    const time = timestamp.exec(text)?.[0] ?? '';
    return {number: line, time: time.trimEnd(), text: text.slice(time.length), more: Math.max(0, to - from - longest), style: this.style(line)};
  }

  /** The time of the last complete line, in milliseconds, or NaN. */
  lastTime() {
    const last = this.ended ? this.count - 1 : this.count - 2;
    return last < 0 ? NaN : Date.parse(this.line(last).time);
  }

  /**
   * Finds the lines that have a text, regardless of the case of its letters A to Z.
   * @param {string} text
   * @param {() => boolean} stopped
   */
  async find(text, stopped) {
    const needle = new TextEncoder().encode(text).map((byte) => fold[byte]), last = needle.length - 1;
    const shift = new Int32Array(256).fill(needle.length); // as Horspool
    for (let i = 0; i < last; i++) shift[needle[i]] = last - i;
    /** @type {number[]} */
    const found = [];
    let line = this.dropped;
    for (let start = this.dropped < this.count ? this.starts[this.dropped] : this.size; start < this.size; start += block) {
      const part = this.bytes(start, Math.min(this.size, start + block + last)); // with the beginning of the next block
      for (let at = 0; at + last < part.length;) {
        let i = last;
        while (i >= 0 && fold[part[at + i]] === needle[i]) i--;
        if (i >= 0) {
          at += shift[fold[part[at + last]]];
          continue;
        }
        const where = start + at;
        let low = line, high = this.count - 1;
        while (low < high) {
          const middle = (low + high + 1) >> 1;
          if (this.starts[middle] <= where) low = middle;
          else high = middle - 1;
        }
        line = low;
        const isText = where >= this.starts[line] + (timestamp.exec(decoder.decode(this.bytes(this.starts[line], Math.min(this.end(line), this.starts[line] + 40))))?.[0].length ?? 0);
        if (isText && found.at(-1) !== line) found.push(line);
        if (found.length >= mostMatches) return found;
        at = isText ? Math.max(at + 1, Math.min(part.length, this.end(line) - start)) : at + 1;
      }
      await new Promise((resolve) => setTimeout(resolve));
      if (stopped()) return undefined;
    }
    return found;
  }
}

const decoder = new TextDecoder();
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) /;
const fold = Uint8Array.from({length: 256}, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));

/** The lines that the page shows. */
let shown = new Lines();
/** Whether the lines are only the end of a log. */
let partial = false;
let opened = 0, searched = 0, told = 0;

/** @param {Record<string, unknown>} message */
const tell = (message) => postMessage({lines: shown.count, bytes: shown.size, dropped: shown.dropped, partial, ...message});

function progress() {
  if (told) return;
  told = setTimeout(() => {
    told = 0;
    tell({type: 'progress'});
  }, 100);
}

/**
 * Reads an answer to its end.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {AbortSignal} signal
 * @param {(bytes: Uint8Array) => void} receive
 */
async function read(url, headers, signal, receive) {
  const answer = await fetch(url, {headers, signal, cache: 'no-store', redirect: 'error'});
  if (!answer.ok) {
    const status = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(status.message ?? `The server answered ${answer.status}.`), {code: answer.status});
  }
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    receive(value);
  }
}

let stream = new AbortController();

/**
 * Reads a log. The lines of before stay in view until this log has as much.
 * @param {{url: string, headers: Record<string, string>, follow: boolean, fresh: boolean}} asked
 */
async function open({url, headers, follow, fresh}) {
  stream.abort();
  stream = new AbortController();
  const {signal} = stream, own = ++opened;
  if (fresh) {
    shown = new Lines();
    partial = false;
  }
  try {
    if (fresh) {
      const tail = new Lines();
      await read(`${url}&tailLines=${tailLines}`, headers, signal, (bytes) => tail.append(bytes));
      shown = tail;
      partial = tail.count >= tailLines;
      tell({type: 'progress'});
      if (!partial && !follow) return tell({type: 'end'});
    }
    const before = shown, until = before.lastTime();
    const all = new Lines();
    await read(`${url}${follow ? '&follow=true' : ''}`, headers, signal, (bytes) => {
      all.append(bytes);
      if (shown !== all && all.count >= before.count && !(all.lastTime() < until)) {
        shown = all;
        tell({type: 'whole', added: partial ? all.count - before.count : 0});
        partial = false;
      }
      progress();
    });
    if (shown !== all) {
      const added = all.count - before.count;
      shown = all;
      tell({type: 'whole', added: partial ? added : 0});
      partial = false;
    }
    tell({type: 'end'});
  } catch (error) {
    if (own === opened && !signal.aborted) tell({type: 'failure', message: error instanceof TypeError ? 'The connection to the server broke.' : /** @type {Error} */ (error).message, code: /** @type {any} */ (error).code ?? 0});
  }
}

addEventListener('message', async ({data}) => {
  if (data.type === 'open') return open(data);
  if (data.type === 'lines') {
    const from = Math.max(shown.dropped, data.from), lines = [];
    for (let line = from; line < Math.min(shown.count, data.to); line++) lines.push(shown.line(line));
    return tell({type: 'lines', from, content: lines, partial});
  }
  if (data.type === 'search') {
    const own = ++searched, lines = shown;
    const stopped = () => own !== searched || lines !== shown; // the page searches again in other lines
    const matches = data.text ? await lines.find(data.text, stopped) : [];
    if (matches && !stopped()) tell({type: 'matches', text: data.text, matches, all: matches.length < mostMatches});
  }
});

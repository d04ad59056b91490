// SPDX-License-Identifier: Apache-2.0
// Lists that stay current: a list and then a watch from its version, again and again.

import {APIError, failureOf, request, send, unreachable} from './api.js';

/** @typedef {import('./api.js').KubeObject} KubeObject */

/** A page that nobody sees for this long closes its streams: a browser has six connections to a server. */
const hiddenLimit = 30_000;
/** A watch whose server is silent for this long is broken: servers send bookmarks each minute. */
const silenceLimit = 150_000;
const firstDelay = 1000, longestDelay = 30_000;

/**
 * Something that is kept current.
 * @typedef {object} Source
 * @property {'connecting' | 'live' | 'waiting'} state
 * @property {APIError} [failure] why it waits
 * @property {number} retryAt when it tries again, by the clock of this machine
 * @property {() => void} retry tries again now
 */

/** What is open. @type {Set<Source>} */
export const sources = new Set();

/** The state of all that is open: that of the worst. @returns {Pick<Source, 'state' | 'failure' | 'retryAt'>} */
export function connection() {
  const waiting = [...sources].filter(({state}) => state === 'waiting');
  if (waiting.length) return waiting.find(({failure}) => failure?.lost) ?? waiting[0];
  return {state: [...sources].some(({state}) => state === 'connecting') ? 'connecting' : 'live', retryAt: 0};
}

/** Tries again now what lost the connection. */
export function retryNow() {
  for (const source of sources) {
    if (source.state === 'waiting' && source.failure?.lost) source.retry();
  }
}

/** Notes in an error whether it means that the connection is lost. @param {APIError} failure */
export function noteLoss(failure) {
  failure.lost = failure.reason === unreachable || [502, 503, 504].includes(failure.code);
  return failure;
}

/** A list of objects that stays current until it is closed. */
export class Live {
  /**
   * @param {string} path
   * @param {{query?: Record<string, string>, table?: boolean, changed: () => void}} options changed is called after changes, at most once for each frame
   */
  constructor(path, {query = {}, table = false, changed}) {
    this.path = path;
    this.query = query;
    this.table = table;
    /** The objects, or the rows of a table, by namespace and name. @type {Map<string, KubeObject>} */
    this.items = new Map();
    /** Increases with each change of items. */
    this.version = 0;
    /** @type {'connecting' | 'live' | 'waiting'} */
    this.state = 'connecting';
    /** Why the list is not current. @type {APIError | undefined} */
    this.failure = undefined;
    /** Whether the list was read once. */
    this.loaded = false;
    this.changed = changed;
    this.scheduled = false;
    this.closed = false;
    this.left = false;
    this.stream = new AbortController();
    this.wake = () => {};
    this.retryAt = 0;
    this.onVisibility = this.onVisibility.bind(this);
    document.addEventListener('visibilitychange', this.onVisibility);
    this.onLeave = this.onLeave.bind(this);
    addEventListener('pagehide', this.onLeave);
    addEventListener('pageshow', this.onLeave);
    sources.add(this);
    this.clock = setInterval(() => this.tick(), 5000);
    this.lastTick = this.lastSign = Date.now();
    this.run();
  }

  close() {
    this.closed = true;
    sources.delete(this);
    clearInterval(this.clock);
    clearTimeout(this.hiding);
    document.removeEventListener('visibilitychange', this.onVisibility);
    removeEventListener('pagehide', this.onLeave);
    removeEventListener('pageshow', this.onLeave);
    this.stream.abort();
    this.wake();
  }

  /** The rows or objects, in no order. */
  values() {
    return [...this.items.values()];
  }

  tick() {
    const now = Date.now();
    const slept = now - this.lastTick > 30_000; // the machine was suspended: its connections may be dead without a sign
    this.lastTick = now;
    if (slept || now - this.lastSign > silenceLimit) this.restart();
  }

  retry() {
    this.wake();
  }

  restart() {
    this.lastSign = Date.now();
    this.stream.abort();
    this.wake();
  }

  onVisibility() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => this.stream.abort(), hiddenLimit);
    } else if (this.stream.signal.aborted) {
      this.wake();
    }
  }

  /** A browser keeps pages that were left, with their connections, in case the user comes back. @param {PageTransitionEvent} event */
  onLeave({type}) {
    this.left = type === 'pagehide';
    if (this.left) this.stream.abort();
    else this.wake();
  }

  notify() {
    this.version++;
    if (this.scheduled) return;
    this.scheduled = true;
    setTimeout(() => {
      this.scheduled = false;
      if (!this.closed) this.changed();
    }, 100);
  }

  /** @param {'connecting' | 'live' | 'waiting'} state @param {APIError} [failure] */
  setState(state, failure) {
    if (this.state === state && this.failure?.message === failure?.message) return;
    const back = state === 'live' && this.failure?.lost;
    this.state = state;
    this.failure = failure;
    if (back) retryNow(); // the others need not wait
    this.notify();
  }

  async run() {
    let version = '', delay = firstDelay;
    while (!this.closed) {
      while ((document.hidden || this.left) && this.stream.signal.aborted && !this.closed) await this.pause(2 ** 31 - 1);
      if (this.closed) return;
      this.stream = new AbortController();
      const started = Date.now();
      let failure;
      try {
        if (!version) version = await this.list();
        if (this.state !== 'waiting') this.setState('live');
        version = await this.watch(version);
      } catch (error) {
        if (this.closed) return;
        if (this.stream.signal.aborted) continue;
        failure = noteLoss(failureOf(error));
        if (failure.code === 401) return; // the page asks to sign in
        if (failure.code) version = ''; // the version is too old (410), or the objects may be others by now
        if (failure.code !== 410) this.setState('waiting', failure);
      }
      this.stream.abort(); // an event that nobody can read ends no connection
      if (Date.now() - started > 5000) {
        delay = firstDelay;
        if (!failure) continue; // servers end each watch after a while
      }
      const wait = delay * (0.5 + Math.random() / 2);
      this.retryAt = Date.now() + wait;
      await this.pause(wait);
      delay = failure && isRefusal(failure.code) ? longestDelay : Math.min(2 * delay, longestDelay);
    }
  }

  /** @param {number} milliseconds */
  pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  async list() {
    const list = await request(this.path, {query: {...this.query, ...(this.table ? {includeObject: 'Metadata'} : {})}, table: this.table, signal: this.stream.signal});
    this.items = new Map();
    if (this.table) this.columns = list.columnDefinitions.map((/** @type {{name: string}} */ column) => column.name);
    for (const item of (this.table ? list.rows : list.items) ?? []) this.put(item);
    this.loaded = true;
    this.lastSign = Date.now();
    this.notify();
    return list.metadata.resourceVersion;
  }

  /** Follows changes until the stream ends, and returns the version that was reached. @param {string} version */
  async watch(version) {
    const answer = await send(this.path, {
      query: {...this.query, ...(this.table ? {includeObject: 'Metadata'} : {}), watch: true, resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds: 300 + Math.floor(Math.random() * 300)},
      table: this.table, signal: this.stream.signal,
    });
    this.setState('live');
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (answer.body).pipeThrough(new TextDecoderStream()).getReader();
    return this.follow(reader, version);
  }

  /** @param {ReadableStreamDefaultReader<string>} reader @param {string} version */
  async follow(reader, version) {
    let rest = '';
    for (;;) {
      let piece;
      try {
        piece = await reader.read();
      } catch (error) {
        if (this.stream.signal.aborted) throw error;
        return version; // the server, or a proxy, ended the connection
      }
      if (piece.done) return version;
      this.lastSign = Date.now();
      const lines = (rest + piece.value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!line) continue;
        const {type, object} = JSON.parse(line);
        if (type === 'ERROR') throw new APIError(object.message ?? '', object.code ?? 410, object.reason);
        const items = this.table ? object.rows ?? [] : [object];
        if (type === 'BOOKMARK') {
          version = (this.table ? items[0]?.object : object)?.metadata?.resourceVersion || object.metadata?.resourceVersion || version;
          continue;
        }
        for (const item of items) {
          if (type === 'DELETED') this.items.delete(keyOf(item));
          else this.put(item);
          version = (item.object ?? item).metadata.resourceVersion;
        }
        this.notify();
      }
    }
  }

  /** @param {KubeObject} item */
  put(item) {
    this.items.set(keyOf(item), this.table ? this.row(item) : item);
  }

  /** Returns the cells of a row by the names of their columns, with the object's metadata, and when it was created, which rows are sorted by. @param {KubeObject} row */
  row(row) {
    /** @type {KubeObject} */
    const cells = {metadata: row.object.metadata, created: Date.parse(row.object.metadata.creationTimestamp)};
    for (const [index, name] of (this.columns ?? []).entries()) cells[name] = row.cells[index];
    return cells;
  }
}

/** Reports whether a status code tells that the same request will fail again. @param {number} code */
const isRefusal = (code) => code >= 400 && code < 500 && code !== 410 && code !== 429;

/** @param {KubeObject} item a row or an object */
function keyOf(item) {
  const {namespace, name} = (item.object ?? item).metadata;
  return `${namespace}/${name}`;
}

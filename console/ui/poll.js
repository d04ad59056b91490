// SPDX-License-Identifier: Apache-2.0
// What the server computes for each request, and sends no changes of: read again and again while the page is visible.

import {APIError, failureOf} from './api.js';
import {noteLoss, sources} from './live.js';

const interval = 10_000; // between two reads
const patience = 30_000; // with a read

/**
 * Something that is read every ten seconds until it is closed.
 * @template T
 */
export class Poll {
  /**
   * @param {(signal: AbortSignal) => Promise<T>} read
   * @param {() => void} changed is called after each read
   */
  constructor(read, changed) {
    this.read = read;
    this.changed = changed;
    /** What was read last. @type {T | undefined} */
    this.value = undefined;
    /** When it was read, in milliseconds since 1970 by the clock of this machine, or 0. */
    this.readAt = 0;
    /** Increases with each change of value. */
    this.version = 0;
    /** Why value is not current. @type {APIError | undefined} */
    this.failure = undefined;
    /** @type {'connecting' | 'live' | 'waiting'} */
    this.state = 'connecting';
    this.triedAt = 0;
    this.stream = new AbortController();
    this.onVisibility = this.onVisibility.bind(this);
    document.addEventListener('visibilitychange', this.onVisibility);
    sources.add(this);
    this.now();
  }

  close() {
    sources.delete(this);
    document.removeEventListener('visibilitychange', this.onVisibility);
    clearTimeout(this.timer);
    this.stream.abort();
  }

  onVisibility() {
    clearTimeout(this.timer);
    if (!document.hidden) this.wait();
  }

  get retryAt() {
    return this.triedAt + interval;
  }

  retry() {
    this.now();
  }

  /** Reads again when it is time. */
  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), Math.max(0, this.retryAt - Date.now()));
  }

  /** Reads again now. A read that has not ended is given up. */
  async now() {
    clearTimeout(this.timer);
    this.stream.abort();
    const stream = this.stream = new AbortController();
    this.triedAt = Date.now();
    try {
      this.value = await this.read(AbortSignal.any([stream.signal, AbortSignal.timeout(patience)]));
      if (stream.signal.aborted) return;
      this.readAt = Date.now();
      this.version++;
      this.failure = undefined;
      this.state = 'live';
    } catch (error) {
      if (stream.signal.aborted) return;
      this.failure = noteLoss(error instanceof DOMException && error.name === 'TimeoutError' ? new APIError('The server does not answer.', 0) : failureOf(error));
      this.state = 'waiting';
      if (this.failure.code === 401) return; // the page asks to sign in
    }
    if (!document.hidden) this.wait();
    this.changed();
  }
}

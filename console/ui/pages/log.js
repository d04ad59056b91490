// SPDX-License-Identifier: Apache-2.0

import {runs} from '../ansi.js';
import {path, send} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {bytes, command, empty, finished, href, narrow, problem, shown, stateBadge} from '../parts.js';
import {credentials} from '../session.js';
import {local} from '../time.js';
import {startWorker} from '../workers.js';
import {recordOf, runOf} from './build.js';

/** @typedef {Record<string, any>} KubeObject */
/** @typedef {{number: number, time: string, text: string, more: number, style: import('../ansi.js').Style}} Line */

const lineHeight = 20; // as in style.css
const tallest = 8_000_000; // browsers have no taller elements than 33,554,428 px: the scrollbar of a longer log is scaled
const reopenDelay = 2000, longestDelay = 30_000;

/** The log of a build. */
export class LogPage {
  /** @param {import('../app.js').App} app @param {string} name */
  constructor(app, name) {
    this.app = app;
    this.name = name;
    this.title = `Log of ${name}`;
    this.builds = new Live(path('imagebuilds', app.namespace), {query: {fieldSelector: `metadata.name=${name}`}, changed: () => this.onChange()});
    this.worker = startWorker('log');
    this.worker.onmessage = ({data}) => this.receive(data);
    this.lines = 0;
    this.size = 0;
    this.dropped = 0;
    this.partial = false;
    this.ended = false;
    /** @type {{message: string} | undefined} */
    this.failure = undefined;
    this.failures = 0;
    /** The attempt that was opened, or nothing before. @type {string | undefined} */
    this.attempt = undefined;
    /** The last line of a build that failed. @type {string | undefined} */
    this.failing = undefined;
    /** The UID of a build that was deleted. */
    this.uid = app.query('uid');
    this.first = 0; // the line at the top of the view
    this.visible = 40; // lines in the view
    /** What the view was drawn for: until it is drawn again, it cannot show another line. @type {{lines: number, dropped: number, wanted?: number}} */
    this.drawn = {lines: 0, dropped: 0};
    const anchor = /^#L(\d+)$/.exec(location.hash);
    /** A line to show as soon as it was read, from 1. */
    this.target = anchor ? Number(anchor[1]) : 0;
    this.marked = this.target;
    this.following = !this.target;
    this.scrolls = false; // the page scrolls, not the user
    /** @type {Map<number, Line>} */
    this.content = new Map();
    this.asked = '';
    /** The number of lines when the last of them was read again. @type {number | undefined} */
    this.lastLine = undefined;
    /** @type {number[]} */
    this.matches = [];
    this.allMatches = true;
    this.match = -1;
    this.searched = false;
    /** Whether the page waits for the matches of a new search, to go to the first of them. */
    this.searching = false;
    this.wrap = (localStorage.getItem('goldsmith.wrap') ?? String(narrow.matches)) === 'true';
    this.times = localStorage.getItem('goldsmith.times') === 'true';
  }

  close() {
    this.builds.close();
    this.worker.terminate();
    clearTimeout(this.reopening);
  }

  build() {
    return this.builds.values()[0];
  }

  onChange() {
    const attempt = this.app.query('attempt') || String(this.build()?.status?.currentAttempt ?? '');
    if (this.builds.loaded && attempt !== this.attempt) {
      this.attempt = attempt;
      if (this.build() || this.uid) this.open(true);
      else this.openDeleted();
    }
    this.app.update();
  }

  /** Opens the log of a build that was deleted, whose UID is in its record. */
  async openDeleted() {
    const record = await recordOf(this.app.namespace, this.name).catch(() => undefined);
    this.uid = record?.uid ?? '';
    this.open(true);
  }

  /** @param {boolean} fresh whether it is another log */
  open(fresh) {
    this.failure = undefined;
    this.ended = false;
    const build = this.build();
    if (build && !build.status?.startTime && !finished(build.status?.phase)) return; // it has no log yet
    const query = new URLSearchParams({timestamps: 'true', pretty: '0'});
    if (this.app.query('attempt')) query.set('attempt', this.app.query('attempt'));
    if (this.uid) query.set('uid', this.uid);
    const follow = Boolean(build) && !finished(build?.status?.phase);
    if (fresh) {
      this.content.clear();
      this.matches = [];
      this.searched = false;
    }
    this.worker.postMessage({type: 'open', url: `${path('imagebuilds', this.app.namespace, this.name, 'log')}?${query}`, headers: credentials(), follow, fresh});
  }

  /** @param {any} data */
  receive(data) {
    const grown = data.lines !== this.lines;
    this.lines = data.lines;
    this.size = data.bytes;
    this.dropped = data.dropped;
    this.partial = data.partial && data.type !== 'whole';
    if (data.type === 'lines') {
      for (const line of data.content) this.content.set(line.number, line);
      if (this.content.size > 4000) this.content = new Map([...this.content].filter(([number]) => Math.abs(number - this.first) < 1000));
    } else if (data.type === 'whole') {
      this.content.clear();
      this.asked = '';
      if (!this.following && data.added) this.scrollTo((this.wanted ?? this.drawn.wanted ?? this.first) + data.added);
      if (this.marked && !this.target) this.marked += data.added;
      this.searchAgain();
    } else if (data.type === 'matches' && data.text === this.app.query('q')) {
      this.matches = data.matches;
      this.allMatches = data.all;
      this.match = this.searching ? -1 : this.matches.indexOf(this.marked - 1);
      if (this.matches.length && this.searching) this.step(1);
      this.searching = false;
    } else if (data.type === 'failure') {
      this.failure = data;
      if (data.code === 401) this.builds.restart(); // its request asks to sign in
      else if (data.code !== 404 && data.code !== 403) this.reopen(reopenDelay * 2 ** this.failures++);
    } else if (data.type === 'end') {
      this.ended = finished(this.build()?.status?.phase) || !this.build();
      this.searchAgain();
      if (!this.ended) this.reopen(reopenDelay);
    }
    if (this.lines && !this.searched && this.app.query('q')) this.search(this.app.query('q'));
    if (grown) {
      this.lastLine = undefined;
      this.failures = 0;
    }
    if (this.target && (this.lines >= this.target || this.ended) && !this.partial) {
      this.scrollTo(Math.max(0, this.target - 1 - Math.floor(this.visible / 3)));
      this.target = 0;
    }
    this.app.update();
  }

  /** @param {number} delay */
  reopen(delay) {
    clearTimeout(this.reopening);
    this.reopening = setTimeout(() => this.open(this.lines === 0), Math.min(delay, longestDelay));
  }

  /** @param {string} text */
  search(text) {
    this.searched = this.searching = true;
    this.app.setQuery({q: text});
    this.worker.postMessage({type: 'search', text: this.app.query('q')});
  }

  /** Finds what is new, and stays where it is. */
  searchAgain() {
    const text = this.app.query('q');
    if (text && this.searched) this.worker.postMessage({type: 'search', text});
  }

  /** Goes to the next or the previous match. @param {number} step */
  step(step) {
    if (!this.matches.length) return;
    if (this.match < 0 && step > 0) {
      const next = this.matches.findIndex((line) => line >= this.first);
      this.match = next < 0 ? 0 : next;
    } else {
      this.match = (this.match + step + this.matches.length) % this.matches.length;
    }
    this.following = false;
    this.marked = this.matches[this.match] + 1;
    this.scrollTo(Math.max(0, this.matches[this.match] - Math.floor(this.visible / 3)));
    this.app.update();
  }

  /** @type {HTMLElement | null} */
  get view() {
    return document.querySelector('.logview');
  }

  height() {
    return Math.min(tallest, (this.lines - this.dropped) * lineHeight + 16);
  }

  /** Shows a line at the top. @param {number} line */
  scrollTo(line) {
    this.wanted = line;
    this.app.update();
  }

  /** After each rendering: moves the view to where it belongs, and asks for the lines in it. */
  settle() {
    const {view} = this;
    if (!view) return;
    const visible = Math.max(1, Math.floor(view.clientHeight / lineHeight));
    if (visible !== this.visible) {
      this.visible = visible;
      this.app.update();
    }
    const {lines, dropped, wanted} = this.drawn;
    const range = Math.max(1, lines - dropped - visible + 1), space = Math.max(1, view.scrollHeight - view.clientHeight);
    if (wanted !== undefined || this.following) {
      const line = this.following ? range : (wanted ?? 0) - dropped;
      this.drawn.wanted = undefined;
      const top = Math.round(Math.min(1, line / range) * space);
      if (Math.abs(view.scrollTop - top) > 1) {
        this.scrolls = true;
        view.scrollTop = top;
      }
    }
    const first = dropped + Math.max(0, Math.min(range, Math.round((view.scrollTop / space) * range)));
    if (first !== this.first) {
      this.first = first;
      this.app.update();
    }
    const from = Math.max(dropped, first - 50), to = Math.min(lines, first + visible + 100);
    const missing = [from, to - 1, Math.min(first + visible, lines - 1), first].some((line) => line >= 0 && line < lines && !this.content.has(line));
    const asked = `${from} ${to} ${lines}`;
    if (missing && asked !== this.asked && to > from) {
      this.asked = asked;
      this.worker.postMessage({type: 'lines', from, to});
    }
    if (this.lines !== this.lastLine && this.content.has(this.lines - 1) && !this.ended) {
      this.lastLine = this.lines;
      this.worker.postMessage({type: 'lines', from: this.lines - 1, to: this.lines}); // it may have grown
    }
  }

  onScroll = () => {
    const {view} = this;
    if (!view) return;
    const bottom = view.scrollHeight - view.clientHeight - view.scrollTop < 2;
    if (!this.scrolls) this.following = bottom && !this.ended ? true : bottom && this.following;
    this.scrolls = false;
    this.app.update();
  };

  /** @type {(event: KeyboardEvent) => void} */
  onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'n' || event.key === 'N') this.step(event.shiftKey ? -1 : 1);
    else if (event.key === 'G' || event.key === 'End') this.following = true;
    else if (event.key === 'g' || event.key === 'Home') this.leave(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.app.update();
  };

  /** Stops to follow, and shows a line. @param {number} line */
  leave(line) {
    this.following = false;
    this.scrollTo(line);
  }

  /** @param {'wrap' | 'times'} option */
  toggle(option) {
    this[option] = !this[option];
    localStorage.setItem(`goldsmith.${option}`, String(this[option]));
    this.app.update();
  }

  /** Marks a line in the address. @param {Event} event @param {number} line from 1 */
  mark(event, line) {
    event.preventDefault();
    this.marked = line;
    this.following = false;
    history.replaceState(null, '', `${location.pathname}${location.search}#L${line}`);
    this.app.update();
  }

  async download() {
    this.saving = true;
    this.app.update();
    try {
      const query = {attempt: this.app.query('attempt'), uid: this.uid};
      const answer = await send(path('imagebuilds', this.app.namespace, this.name, 'log'), {query});
      const link = document.createElement('a');
      link.href = URL.createObjectURL(await answer.blob());
      link.download = `${this.name}.log`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      this.failure = /** @type {Error} */ (error);
    }
    this.saving = false;
    this.app.update();
  }

  render() {
    requestAnimationFrame(() => this.settle());
    const {namespace} = this.app, build = this.build();
    const attempts = build?.status?.attempts ?? [];
    const image = build?.spec.imageRef?.name;
    const query = this.app.query('q');
    return html`<header class="title">
        <p class="over">${image ? html`<a href=${href(namespace, 'images', image)}>${image}</a> / ` : nothing}<a href=${href(namespace, 'builds', this.name)}>${this.name}</a> / log</p>
        <h1>Log of ${this.name}</h1>${build ? stateBadge(build.status) : nothing}
        <span class="actions">
          ${attempts.length > 1 ? html`<label class="inline">Run <select @change=${(/** @type {Event} */ event) => { this.app.setQuery({attempt: /** @type {HTMLSelectElement} */ (event.target).value}); this.onChange(); }}>${attempts.map((/** @type {KubeObject} */ attempt) => html`<option value=${attempt.number} .selected=${String(attempt.number) === this.attempt}>${runOf(attempts, attempt)}</option>`)}</select></label>` : nothing}
          <button type="button" aria-pressed=${String(this.times)} @click=${() => this.toggle('times')}>Times</button>
          <button type="button" aria-pressed=${String(this.wrap)} @click=${() => this.toggle('wrap')}>Wrap</button>
          <button type="button" ?disabled=${this.saving || !this.lines} @click=${() => this.download()}>${this.saving ? 'Saving' : 'Save'}</button>
        </span>
      </header>
      <div class="logbar">
        <input type="search" placeholder="Search" aria-label="Search the log" .value=${query} @input=${(/** @type {Event} */ event) => this.search(/** @type {HTMLInputElement} */ (event.target).value)}
          @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && this.step(event.shiftKey ? -1 : 1)}>
        ${query ? html`<span role="status">${this.matches.length ? `${this.match < 0 ? '' : `${this.match + 1} of `}${this.allMatches ? '' : 'more than '}${this.matches.length} lines` : 'no match'}</span>
          <button type="button" @click=${() => this.step(-1)} aria-label="Previous match">↑</button><button type="button" @click=${() => this.step(1)} aria-label="Next match">↓</button>` : nothing}
        <span class="muted">${this.partial ? 'the end of the log; the rest is loading' : `${this.lines} lines, ${bytes(this.size)}`}${this.dropped ? `; the first ${this.dropped} lines are left out: save the log to read them` : ''}</span>
        ${this.ended || this.lines === 0 ? nothing : html`<button type="button" aria-pressed=${String(this.following)} @click=${() => { this.following = !this.following; this.app.update(); }}>${this.following ? 'Following' : 'Follow'}</button>`}
      </div>
      ${problem(this.builds.failure?.lost ? undefined : this.failure ?? this.builds.failure)}
      ${this.body(build)}
      <p class="muted">In a terminal: ${shown(command(namespace, 'logs', this.name, ...(this.app.query('attempt') ? ['--attempt', this.app.query('attempt')] : []), ...(finished(build?.status?.phase) || !build ? [] : ['-f'])))}</p>`;
  }

  /** @param {KubeObject | undefined} build */
  body(build) {
    if (this.builds.loaded && build && this.lines === 0 && !this.failure) {
      if (!build.status?.startTime && !finished(build.status?.phase)) return empty('The build has not started', 'Its log appears here when it starts.');
      if (this.ended) return empty('The log is empty', 'The builder wrote nothing.');
    }
    if (this.lines === 0 && !this.failure) return html`<p class="loading">Loading the log.</p>`;
    this.drawn = {lines: this.lines, dropped: this.dropped, wanted: this.wanted ?? this.drawn.wanted};
    this.wanted = undefined;
    const lines = [];
    for (let line = this.first; line < Math.min(this.lines, this.first + this.visible + 2); line++) lines.push(line);
    const atEnd = this.first + this.visible >= this.lines;
    this.failing = build?.status?.failure?.logTail?.trimEnd().split('\n').at(-1) || undefined;
    return html`<div class="logview" tabindex="0" role="region" aria-label="Log" @scroll=${this.onScroll} @keydown=${this.onKey}>
      <div class="logsize" .style=${`height: ${this.height()}px`}><div class="loglines ${this.wrap ? 'wrapped' : ''} ${atEnd && this.wrap && this.lines > this.visible ? 'at-end' : ''}"><div>${lines.map((line) => this.line(line))}</div></div></div></div>`;
  }

  /** @param {number} index */
  line(index) {
    const line = this.content.get(index);
    const number = index + 1;
    return html`<div class="logline ${number === this.marked && !this.partial ? 'marked' : ''} ${line && line.text === this.failing ? 'failing' : ''}">${this.partial ? html`<span class="number"></span>` : html`<a class="number" href=${`#L${number}`} tabindex="-1" aria-label=${`Line ${number}`} @click=${(/** @type {Event} */ event) => this.mark(event, number)}>${number}</a>`}
      ${this.times && line?.time ? html`<time title=${local(line.time)}>${line.time.slice(11, 23).replace(/Z.*/, '').padEnd(12)}</time>` : nothing}<code>${line ? runs(line.text, line.style).map((run) => html`<span class=${run.style}>${this.highlighted(run.text)}</span>`) : ''}${line?.more ? html`<span class="muted"> and ${bytes(line.more)} more: save the log to read them</span>` : nothing}</code></div>`;
  }

  /** @param {string} text */
  highlighted(text) {
    const query = this.app.query('q').toLowerCase();
    if (!query) return text;
    const parts = [];
    let at = 0;
    for (let found = text.toLowerCase().indexOf(query); found >= 0; found = text.toLowerCase().indexOf(query, at)) {
      parts.push(text.slice(at, found), html`<mark>${text.slice(found, found + query.length)}</mark>`);
      at = found + query.length;
    }
    return [...parts, text.slice(at)];
  }
}

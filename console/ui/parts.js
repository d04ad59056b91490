// SPDX-License-Identifier: Apache-2.0
// Small parts that several pages have.

import {encode, everywhere} from './api.js';
import {html, nothing, svg} from './html.js';
import {session} from './session.js';
import {age, local, now} from './time.js';

/** @typedef {import('./html.js').Content} Content */
/** @typedef {'ok' | 'failed' | 'running' | 'waiting' | 'warning' | 'idle'} Tone */

/** The shape of each tone: states differ by more than their colour. @type {Record<Tone, Content>} */
const shapes = {
  ok: svg`<circle cx="8" cy="8" r="7" class="fill"></circle><path d="m4.8 8.2 2.2 2.3 4.2-4.6" class="mark"></path>`,
  failed: svg`<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" class="fill"></path><path d="m5.5 5.5 5 5m0-5-5 5" class="mark"></path>`,
  running: svg`<circle cx="8" cy="8" r="6" class="track"></circle><path d="M8 2a6 6 0 0 1 6 6" class="line turning"></path>`,
  waiting: svg`<circle cx="8" cy="8" r="6.2" class="line"></circle><path d="M8 4.5V8l2.4 1.6" class="line"></path>`,
  warning: svg`<path d="M8 1.5 15 14H1z" class="fill"></path><path d="M8 6v3.8m0 1.6v.6" class="mark"></path>`,
  idle: svg`<circle cx="8" cy="8" r="6.2" class="line"></circle><path d="M5 8h6" class="line"></path>`,
};

/** @param {Tone} tone */
export const icon = (tone) => html`<svg class="icon ${tone}" viewBox="0 0 16 16" aria-hidden="true">${shapes[tone]}</svg>`;

/**
 * Shows a state by its shape, its colour and a word.
 * @param {Tone} tone
 * @param {string} word
 */
export const badge = (tone, word) => html`<span class="badge ${tone}">${word}</span>`;

/** Whether the window is narrow: as in style.css. */
export const narrow = matchMedia('(max-width: 48rem)');

/** Stands for a value that is missing. */
export const none = html`<span class="muted">none</span>`;

/** @type {Record<string, Tone>} */
const phases = {
  Pending: 'waiting', Queued: 'waiting', Starting: 'running', Running: 'running', Retrying: 'running', Testing: 'running', Cancelling: 'running',
  Succeeded: 'ok', Failed: 'failed', Cancelled: 'idle',
};

/** @param {string | undefined} phase of a build @returns {Tone} */
export const toneOf = (phase) => phases[phase ?? ''] ?? 'waiting';

/** @param {string | undefined} phase of a build */
export const finished = (phase) => phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled';

/** @param {string} phase of a build */
export const phaseBadge = (phase) => badge(toneOf(phase), phase || 'Pending');

/** Reports whether a revocation is in effect: it can be scheduled. @param {{time: string, effectiveTime?: string} | undefined} revoked */
export const inEffect = (revoked) => Boolean(revoked) && Date.parse(revoked?.effectiveTime ?? revoked?.time ?? '') <= now();

/** The phase of a build, or that it is revoked. @param {{phase?: string, revoked?: any} | undefined} status of the build, or its record */
export const stateBadge = ({phase, revoked} = {}) => (inEffect(revoked) ? badge('failed', 'Revoked') : phaseBadge(phase ?? ''));

/** Shows how long ago something was, with the time itself as its title. @param {string | undefined} timestamp */
export const ago = (timestamp) => (timestamp ? html`<time datetime=${timestamp} title=${local(timestamp)}>${age(timestamp)}</time>` : nothing);

/**
 * Returns the address of a page.
 * @param {string} namespace
 * @param {string[]} parts
 */
export const href = (namespace, ...parts) => `/ui/ns/${[namespace, ...parts].map(encode).join('/')}`;

/** The address of the comparison of two builds. @param {string} namespace @param {string} from @param {string} to */
export const comparison = (namespace, from, to) => `${href(namespace, 'diff')}?from=${encode(from)}&to=${encode(to)}`;

/** Quotes a word for a shell, if it needs quotes. @param {string} word */
export const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/**
 * Returns the command that does what a page does.
 * @param {string} namespace that the command names unless it is the kubeconfig's, or empty for what has none
 * @param {string[]} words
 */
export function command(namespace, ...words) {
  const first = words[0] === 'kubectl' ? ['goldsmith', 'kubectl'] : ['goldsmith'];
  const rest = words[0] === 'kubectl' ? words.slice(1) : words;
  let scope = /** @type {string[]} */ ([]);
  if (namespace === everywhere) scope = ['--all-namespaces'];
  else if (namespace && namespace !== (session().namespace ?? 'default')) scope = ['-n', namespace];
  return [...first, ...rest.map(quote), ...scope.map(quote)].join(' ');
}

/** Shows a command to copy. @param {string} text */
export const shown = (text) => html`<span class="command"><code class="overflow">${text}</code><button type="button" class="quiet" title="Copy this command" aria-label="Copy the command ${text}"
  @click=${(/** @type {Event} */ event) => copy(/** @type {HTMLElement} */ (event.currentTarget), text)}>Copy</button></span>`;

/** @param {HTMLElement} button @param {string} text */
export async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.dataset.done = 'Copied';
  } catch {
    const code = button.closest('.command, section')?.querySelector('code, pre');
    if (code) getSelection()?.selectAllChildren(code);
    button.dataset.done = 'Press Ctrl-C';
  }
  setTimeout(() => delete button.dataset.done, 2000);
}

/**
 * Shows that there is nothing, and what to do.
 * @param {Content} title
 * @param {Content} text
 * @param {string[]} commands
 */
export const empty = (title, text, ...commands) => html`<div class="empty"><h2>${title}</h2><p>${text}</p>${commands.map((text) => html`<p>${shown(text)}</p>`)}</div>`;

/**
 * Shows that a page has nothing to show, and what to do.
 * @param {Content} title
 * @param {Content} text
 * @param {string[]} commands
 */
export const missing = (title, text, ...commands) => html`<div class="empty"><h1>${title}</h1><p>${text}</p>${commands.map((text) => html`<p>${shown(text)}</p>`)}</div>`;

/** Shows an error of the API. The frame shows that the connection is lost. @param {{message: string, lost?: boolean, causes?: {field?: string, message?: string}[]} | undefined} failure */
export const problem = (failure) => (failure && !failure.lost ? html`<div class="problem" role="alert">${icon('failed')}<div><p>${failure.causes?.length === 1 ? causeOf(failure.causes[0]) : withoutPattern(failure.message)}</p>
  ${failure.causes?.length && failure.causes.length > 1 ? html`<ul>${failure.causes.map((cause) => html`<li>${causeOf(cause)}</li>`)}</ul>` : nothing}</div></div>` : nothing);

/** @param {{field?: string, message?: string}} cause */
const causeOf = ({field, message}) => html`${field ? html`<code>${field}</code>: ` : nothing}${withoutPattern(message)}`;

/** A message of the server without the regular expression at its end, which its words explain. @param {string | undefined} message */
export const withoutPattern = (message = '') => message.replace(/ \(e\.g\. [^()]*, regex used for validation is '.*'\)$/, '');

/** Begins a message of the server with a capital letter, if it begins with a word: names stay as they are. @param {string} text */
export const capital = (text) => text.replace(/^[a-z]+(?=[ ,])/, (word) => word[0].toUpperCase() + word.slice(1));

/** A number of things. @param {number | string} count @param {string} thing */
export const plural = (count, thing) => `${count} ${thing}${String(count) === '1' ? '' : 's'}`;

/** Formats a number of bytes. @param {number | undefined} bytes */
export function bytes(bytes) {
  if (bytes === undefined) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0, value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Shows a digest by its beginning. @param {string | undefined} digest */
export const digest = (digest) => (digest ? html`<code class="digest" title=${digest}>${digest.replace(/^sha256:/, '').slice(0, 12)}</code>` : nothing);

/**
 * Shows names and values.
 * @param {[Content, Content | undefined][]} entries entries without a value are left out
 */
export const facts = (entries) => html`<dl class="facts">${entries.map(([name, value]) => (value === undefined || value === '' || value === nothing ? nothing : html`<div><dt>${name}</dt><dd>${value}</dd></div>`))}</dl>`;

/**
 * Shows a part of a page under a heading.
 * @param {Content} title
 * @param {Content} content
 * @param {Content} aside beside the heading
 */
export const section = (title, content, aside = nothing) => html`<section><header><h2>${title}</h2>${aside}</header>${content}</section>`;

/**
 * The heading of a list.
 * @param {string} title
 * @param {number | undefined} count undefined until the list was read
 * @param {Content[]} rest filters and actions
 */
export const listTitle = (title, count, ...rest) => html`<header class="title"><h1>${title}${count === undefined ? nothing : html` <span class="count">${count}</span>`}</h1>${rest}</header>`;

/** The field that filters a page by the query q of its address. @param {import('./app.js').App} app @param {string} label */
export const filterField = (app, label) => html`<input type="search" placeholder="Filter" aria-label=${label} .value=${app.query('q')} @input=${(/** @type {Event} */ event) => app.setQuery({q: /** @type {HTMLInputElement} */ (event.target).value})}>`;

/**
 * Buttons that filter a page by a value of its address.
 * @param {import('./app.js').App} app
 * @param {string} name of the value
 * @param {string} label of the group
 * @param {[string, Content, number | undefined][]} choices values, with what the buttons show and how many objects have them
 */
export function filterChoices(app, name, label, choices) {
  const chosen = app.query(name);
  return html`<span class="choices" role="group" aria-label=${label}>${choices.map(([value, content, count]) => html`<button type="button" aria-pressed=${value === chosen} @click=${() => app.setQuery({[name]: value === chosen ? '' : value})}>${content} ${count ?? nothing}</button>`)}</span>`;
}

/**
 * Counts open vulnerabilities, and packages whose vulnerabilities are unknown, the worst first.
 * @param {Record<string, number>} counts
 * @returns {string} empty if there is none
 */
export const countsOf = (counts) => [['unreadable', 'critical', 'high', 'medium', 'low', 'negligible', 'unknown'].filter((level) => counts[level]).map((level) => `${counts[level]} ${level}`).join(', '),
  counts.unmatched ? `those of ${plural(counts.unmatched, 'package')} are unknown` : ''].filter(Boolean).join('; ');

/** Shows severe vulnerabilities beside the state of a build or an image. @param {Record<string, number> | undefined} counts */
export function severeBadge(counts = {}) {
  const severe = ['critical', 'high', 'unreadable'].filter((level) => counts[level]);
  return severe.length ? badge('warning', `Vulnerabilities: ${severe.map((level) => `${counts[level]} ${level}`).join(', ')}`) : nothing;
}

/**
 * Finds a condition of an object.
 * @param {{status?: Record<string, any>}} object
 * @param {string} wanted the type of the condition
 * @param {string} [value] that its status must have
 * @returns {Record<string, any> | undefined}
 */
export const conditionOf = ({status: {conditions = []} = {}}, wanted, value) => conditions.find((/** @type {Record<string, any>} */ {type, status}) => type === wanted && (!value || status === value));

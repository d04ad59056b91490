// SPDX-License-Identifier: Apache-2.0

import {everywhere, path} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {ago, badge, capital, command, empty, filterChoices, filterField, href, listTitle, none, problem, toneOf} from '../parts.js';
import {inWords, meaningOf} from '../reasons.js';
import {buildAction} from '../requests.js';
import {Table} from '../table.js';
import {isRevoked} from './builds.js';

/** @typedef {import('../parts.js').Tone} Tone */
/** @typedef {Record<string, any>} Row */

/** How many builds the list of images shows for each image. */
const recent = 10;

/** The states of images, in the order in which they need attention. @type {[string, Tone][]} */
export const states = [['Failed', 'failed'], ['Revoked', 'failed'], ['Never built', 'waiting'], ['Outdated', 'warning'], ['Building', 'running'], ['Ready', 'ok']];

/**
 * The state of an image in one word.
 * @param {Row} row
 */
export function stateOf(row) {
  if (row.Active > 0) return 'Building';
  if (row.Reason === 'Revoked' || row.Reason === 'BuildRevoked') return 'Revoked';
  if (row.Ready !== 'True') return row.LastFailure ? 'Failed' : 'Never built';
  if (row.LastFailure) return 'Failed';
  return row.UpToDate === 'False' ? 'Outdated' : 'Ready';
}

/** Reasons that keep triggers from starting builds, in words. @type {Record<string, string>} */
const holds = {Suspended: 'Its inputs changed, and its triggers are off', TooManyFailures: 'Too many failures: it starts no build by itself'};

/** How the last finished build ended: its name, its reason, and the message of the builder. */
const ending = /^build (\S+) ended with (\w+)(?:: (.*))?$/s;

/** What keeps an image from being built, and then what is wrong with it. @param {Row} row @returns {string} */
function why(row) {
  const state = stateOf(row), {Reason: reason, LastFailure: failure} = row;
  const held = row.Suspended === 'true' ? 'Suspended' : holds[reason];
  if (state === 'Ready' || state === 'Building') return row.Suspended === 'true' ? held : '';
  const [, , failed, message] = ending.exec(failure ?? '') ?? [];
  const cause = [failed, 'BuildFailed', 'NeverBuilt', ...Object.keys(holds)].includes(reason) ? '' : inWords(reason);
  return [held, cause === state ? '' : cause, failure && capital(message || inWords(failed) || failure)].filter(Boolean).join('. ') || (state === 'Outdated' ? 'Its inputs, tests or packages changed' : '');
}

/** Why, as a link to the build that failed. @param {Row} row */
function whyCell(row) {
  const build = ending.exec(row.LastFailure ?? '')?.[1], text = html`<span class="lines">${why(row)}</span>`;
  return build && stateOf(row) === 'Failed' ? html`<a href=${href(row.metadata.namespace, 'builds', build)} tabindex="-1">${text}</a>` : text;
}

/** Since when an image is in its state, if that needs attention. @param {Row} row */
const since = (row) => (row.Since && !['Ready', 'Building', 'Never built'].includes(stateOf(row)) ? row.Since : undefined);

/** When the next build starts by itself. @param {Row} row */
const next = (row) => (row.Suspended === 'true' ? 'suspended' : row.Reason === 'TooManyFailures' ? 'none' : row.Next && `in ${row.Next}`);

/** The vulnerabilities of the latest success, the most severe first. @param {Row} row */
function vulnerabilities({Vulnerabilities: text = ''}) {
  if (!text || text === 'none') return text && none;
  const short = text.replace(/, \d+ with a fix/, '').replace(/^none, /, '');
  return /Critical|High|Unreadable|unmatched/.test(text) ? badge('warning', short) : short;
}

/** What vulnerabilities are sorted by: the least first. @param {Row} row */
const severity = ({Vulnerabilities: text = ''}) => ['Unreadable', 'Critical', 'High', 'Medium', 'Low'].reduce((sum, level) => 1000 * sum + Math.min(999, Number(new RegExp(`(\\d+) ${level}`).exec(text)?.[1] ?? 0)), 0);

/** @param {Row} row */
const latest = (row) => (row.Latest && row.Latest !== '<none>' ? html`<a href=${href(row.metadata.namespace, 'builds', row.Latest)}>${row.Latest}</a>` : nothing);

/** All images of a namespace. */
export class ImagesPage {
  title = 'Images';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    const changed = () => app.update();
    const scope = (/** @type {Row} */ row) => (app.namespace === everywhere ? html`<span class="narrow">${row.metadata.namespace}/</span>` : nothing);
    this.images = new Live(path('images', app.namespace), {table: true, changed});
    this.builds = new Live(path('imagebuilds', app.namespace), {table: true, changed});
    /** The latest builds of each image, the oldest first. @type {Map<string, Row[]>} */
    this.recent = new Map();
    this.recentOf = -1;
    this.count = 0;
    /** The images of each state. @type {Partial<Record<string, Row[]>>} */
    this.counts = {};
    this.table = new Table(app, {
      label: 'Images', sort: 'state', key: (row) => `${row.metadata.namespace}/${row.Name}`, under: (row) => html`${latest(row)} ${since(row) ? html`${ago(since(row))} ` : nothing}${why(row)}`,
      columns: [
        {name: 'state', title: 'State', by: (row) => states.findIndex(([name]) => name === stateOf(row)), cell: (row) => this.state(row)},
        {name: 'name', title: 'Image', by: (row) => row.Name, cell: (row) => html`<a href=${href(row.metadata.namespace, 'images', row.Name)}>${scope(row)}${row.Name}</a>`},
        ...(app.namespace === everywhere ? [{name: 'namespace', title: 'Namespace', from: /** @type {'medium'} */ ('medium'), by: (/** @type {Row} */ row) => row.metadata.namespace, cell: (/** @type {Row} */ row) => row.metadata.namespace}] : []),
        {name: 'why', title: 'Why', from: 'medium', by: why, cell: whyCell, tip: (row) => [why(row), why(row) && meaningOf(row.Reason)].filter(Boolean).join('\n')},
        {name: 'since', title: 'Since', from: 'medium', by: (row) => -Date.parse(since(row) ?? '') || 0, cell: (row) => ago(since(row))},
        {name: 'recent', title: 'Recent builds', from: 'medium', cell: (row) => this.outcomes(row)},
        {name: 'latest', title: 'Latest', from: 'wide', by: (row) => row.Latest, cell: latest},
        {name: 'base', title: 'Base', from: 'wide', by: (row) => row.Base, cell: (row) => row.Base},
        {name: 'vulnerabilities', title: 'Vulnerabilities', from: 'broad', by: severity, cell: vulnerabilities, tip: (row) => row.Vulnerabilities},
        {name: 'channels', title: 'Channels', from: 'broad', by: (row) => row.Channels, cell: (row) => row.Channels, tip: (row) => row.Channels},
        {name: 'next', title: 'Next start', from: 'broad', cell: next},
        {name: 'age', title: 'Age', from: 'wide', by: (row) => -Date.parse(row.metadata.creationTimestamp), cell: (row) => ago(row.metadata.creationTimestamp)},
        {name: 'act', title: 'Action', from: 'medium', cell: (row) => app.actions.button(buildAction(row.metadata.namespace, row.Name), 'small')},
      ],
    });
  }

  close() {
    this.images.close();
    this.builds.close();
  }

  /** @param {Row} row */
  state(row) {
    const state = stateOf(row);
    const tone = states.find(([name]) => name === state)?.[1] ?? 'waiting';
    return badge(tone, state);
  }

  /** @param {Row} row */
  outcomes(row) {
    if (this.recentOf !== this.builds.version) {
      this.recentOf = this.builds.version;
      this.recent = recentBuilds(this.builds.values());
    }
    const builds = this.recent.get(`${row.metadata.namespace}/${row.Name}`) ?? [];
    return html`<span class="outcomes">${builds.map((build) => html`<a class="outcome ${isRevoked(build) ? 'failed' : toneOf(build.Phase)}" href=${href(build.metadata.namespace, 'builds', build.Name)}
      title=${`${build.Name}: ${build.Phase}${build.Why ? `, ${inWords(build.Why)}` : ''}${build.OneOff === 'true' ? ', one-off' : ''}`} aria-label=${`${build.Name} ${build.Phase}`} tabindex="-1"></a>`)}</span>`;
  }

  render() {
    const text = this.app.query('q').toLowerCase(), state = this.app.query('state');
    this.table.set(`${this.images.version} ${text} ${state}`, () => {
      const all = this.images.values();
      this.count = all.length;
      this.counts = Object.groupBy(all, stateOf);
      return all.filter((row) => (!state || stateOf(row) === state) && (!text || `${row.metadata.namespace}/${row.Name} ${row.Base} ${row.Channels} ${row.Builder} ${row.metadata.labels?.['catalog.goldsmith.dev/kind'] ?? ''}`.toLowerCase().includes(text)));
    });
    return html`${listTitle('Images', this.images.loaded ? this.count : undefined, filterField(this.app, 'Filter the images'),
      filterChoices(this.app, 'state', 'State', states.filter(([name]) => this.counts[name] || name === state).map(([name, tone]) => [name, badge(tone, name), this.counts[name]?.length ?? 0])),
      html`<span class="actions"><a class="button" href=${href(this.app.namespace, 'new')}>New image</a></span>`)}
    ${problem(this.images.failure ?? this.builds.failure)}
    ${this.content()}`;
  }

  content() {
    const {namespace} = this.app;
    if (!this.images.loaded) return this.images.failure ? nothing : html`<p class="loading">Loading the images.</p>`;
    if (!this.count) return empty(namespace === everywhere ? 'There are no images' : `Namespace ${namespace} has no images`, 'An Image declares what to build, and when. Write one, and apply it:', command(namespace, 'init', 'web'), command(namespace, 'kubectl', 'apply', '-f', 'web.yaml'));
    if (!this.table.rows.length) return empty('No image matches', 'Change the filter, or remove it.');
    return this.table.template();
  }
}

/** @param {Row[]} builds */
function recentBuilds(builds) {
  /** @type {Map<string, Row[]>} */
  const byImage = new Map();
  for (const build of builds) {
    const key = `${build.metadata.namespace}/${build.Image}`;
    const those = byImage.get(key);
    if (those) those.push(build);
    else byImage.set(key, [build]);
  }
  for (const [key, those] of byImage) {
    those.sort((a, b) => Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) || a.Name.localeCompare(b.Name, undefined, {numeric: true}));
    byImage.set(key, those.slice(-recent));
  }
  return byImage;
}

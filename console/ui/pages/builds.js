// SPDX-License-Identifier: Apache-2.0

import {everywhere, path} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {badge, command, empty, filterChoices, filterField, finished, href, listTitle, phaseBadge, problem, toneOf} from '../parts.js';
import {inWords, meaningOf} from '../reasons.js';
import {Table} from '../table.js';
import {age, duration, local, now} from '../time.js';

/** @typedef {Record<string, any>} Row a row of the table of builds */

/** How long a build has run, or ran. @param {Row} row */
export function took(row) {
  if (!row.Started) return '';
  return finished(row.Phase) ? row.Duration : duration(now() - Date.parse(row.Started));
}

/** Reports whether a build is revoked. @param {Row} row */
export const isRevoked = (row) => row.Why === 'Revoked';

/** Unfinished builds come first, and then the newest. @param {Row} row */
const newest = (row) => row.created + (finished(row.Phase) ? 0 : 1e14);

/** The table of builds, which several pages have. @param {import('../app.js').App} app @param {{image?: boolean}} options whether builds are of several images */
export const buildsTable = (app, {image = true} = {}) => new Table(app, {
  label: 'Builds', sort: '-created', key: (row) => `${row.metadata.namespace}/${row.Name}`, under: (row) => [row.OneOff === 'true' ? 'one-off' : '', isRevoked(row) ? '' : inWords(row.Why) || row.Progress, took(row)].filter(Boolean).join(', '),
  columns: [
    {name: 'state', title: 'Phase', by: (row) => row.Phase, cell: (row) => (isRevoked(row) ? badge('failed', 'Revoked') : phaseBadge(row.Phase))},
    {name: 'name', title: 'Build', by: (row) => row.Name, cell: (row) => html`<a href=${href(row.metadata.namespace, 'builds', row.Name)}>${app.namespace === everywhere ? html`<span class="narrow">${row.metadata.namespace}/</span>` : nothing}${row.Name}</a>${row.OneOff === 'true' ? html` <span class="chip medium" title="Its inputs differ from those of the image: it does not count for the image">one-off</span>` : nothing}`},
    ...(app.namespace === everywhere ? [{name: 'namespace', title: 'Namespace', from: /** @type {'medium'} */ ('medium'), by: (/** @type {Row} */ row) => row.metadata.namespace, cell: (/** @type {Row} */ row) => row.metadata.namespace}] : []),
    ...(image ? [{name: 'image', title: 'Image', from: /** @type {'medium'} */ ('medium'), by: (/** @type {Row} */ row) => row.Image, cell: (/** @type {Row} */ row) => (row.Image === '<none>' ? nothing : html`<a href=${href(row.metadata.namespace, 'images', row.Image)} tabindex="-1">${row.Image}</a>`)}] : []),
    {name: 'why', title: 'Why', from: 'medium', by: (row) => row.Why || row.Progress, cell: (row) => (isRevoked(row) ? nothing : inWords(row.Why) || row.Progress), tip: (row) => meaningOf(row.Why)},
    {name: 'trigger', title: 'Trigger', from: 'wide', by: (row) => row.Trigger, cell: (row) => row.Trigger.replace(/^\w+/, inWords), tip: (row) => row.Trigger},
    {name: 'took', title: 'Duration', from: 'medium', by: (row) => (row.Started ? (Date.parse(row.Finished) || now()) - Date.parse(row.Started) : -1), cell: took},
    {name: 'created', title: 'Age', by: newest, cell: (row) => age(row.metadata.creationTimestamp), tip: (row) => local(row.metadata.creationTimestamp)},
    {name: 'log', title: 'Log', from: 'medium', cell: (row) => html`<a href=${href(row.metadata.namespace, 'builds', row.Name, 'log')} tabindex="-1" aria-label=${`Log of ${row.Name}`}>Log</a>`},
  ],
});

/** The filters by phase: their values in addresses, what buttons show, and the phases that they stand for. @type {[string, string, (phase: string) => boolean][]} */
const filters = [
  ['Unfinished', 'Queued or running', (phase) => !finished(phase)],
  ...['Succeeded', 'Failed', 'Cancelled'].map((name) => /** @type {[string, string, (phase: string) => boolean]} */ ([name, name, (phase) => phase === name])),
];

/** All builds of a namespace. */
export class BuildsPage {
  title = 'Builds';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    this.builds = new Live(path('imagebuilds', app.namespace), {table: true, changed: () => app.update()});
    this.table = buildsTable(app);
    this.count = 0;
    /** How many builds match each filter. @type {number[]} */
    this.counts = [];
  }

  close() {
    this.builds.close();
  }

  render() {
    const text = this.app.query('q').toLowerCase(), phase = this.app.query('phase');
    this.table.set(`${this.builds.version} ${text} ${phase}`, () => {
      const all = this.builds.values();
      this.count = all.length;
      this.counts = filters.map(([, , matches]) => all.filter((row) => matches(row.Phase)).length);
      const chosen = filters.find(([name]) => name === phase)?.[2];
      return all.filter((row) => (!chosen || chosen(row.Phase)) && (!text || `${row.metadata.namespace}/${row.Name} ${row.Image} ${row.Why} ${row.Trigger}`.toLowerCase().includes(text)));
    });
    const {loaded} = this.builds;
    return html`${listTitle('Builds', loaded ? this.count : undefined, filterField(this.app, 'Filter the builds'),
      filterChoices(this.app, 'phase', 'Phase', filters.map(([name, title], index) => [name, badge(name === 'Unfinished' ? 'running' : toneOf(name), title), loaded ? this.counts[index] : undefined])))}
    ${problem(this.builds.failure)}
    ${this.content()}`;
  }

  content() {
    const {namespace} = this.app;
    if (!this.builds.loaded) return this.builds.failure ? nothing : html`<p class="loading">Loading the builds.</p>`;
    if (!this.count) return empty('There are no builds', 'A build starts when an Image is created or changes, or with this command:', command(namespace, 'build', 'IMAGE', '--follow'));
    if (!this.table.rows.length) return empty('No build matches', 'Change the filter, or remove it.');
    return this.table.template();
  }
}

// SPDX-License-Identifier: Apache-2.0

import {everywhere, path, request} from '../api.js';
import {html, nothing} from '../html.js';
import {ago, command, empty, filterField, href, icon, listTitle, problem} from '../parts.js';
import {Poll} from '../poll.js';
import {cancelAction} from '../requests.js';
import {Table} from '../table.js';
import {age, local, now} from '../time.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {Record<string, any>} Row a QueuedBuild */

/** Builds that Kueue holds have no position, and come last. @param {Row} row */
const position = (row) => row.status.position || Infinity;

/** When a build starts, as far as the server can tell. Builds without an estimate come last. @param {Row} row */
const estimate = (row) => Date.parse(row.status.estimatedStartTime) || Infinity;

/** The builds that wait, in the order of the queue. */
export class QueuePage {
  title = 'Queue';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    this.queue = new Poll((signal) => request(path('queuedbuilds', app.namespace), {signal}), () => app.update());
    this.table = new Table(app, {
      label: 'Queued builds', sort: 'position', key: (row) => `${row.metadata.namespace}/${row.metadata.name}`, under: (row) => row.status.message ?? '',
      columns: [
        {name: 'position', title: 'Position', by: position, cell: (row) => row.status.position || html`<span class="muted" title="Kueue decides the order of this build">Kueue</span>`},
        {name: 'name', title: 'Build', by: (row) => row.metadata.name, cell: (row) => this.build(row)},
        {name: 'image', title: 'Image', from: app.namespace === everywhere ? 'wide' : 'medium', by: (row) => row.status.imageName ?? '', cell: (row) => this.image(row)},
        ...(app.namespace === everywhere ? [{name: 'namespace', title: 'Namespace', from: /** @type {'medium'} */ ('medium'), by: (/** @type {Row} */ row) => row.metadata.namespace, cell: (/** @type {Row} */ row) => row.metadata.namespace}] : []),
        {name: 'priority', title: 'Priority', from: 'wide', by: (row) => -(row.status.priority ?? 0), cell: (row) => row.status.priority ?? 0},
        {name: 'queued', title: 'Waiting', from: 'medium', by: (row) => Date.parse(row.status.queuedTime), cell: (row) => ago(row.status.queuedTime)},
        {name: 'start', title: 'Starts', by: estimate, cell: start},
        {name: 'why', title: 'Why', from: 'medium', by: (row) => row.status.message ?? '', cell: (row) => row.status.message ?? '', tip: (row) => row.status.message},
        {name: 'act', title: 'Action', from: 'medium', cell: (row) => app.actions.button(this.cancel(row), 'small')},
      ],
    });
  }

  close() {
    this.queue.close();
  }

  /** @param {Row} row */
  build(row) {
    const {namespace, name} = row.metadata;
    return html`<a href=${href(namespace, 'builds', name)} title=${name}>${this.app.namespace === everywhere ? html`<span class="narrow">${namespace}/</span>` : nothing}${name}</a>`;
  }

  /** @param {Row} row @returns {Content} */
  image(row) {
    const {imageName} = row.status;
    return imageName ? html`<a href=${href(row.metadata.namespace, 'images', imageName)} title=${imageName} tabindex="-1">${imageName}</a>` : nothing;
  }

  /** @param {Row} row */
  cancel(row) {
    const action = cancelAction(row.metadata.namespace, row.metadata.name, '');
    return {
      ...action,
      run: async (/** @type {import('../actions.js').Values} */ values) => {
        await action.run(values);
        this.queue.now();
      },
    };
  }

  render() {
    const text = this.app.query('q').toLowerCase();
    /** @type {Row[]} */
    const all = this.queue.value?.items ?? [];
    const rows = all.filter((row) => !text || `${row.metadata.namespace}/${row.metadata.name} ${row.status.imageName} ${row.status.message}`.toLowerCase().includes(text));
    this.table.set(`${this.queue.version} ${text}`, () => rows);
    return html`${listTitle('Queue', this.queue.value && all.length, filterField(this.app, 'Filter the queue'))}
    ${this.staleness()}
    ${this.content(all, rows)}`;
  }

  /** Why the queue is not current. */
  staleness() {
    const {failure, value, readAt} = this.queue;
    if (!failure || !value || failure.lost) return problem(failure);
    return html`<div class="problem stale" role="alert">${icon('warning')}<div><p>This queue is not current: it was read at ${new Date(readAt).toLocaleTimeString()}.</p><p class="muted">${failure.message}</p></div></div>`;
  }

  /** @param {Row[]} all @param {Row[]} rows */
  content(all, rows) {
    const {namespace} = this.app;
    if (!this.queue.value) return this.queue.failure ? nothing : html`<p class="loading">Loading the queue.</p>`;
    if (!all.length) {
      return empty(namespace === everywhere ? 'No build is queued' : `No build is queued in namespace ${namespace}`,
        'A build waits here while another build of its image runs, or while the limit of active builds is reached. In a terminal, this command lists the queue:', command(namespace, 'queue'));
    }
    if (!rows.length) return empty('No build matches', 'Change the filter, or remove it.');
    return html`<div class="queue">${this.table.template()}</div>
      <p class="hint">A position counts the builds of all namespaces. Starts are estimates from earlier builds of the image.${all.some((row) => !row.status.position)
        ? ' A build without a position waits for Kueue, which decides when it starts.' : ''}</p>`;
  }
}

/** @param {Row} row */
function start(row) {
  const {estimatedStartTime} = row.status;
  if (!estimatedStartTime) return html`<span class="muted">unknown</span>`;
  return html`<time datetime=${estimatedStartTime} title=${local(estimatedStartTime)}>${estimate(row) < now() + 2000 ? 'now' : age(estimatedStartTime)}</time>`;
}

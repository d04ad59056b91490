// SPDX-License-Identifier: Apache-2.0

import {everywhere, path} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {ago, badge, command, empty, filterField, href, listTitle, problem, section, shown} from '../parts.js';
import {restoreAction, revokeAction} from '../requests.js';
import {Table} from '../table.js';
import {now} from '../time.js';

/** @typedef {Record<string, any>} KubeObject */

/** When a revocation takes effect. @param {KubeObject} build */
const since = ({status: {revoked}}) => Date.parse(revoked.effectiveTime ?? revoked.time);

/** The builds that were taken back, and the images that they concern. */
export class RecallsPage {
  title = 'Recalls';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    const changed = () => app.update();
    this.builds = new Live(path('imagebuilds', app.namespace), {query: {fieldSelector: 'status.revoked=true'}, changed});
    this.images = new Live(path('images', app.namespace), {table: true, changed});
    this.table = new Table(app, {
      label: 'Revoked builds', sort: '-since', key: ({metadata}) => `${metadata.namespace}/${metadata.name}`,
      under: ({status: {revoked}}) => revoked.reason,
      columns: [
        {name: 'state', title: 'State', by: since, cell: (build) => (since(build) > now() ? badge('waiting', 'Scheduled') : badge('failed', 'Revoked'))},
        {name: 'name', title: 'Build', by: ({metadata}) => metadata.name, cell: ({metadata}) => html`<a href=${href(metadata.namespace, 'builds', metadata.name)}>${app.namespace === everywhere ? `${metadata.namespace}/` : ''}${metadata.name}</a>`},
        {name: 'reason', title: 'Reason', from: 'medium', by: ({status}) => status.revoked.reason, cell: ({status}) => status.revoked.reason, tip: ({status}) => status.revoked.reason},
        {name: 'with', title: 'With', from: 'medium', by: ({status}) => status.revoked.origin ?? '', cell: ({metadata, status}) => (status.revoked.origin ? html`<a href=${href(metadata.namespace, 'builds', status.revoked.origin)} tabindex="-1">${status.revoked.origin}</a>` : nothing)},
        {name: 'by', title: 'By', from: 'medium', by: ({status}) => status.revoked.by ?? '', cell: ({status}) => status.revoked.by ?? '', tip: ({status}) => status.revoked.by},
        {name: 'since', title: 'Since', by: since, cell: ({status}) => ago(status.revoked.effectiveTime ?? status.revoked.time)},
        {name: 'restore', title: 'Action', from: 'medium', cell: ({metadata}) => app.actions.button(restoreAction(metadata.namespace, metadata.name), 'small')},
      ],
    });
  }

  close() {
    this.builds.close();
    this.images.close();
  }

  render() {
    const {namespace, actions} = this.app, text = this.app.query('q').toLowerCase();
    this.table.set(`${this.builds.version} ${text}`, () => this.builds.values().filter(({metadata, status: {revoked}}) => `${metadata.name} ${revoked.reason} ${revoked.by} ${revoked.origin}`.toLowerCase().includes(text)));
    return html`${listTitle('Recalls', this.builds.loaded ? this.builds.items.size : undefined, filterField(this.app, 'Filter the recalls'),
      html`<span class="actions">${actions.button(revokeAction(namespace, '', namespace === everywhere ? 'Choose the namespace of the build first.' : ''))}</span>`)}
    ${problem(this.builds.failure ?? this.images.failure)}
    ${this.content()}${this.concerned()}`;
  }

  content() {
    const {namespace} = this.app;
    if (!this.builds.loaded) return this.builds.failure ? nothing : html`<p class="loading">Loading the recalls.</p>`;
    if (!this.builds.items.size) return empty('No build is revoked', 'Revoke a build that turned out to be wrong: nothing is built on it any more, and clients refuse its artifacts. With --descendants, so are the builds that are based on it.', command(namespace, 'revoke', 'BUILD', '--reason', 'TEXT', '--descendants'));
    if (!this.table.rows.length) return empty('No recall matches', 'Change the filter, or remove it.');
    return section('Revoked builds', this.table.fitted());
  }

  /** The images that have a revoked build, or are based on one. */
  concerned() {
    const rows = this.images.values().filter(({Reason, Channels}) => ['Revoked', 'BaseRevoked', 'BuildRevoked'].includes(Reason) || Channels?.includes('(revoked)'));
    if (!rows.length) return nothing;
    return section('Images concerned', html`<div class="overflow"><table><thead><tr><th>Image</th><th>Why</th><th>Latest</th><th>Channels</th></tr></thead><tbody>${rows.map((row) => html`<tr>
      <td><a href=${href(row.metadata.namespace, 'images', row.Name)}>${this.app.namespace === everywhere ? `${row.metadata.namespace}/` : ''}${row.Name}</a></td><td>${row.Reason === 'BaseRevoked' ? 'Its latest build is based on a revoked build' : row.Channels?.includes('(revoked)') ? 'A channel has a revoked build' : 'Its latest build is revoked'}</td><td><a href=${href(row.metadata.namespace, 'builds', row.Latest)}>${row.Latest}</a></td><td>${row.Channels}</td></tr>`)}</tbody></table></div>`,
    html`<span class="muted">${shown(command(this.app.namespace, 'status'))}</span>`);
  }
}

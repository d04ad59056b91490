// SPDX-License-Identifier: Apache-2.0

import {everywhere, path, request} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {ago, badge, command, conditionOf, empty, facts, filterField, href, listTitle, missing, plural, problem, section, shown} from '../parts.js';
import {Table} from '../table.js';
import {local} from '../time.js';

/** @typedef {Record<string, any>} KubeObject */

/** @param {KubeObject} archive */
function state(archive) {
  const ready = conditionOf(archive, 'Ready');
  if (ready?.status === 'True') return badge('ok', 'Checked');
  return ready?.status === 'False' ? badge('failed', 'Failed') : badge('waiting', 'Not checked');
}

/** The versions of a newer package. @param {KubeObject} update */
const versions = ({from, to}) => `${from ?? ''} → ${to ?? ''}`;

/** The archives of packages that images need. */
export class ArchivesPage {
  title = 'Archives';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    this.archives = new Live(path('archives', everywhere), {changed: () => app.update()});
    const address = (/** @type {KubeObject} */ {spec}) => `${spec.uri} ${spec.suite ?? ''}`;
    this.table = new Table(app, {
      label: 'Archives', sort: 'state', key: ({metadata}) => metadata.name,
      under: ({status}) => html`${plural(status?.images ?? 0, 'image')}${status?.lastCheckTime ? html`, checked ${ago(status.lastCheckTime)} ago` : nothing}`,
      columns: [
        {name: 'state', title: 'State', by: (archive) => `${conditionOf(archive, 'Ready')?.status === 'True'}`, cell: state},
        {name: 'name', title: 'Archive', by: address, cell: (archive) => html`<a href=${href(app.namespace, 'archives', archive.metadata.name)}>${archive.spec.suite ? html`<strong>${archive.spec.suite}</strong> ` : nothing}${archive.spec.uri}</a>`, tip: address},
        {name: 'updates', title: 'Updates', by: ({status}) => -(status?.updateCount ?? 0), cell: ({status}) => status?.updateCount ?? 0},
        {name: 'images', title: 'Images', from: 'medium', by: ({status}) => -(status?.images ?? 0), cell: ({status}) => status?.images ?? 0},
        {name: 'packages', title: 'Packages', from: 'wide', by: ({status}) => -(status?.packages ?? 0), cell: ({status}) => status?.packages ?? 0},
        {name: 'builder', title: 'Builder', from: 'wide', by: ({spec}) => spec.builder, cell: ({spec}) => spec.builder},
        {name: 'changed', title: 'Changed', from: 'medium', by: ({status}) => -(Date.parse(status?.release?.date) || 0), cell: ({status}) => ago(status?.release?.date)},
        {name: 'checked', title: 'Checked', from: 'medium', by: ({status}) => -(Date.parse(status?.lastCheckTime) || 0), cell: ({status}) => ago(status?.lastCheckTime)},
      ],
    });
  }

  close() {
    this.archives.close();
  }

  render() {
    const text = this.app.query('q').toLowerCase();
    this.table.set(`${this.archives.version} ${text}`, () => this.archives.values().filter(({spec}) => `${spec.uri} ${spec.suite} ${spec.builder}`.toLowerCase().includes(text)));
    return html`${listTitle('Archives', this.archives.loaded ? this.archives.items.size : undefined, filterField(this.app, 'Filter the archives'))}
    ${problem(this.archives.failure)}
    ${this.content()}`;
  }

  content() {
    if (!this.archives.loaded) return this.archives.failure ? nothing : html`<p class="loading">Loading the archives.</p>`;
    if (!this.archives.items.size) {
      return empty('No image needs an archive', 'An archive is a suite of a mirror with packages. The controller checks those of images with triggers.onPackageChange, which are then built when a package has a newer version. Set it, and list what would be built:',
        command(this.app.namespace, 'kubectl', 'patch', 'image', 'IMAGE', '--type=merge', '-p', '{"spec":{"triggers":{"onPackageChange":{"mode":"Security"}}}}'), command(this.app.namespace, 'plan', '--archive', 'now'));
    }
    if (!this.table.rows.length) return empty('No archive matches', 'Change the filter, or remove it.');
    return html`${this.table.template()}<p class="hint">Images of all namespaces share an archive. What would be built now: ${shown(command(this.app.namespace, 'plan', '--archive', 'checked'))}</p>`;
  }
}

/** One archive, its newer packages, and the images that need it. */
export class ArchivePage {
  /** @param {import('../app.js').App} app @param {string} name */
  constructor(app, name) {
    this.app = app;
    this.title = this.name = name;
    this.archives = new Live(path('archives', everywhere), {query: {fieldSelector: `metadata.name=${name}`}, changed: () => app.update()});
    this.images = new Live(path('images', app.namespace), {changed: () => app.update()});
    this.table = new Table(app, {
      label: 'Newer packages', sort: 'security', key: ({name, architecture, from}) => `${name} ${architecture} ${from}`,
      columns: [
        {name: 'package', title: 'Package', by: ({name}) => name, cell: ({name}) => html`<code>${name}</code>`, tip: ({architecture}) => architecture},
        {name: 'versions', title: 'Versions', cell: versions, tip: versions},
        {name: 'security', title: 'Security', from: 'medium', by: ({security}) => (security ? 0 : 1), cell: ({security}) => (security ? badge('warning', 'security') : nothing)},
        {name: 'fixes', title: 'Fixes', from: 'wide', by: ({advisories}) => -(advisories?.length ?? 0), cell: ({advisories}) => (advisories ?? []).join(', '), tip: ({advisories}) => advisories?.join(', ')},
        {name: 'since', title: 'Since', by: ({since}) => Date.parse(since), cell: ({since}) => ago(since)},
      ],
    });
  }

  close() {
    this.archives.close();
    this.images.close();
  }

  /** @returns {import('../actions.js').Action} */
  get check() {
    return {
      label: 'Check now', title: `Check ${this.name} now`, text: 'Deletes what is known of the archive. The controller asks for it again at once.',
      right: {verb: 'delete', resource: 'archives', namespace: '', name: this.name}, command: () => command('', 'kubectl', 'delete', 'archive', this.name),
      run: async () => { await request(path('archives', everywhere, this.name), {method: 'DELETE'}); },
    };
  }

  render() {
    const {app, name} = this;
    if (!this.archives.loaded) return this.archives.failure ? problem(this.archives.failure) : html`<p class="loading">Loading the archive.</p>`;
    const archive = this.archives.values()[0];
    if (!archive) return missing(`Archive ${name} does not exist`, 'No image needs it any more, or it is about to be checked again. This command lists the archives:', command('', 'kubectl', 'get', 'archives'));
    const {spec, status = {}} = archive, ready = conditionOf(archive, 'Ready');
    this.table.set(this.archives.version, () => status.updates ?? []);
    return html`<header class="title"><p class="over"><a href=${href(app.namespace, 'archives')}>Archives</a></p><h1>${spec.suite || spec.uri}</h1>${state(archive)}<span class="actions">${app.actions.button(this.check)}</span></header>
      ${problem(this.archives.failure)}
      ${ready?.status === 'False' ? html`<div class="lead failed"><h2>${ready.message || ready.reason}</h2><p class="muted">${ready.reason}, ${status.consecutiveFailures ?? 1} in a row</p></div>` : nothing}
      <div class="pair">${section('Archive', html`${facts([['Address', html`<code class="wrap">${spec.uri}</code>`], ['Builder', spec.builder], ['Release', status.release && html`${local(status.release.date)} <span class="muted">${ago(status.release.date)} ago</span>`],
        ['Last check', status.lastCheckTime && html`${ago(status.lastCheckTime)} ago`], ['Checks', status.checks], ['Packages', status.packages], ['Images', `${status.images ?? 0} of all namespaces`]])}<p>${shown(command('', 'kubectl', 'describe', 'archive', name))}</p>`)}${this.users()}</div>
      ${section(`Newer packages`, status.updateCount ? this.table.fitted() : html`<p class="muted">The images have the newest versions.</p>`, html`<span class="count">${status.updateCount ?? 0}</span>`)}`;
  }

  /** The images that need the archive, with when they are built for it. */
  users() {
    const {namespace} = this.app;
    const images = this.images.values().filter(({status}) => status?.packages?.archives?.some((/** @type {KubeObject} */ {name}) => name === this.name));
    const where = namespace === everywhere ? 'Images' : `Images in namespace ${namespace}`;
    if (this.images.failure) return section(where, html`<p class="muted">${this.images.failure.message}</p>`);
    if (!images.length) return section(where, html`<p class="muted">None of them needs it.</p>`);
    return section(where, html`<div class="overflow"><table><thead><tr><th>Image</th><th>Built for</th><th>Updates</th></tr></thead><tbody>${images.map(({metadata, spec, status}) => {
      const {mode = 'Security', minimumAge, window} = spec.triggers?.onPackageChange ?? {};
      return html`<tr><td><a href=${href(metadata.namespace, 'images', metadata.name)}>${namespace === everywhere ? `${metadata.namespace}/` : ''}${metadata.name}</a></td><td>${mode === 'Any' ? 'any newer version' : 'security updates'}${minimumAge ? `, after ${minimumAge}` : ''}${window ? html`<br><span class="muted">from ${window.cron} ${window.timeZone ?? 'UTC'}, for ${window.duration}</span>` : nothing}</td><td>${status.packages.updateCount ?? 0}</td></tr>`;
    })}</tbody></table></div>`);
  }
}

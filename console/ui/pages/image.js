// SPDX-License-Identifier: Apache-2.0

import {APIError, path, request, warningOf} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {ago, badge, bytes, capital, command, comparison, conditionOf, countsOf, digest, facts, finished, href, inEffect, missing, phaseBadge, plural, problem, section, severeBadge, shown, stateBadge, toneOf} from '../parts.js';
import {formatted} from '../plot.js';
import {classOf, inWords, meaningOf, reasons} from '../reasons.js';
import {buildAction, deleteAction, formOf, noteAction, promoteAction, removeChannelAction, rightTo, suspendAction} from '../requests.js';
import {local, parseDuration} from '../time.js';
import {buildsTable, isRevoked} from './builds.js';
import {changesList, conditionsList, goodBefore, locationOf, sourceOf} from './build.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {Record<string, any>} KubeObject */

/** The subresources that a page reads besides the image, with their queries. @type {Record<string, Record<string, string | number>>} */
const subresources = {history: {limit: 500}, stats: {}, plan: {}, changes: {limit: 20}, notes: {limit: 20}};

/** How many builds a page shows before it is asked for all. */
const newest = 8;

/** One image. */
export class ImagePage {
  /** @param {import('../app.js').App} app @param {string} name */
  constructor(app, name) {
    this.app = app;
    this.name = name;
    this.title = name;
    this.images = new Live(path('images', app.namespace), {query: {fieldSelector: `metadata.name=${name}`}, changed: () => this.onChange()});
    this.builds = new Live(path('imagebuilds', app.namespace), {query: {labelSelector: `images.goldsmith.dev/image=${name}`}, table: true, changed: () => this.onBuilds()});
    /** The oldest build that counts and has not finished. @type {KubeObject | undefined} */
    this.active = undefined;
    /** The names of builds that can be promoted, the newest first. @type {string[]} */
    this.good = [];
    this.table = buildsTable(app, {image: false});
    /** What was read, or why not. @type {Record<string, {value?: KubeObject, failure?: APIError}>} */
    this.more = {};
    /** The packages of the latest success, and what changed in it. @type {KubeObject | undefined} */
    this.difference = undefined;
    /** The packages that the user opened the list of. @type {{of?: string, value?: KubeObject, failure?: APIError}} */
    this.listed = {};
    /** @type {import('../reasons.js').Reason[]} */
    this.reasons = [];
    this.read = '';
    reasons().then((all) => {
      this.reasons = all;
      app.update();
    });
  }

  close() {
    this.images.close();
    this.builds.close();
  }

  onBuilds() {
    const builds = this.builds.values().sort((a, b) => b.created - a.created);
    this.active = builds.findLast(({Phase, OneOff}) => !finished(Phase) && OneOff !== 'true');
    this.good = builds.filter((row) => row.Phase === 'Succeeded' && !isRevoked(row)).map(({Name}) => Name);
    this.app.update();
  }

  onChange() {
    const image = this.images.values()[0];
    const state = JSON.stringify([image?.metadata.uid, image?.metadata.generation, image?.status?.observedGeneration, image?.status?.lastFinished, image?.status?.latestBuild, image?.status?.packages?.updateCount, image?.status?.inputsDigest]);
    if (image && state !== this.read) {
      this.read = state;
      this.readMore(image);
    }
    this.app.update();
  }

  /** @param {KubeObject} image */
  async readMore(image) {
    const {namespace} = this.app, asked = this.read;
    for (const [name, query] of Object.entries(subresources)) {
      request(path('images', namespace, this.name, name), {query}).then((value) => ({value}), (failure) => ({failure}))
        .then((result) => {
          if (asked !== this.read) return; // a later answer is newer
          this.more[name] = result;
          this.app.update();
        });
    }
    const latest = image.status?.latestSuccessful?.name;
    if (!latest) {
      this.before = this.difference = undefined;
      return;
    }
    const before = await goodBefore(namespace, this.name, latest).catch(() => undefined);
    const difference = before ? await request(path('imagebuilds', namespace, latest, 'diff'), {query: {with: before}}).catch(() => undefined) : undefined;
    if (asked !== this.read) return;
    this.before = before;
    this.difference = difference;
    this.app.update();
  }

  async readNotes() {
    this.more.notes = await request(path('images', this.app.namespace, this.name, 'notes'), {query: subresources.notes}).then((value) => ({value}), (failure) => ({failure}));
    this.app.update();
  }

  render() {
    const {namespace} = this.app;
    if (!this.images.loaded) return this.images.failure ? problem(this.images.failure) : html`<p class="loading">Loading the image.</p>`;
    const image = this.images.values()[0];
    if (!image) return missing(`Image ${this.name} does not exist`, `It was deleted, or never existed in namespace ${namespace}. These commands list the images, and those that were deleted:`, command(namespace, 'kubectl', 'get', 'images'), command(namespace, 'history', '--deleted'));
    return html`${this.heading(image)}
      ${problem(this.images.failure)}
      ${this.held(image)}
      ${this.lead(image)}
      <div class="pair">${this.channels(image)}${this.plan()}</div>
      ${this.recent()}
      <div class="columns">
        ${this.statistics()}
        ${this.packages(image)}
        ${this.artifacts(image)}
        ${this.inputs(image)}
        ${this.changes()}
        ${this.notes()}
        ${conditionsList(image.status?.conditions ?? [], this.reasons)}
      </div>`;
  }

  /** @param {KubeObject} image */
  heading(image) {
    const {namespace, actions} = this.app, {metadata, spec, status = {}} = image;
    const [ready, upToDate, stalled] = ['Ready', 'UpToDate', 'Stalled'].map((type) => conditionOf(image, type));
    return html`<header class="title">
      <p class="over"><a href=${href(namespace, 'images')}>Images</a></p>
      <h1>${this.name}</h1>
      ${status.activeBuilds ? badge('running', 'Building') : nothing}
      ${ready?.status === 'True' ? badge('ok', 'Ready') : badge(status.lastFinished ? 'failed' : 'waiting', status.lastFinished ? 'Not ready' : 'Never built')}
      ${upToDate?.status === 'True' ? badge('ok', 'Up to date') : upToDate?.status === 'False' && ready?.status === 'True' ? badge('warning', 'Outdated') : nothing}
      ${spec.suspend ? badge('idle', 'Suspended') : nothing}
      ${stalled?.status === 'True' ? badge('failed', 'Stalled') : nothing}
      ${severeBadge(status.vulnerabilities?.counts)}
      <span class="actions">${actions.button(buildAction(namespace, this.name), 'primary')}
        ${actions.link('Edit', formOf(namespace, metadata, 'edit'), rightTo(namespace, metadata, 'update'))}
        ${actions.button(suspendAction(namespace, this.name, Boolean(spec.suspend)))}
        ${actions.link('New like this', formOf(namespace, metadata, 'like'), rightTo(namespace, metadata, 'create'), 'Opens the form of a new image, filled in as this one')}
        ${actions.button(deleteAction(namespace, metadata, this.builds.items.size), 'quiet')}</span></header>`;
  }

  /** What keeps triggers from starting builds. @param {KubeObject} image */
  held({spec, status = {}}) {
    if (spec.suspend) return html`<div class="lead idle"><h2>Suspended: no trigger starts a build</h2></div>`;
    const off = conditionOf({status}, 'ScheduleActive', 'False');
    if (!off || !['TooManyFailures', 'InvalidSchedule'].includes(off.reason)) return nothing;
    return html`<div class="lead failed"><h2>${inWords(off.reason)}: no build starts by itself</h2><p>${capital(off.message)}</p></div>`;
  }

  /** What needs attention. @param {KubeObject} image */
  lead(image) {
    const {namespace} = this.app, {lastFinished, latestSuccessful} = image.status ?? {};
    const stalled = conditionOf(image, 'Stalled', 'True'), unresolved = conditionOf(image, 'InputsResolved', 'False');
    if (inEffect(latestSuccessful?.revoked)) return html`<div class="lead failed"><h2>The latest success, ${latestSuccessful.name}, is revoked: ${latestSuccessful.revoked.reason}</h2><p>Build the image again, and promote the new build.</p></div>`;
    const outdated = this.outdated(image), active = this.active;
    if (active) return html`<div class=${`lead ${toneOf(active.Phase)}`}><h2><a href=${href(namespace, 'builds', active.Name)}>${active.Name}</a> is ${active.Phase === 'Running' ? 'being built' : inWords(active.Phase).toLowerCase()}</h2>${lastFinished && lastFinished.phase !== 'Succeeded' ? html`<p>The last build, <a href=${href(namespace, 'builds', lastFinished.name)}>${lastFinished.name}</a>, ${lastFinished.phase === 'Failed' ? 'failed' : 'was cancelled'}.</p>` : nothing}</div>`;
    if (unresolved) return html`<div class="lead warning"><h2>${capital(unresolved.message)}</h2><p class="muted" title=${meaningOf(unresolved.reason)}>${inWords(unresolved.reason)}</p></div>`;
    if (lastFinished?.phase === 'Failed') {
      const failure = conditionOf(image, 'Ready', 'False')?.message?.replace(`build ${lastFinished.name} ended with `, '') || inWords(lastFinished.reason);
      if (outdated) return outdated;
      return html`<div class="lead failed"><h2>The last build, ${lastFinished.name}, failed</h2><p>${capital(failure)}</p>${stalled?.message && stalled.message !== failure && stalled.reason !== 'TooManyFailures' ? html`<p class="muted">${capital(stalled.message)}</p>` : nothing}
        <p class="links"><a href=${href(namespace, 'builds', lastFinished.name)}>See why ${lastFinished.name} failed</a>
        ${latestSuccessful ? html`<a href=${comparison(namespace, latestSuccessful.name, lastFinished.name)}>Compare it with the last good build, ${latestSuccessful.name}</a>` : nothing}</p></div>`;
    }
    return stalled ? html`<div class=${`lead ${lastFinished?.phase === 'Cancelled' ? 'idle' : 'failed'}`}><h2>${capital(stalled.message || inWords(stalled.reason))}</h2></div>` : outdated ?? nothing;
  }

  /** Tells that the inputs changed since the last build, if no build of them is under way. @param {KubeObject} image */
  outdated({metadata, status = {}}) {
    const {namespace, actions} = this.app, {lastFinished, inputsDigest, observedGeneration} = status, plan = this.more.plan?.value?.status;
    if (!plan || plan.build || observedGeneration !== metadata.generation || conditionOf({status}, 'Building', 'True') || !inputsDigest || !lastFinished?.inputsDigest || lastFinished.inputsDigest === inputsDigest) return undefined;
    return html`<div class="lead warning"><h2>Inputs changed since <a href=${href(namespace, 'builds', lastFinished.name)}>${lastFinished.name}</a>${lastFinished.phase === 'Failed' ? ', which failed' : ''}</h2>
      <p>No build has started by itself: ${plan.message || inWords(plan.reason)}.</p><p class="links">${actions.button({...buildAction(namespace, this.name), label: 'Build now'}, 'primary')}</p></div>`;
  }

  /** @param {KubeObject} image */
  channels({spec, status = {}}) {
    const {namespace, actions} = this.app;
    const channels = status.channels ?? [], rules = spec.channels ?? [];
    const names = [...new Set([...rules, ...channels].map((/** @type {KubeObject} */ {name}) => name))].sort();
    const latest = status.latestSuccessful?.name;
    const builds = [...this.good.filter((name) => name === latest), ...this.good.filter((name) => name !== latest)];
    const promote = latest && actions.button(promoteAction(namespace, this.name, builds.length ? builds : [latest], channels, names, builds.length || !this.builds.loaded ? '' : 'No build can be promoted: all that succeeded are revoked or deleted.'));
    if (!names.length) return section('Channels', html`<p class="muted">A channel, such as stable, points at the build that others use. ${latest ? 'Promote a build to make the first.' : 'Once a build has succeeded, it can be promoted.'}</p>`, promote || nothing);
    return section('Channels', html`<div class="overflow"><table><thead><tr><th>Channel</th><th>Build</th><th>Since</th><th></th></tr></thead><tbody>${names.map((name) => {
      const channel = channels.find((/** @type {KubeObject} */ channel) => channel.name === name), rule = rules.find((/** @type {KubeObject} */ rule) => rule.name === name);
      return html`<tr><td>${name}${rule?.promote === 'Automatic' ? html` <span class="muted">automatic</span>` : nothing}${ruleOf(rule)}</td>
        <td>${channel ? html`<a href=${href(namespace, 'builds', channel.build)}>${channel.build}</a>${channel.build === latest ? nothing : html` <span class="muted">behind ${latest}</span>`}${channel.revoked ? html` ${badge('failed', 'Revoked')}` : nothing}${channel.missing?.length ? html`<br><span class="muted">lacks what its rule requires: ${channel.missing.join('; ')}</span>` : nothing}` : html`<span class="muted">no build yet</span>`}</td>
        <td>${channel ? html`${ago(channel.time)}${channel.by ? html` <span class="muted">by ${channel.by}</span>` : nothing}` : nothing}${channel?.override ? html`<br><span class="muted">override: ${channel.override.reason}</span>` : nothing}</td><td class="c-act">${channel ? actions.button(removeChannelAction(namespace, this.name, name, channel.build), 'small quiet') : nothing}</td></tr>`;
    })}</tbody></table></div>`, promote || nothing);
  }

  plan() {
    const {namespace} = this.app;
    const {value, failure} = this.more.plan ?? {};
    if (failure) return section('What comes next', html`<p class="muted">${failure.message}</p>`);
    if (!value) return section('What comes next', html`<p class="muted">Loading</p>`);
    const {status} = value, active = this.active;
    if (active) return section('What comes next', html`<p>${phaseBadge(active.Phase)} <a href=${href(namespace, 'builds', active.Name)}>${active.Name}</a></p>${facts([['Progress', active.Progress]])}`);
    return section('What comes next', html`<p>${status.build ? badge('running', 'A build would start now') : badge('idle', 'No build would start now')}</p>
      ${facts([['Because', status.message || inWords(status.reason)], ['Scheduled', status.nextScheduleTime ? html`${ago(status.nextScheduleTime)} <span class="muted">${local(status.nextScheduleTime)}</span>` : ''], ['New packages', status.packages?.message]])}
      ${changesList(status.changes)}<p>${shown(command(namespace, 'plan', this.name))}</p>`);
  }

  recent() {
    const count = this.builds.items.size, all = this.app.query('all');
    this.table.set(`${this.builds.version} ${all}`, () => {
      const rows = this.builds.values().sort((a, b) => Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp));
      return all ? rows : rows.slice(0, newest);
    });
    if (!count) return section('Builds', html`<p class="muted">There is no build yet.</p>`);
    return section('Builds', this.table.fitted(),
      count > newest ? html`<button type="button" class="quiet" @click=${() => this.app.setQuery({all: all ? '' : '1'})}>${all ? 'Show the newest' : `Show all ${count}`}</button>` : nothing);
  }

  /** The builds over time: from the records, or else those that exist. */
  statistics() {
    const {namespace} = this.app;
    const {value, failure} = this.more.history ?? {};
    const missing = failure?.message ?? (value?.items.length ? '' : warningOf(value));
    const history = missing ? undefined : value;
    const existing = this.builds.values().filter(({Phase}) => finished(Phase)).map((row) => ({name: row.Name, phase: row.Phase, completionTime: row.Finished, duration: row.Duration, queueTime: undefined, oneOff: row.OneOff === 'true', revoked: isRevoked(row) ? {time: row.Finished} : undefined}));
    /** @type {KubeObject[]} */
    const all = (history?.items ?? existing).filter((/** @type {KubeObject} */ {phase, completionTime}) => finished(phase) && completionTime).sort((/** @type {KubeObject} */ a, /** @type {KubeObject} */ b) => Date.parse(a.completionTime) - Date.parse(b.completionTime));
    const records = all.filter(({oneOff}) => !oneOff), oneOffs = all.length - records.length;
    const stats = this.more.stats?.value?.stats, health = this.more.stats?.value?.health;
    if (!all.length) return section('Over time', html`<p class="muted">No build has finished yet.</p>${missing ? html`<p class="muted">${missing}</p>` : nothing}`);
    const times = records.map(({completionTime}) => Date.parse(completionTime) / 1000);
    const seconds = (/** @type {(record: KubeObject) => boolean} */ matches, /** @type {string} */ field) => records.map((record) => (matches(record) && record[field] !== undefined ? parseDuration(record[field]) / 1000 : null));
    const succeeded = (/** @type {KubeObject} */ {phase}) => phase === 'Succeeded';
    return section('Over time', html`
      ${facts([['Health', health && `${health.score} of 100${health.message ? `: ${health.message}` : ''}`], ['Last 30 days', stats && `${plural(stats.builds, 'build')}, ${stats.succeeded} succeeded, ${stats.failed} failed, ${stats.cancelled} cancelled`],
        ['Duration', stats?.durations && `half within ${stats.durations.p50}, nine of ten within ${stats.durations.p90}`], ['Failures', stats?.failures?.map((/** @type {KubeObject} */ {class: kind, builds}) => `${builds} ${classOf(kind)}`).join(', ')],
        ['Repaired within', stats?.meanTimeToRecovery && `${stats.meanTimeToRecovery} on average`], ['Fixes', stats?.fixes?.map((/** @type {KubeObject} */ {reached, count, times}) => `${reached}: ${count}, half within ${times.p50}`).join('; ')]])}
      ${oneOffs ? html`<p class="muted">${oneOffs === 1 ? 'A one-off build is' : `${oneOffs} one-off builds are`} not counted here: ${oneOffs === 1 ? 'its' : 'their'} inputs differ from those of the image.</p>` : nothing}
      ${records.length ? html`<h3>Duration</h3>
      <gs-plot role="img" aria-label=${`Duration of ${records.length} builds`} .data=${{unit: 'seconds', times, series: [{label: 'Succeeded', colour: '--ok', values: seconds(succeeded, 'duration')}, {label: 'Failed', colour: '--failed', points: true, values: seconds(({phase}) => phase === 'Failed', 'duration')}, {label: 'Cancelled', colour: '--idle', points: true, values: seconds(({phase}) => phase === 'Cancelled', 'duration')}]}}></gs-plot>
      ${history ? html`<h3>Wait in the queue</h3><gs-plot role="img" aria-label=${`Wait of ${records.length} builds`} .data=${{unit: 'seconds', times, series: [{label: 'Wait', colour: '--waiting', values: seconds(() => true, 'queueTime')}]}}></gs-plot>
      <h3>Success of the last ten</h3><gs-plot role="img" aria-label="Share of the last ten builds that succeeded" .data=${{unit: 'percent', times, series: [{label: 'Success', colour: '--accent', values: records.map((_, index) => share(records.slice(Math.max(0, index - 9), index + 1)))}]}}></gs-plot>` : nothing}` : nothing}
      <details><summary>The same as a table</summary><div class="overflow"><table><thead><tr><th>Build</th><th>Phase</th><th>Finished</th><th>Duration</th><th>Wait</th></tr></thead><tbody>${all.slice(-50).reverse().map((record) => html`<tr><td><a href=${href(namespace, 'builds', record.name)}>${record.name}</a>${record.oneOff ? html` <span class="chip">one-off</span>` : nothing}</td><td>${stateBadge(record)}</td><td>${local(record.completionTime)}</td><td>${record.duration ? formatted('seconds', parseDuration(record.duration) / 1000) : ''}</td><td>${record.queueTime ? formatted('seconds', parseDuration(record.queueTime) / 1000) : ''}</td></tr>`)}</tbody></table></div></details>
      ${history ? nothing : html`<p class="muted">These are the builds that still exist${missing ? `: ${missing}` : ''}</p>`}`, html`<span class="muted">${shown(command(namespace, 'stats', this.name))}</span>`);
  }

  /** @param {KubeObject} image */
  packages({status = {}}) {
    const {namespace} = this.app;
    const updates = status.packages?.updates ?? [], count = status.packages?.updateCount ?? 0;
    const latest = status.latestSuccessful;
    if (!latest) return nothing;
    const total = (latest.artifacts ?? []).map((/** @type {KubeObject} */ {packages}) => packages).filter((/** @type {number | undefined} */ packages) => packages !== undefined);
    const changed = (this.difference?.packages ?? []).flatMap((/** @type {KubeObject} */ {changes}) => changes ?? []);
    const vulnerable = status.vulnerabilities?.counts;
    if (!total.length && !count && !vulnerable) return nothing;
    return section('Packages', html`${facts([
      [`In ${latest.name}`, total.length ? plural([...new Set(total)].join(', '), 'package') : ''],
      ['Changed', this.before && this.difference ? html`${changed.length} since <a href=${comparison(namespace, this.before, latest.name)}>${this.before}</a>` : ''],
      ['Newer in the archive', count || ''], ['Vulnerabilities', vulnerable && (countsOf(vulnerable) || 'none known')],
    ])}
    ${total.length ? this.packageList(latest.name) : nothing}
    ${changed.length ? html`${changesList(changed.slice(0, 20))}${changed.length > 20 ? html`<p class="muted">and ${changed.length - 20} more</p>` : nothing}` : nothing}
    ${updates.length ? html`<h3>Newer in the archive</h3>${changesList(updates, ({security, advisories}) => html`${security ? badge('warning', 'security') : nothing} <span class="muted">${advisories?.join(', ') ?? ''}</span>`)}` : nothing}
    <p>${shown(command(namespace, 'packages', latest.name))}</p>`);
  }

  /** The packages of a build, which are read when the user opens their list. @param {string} build */
  packageList(build) {
    const {of, value, failure} = this.listed.of === build ? this.listed : {};
    const open = async (/** @type {Event} */ event) => {
      if (!(/** @type {HTMLDetailsElement} */ (event.target).open) || of === build) return;
      this.listed = {of: build};
      this.listed = {of: build, ...await request(path('imagebuilds', this.app.namespace, build, 'packages')).then((value) => ({value}), (failure) => ({failure}))};
      this.app.update();
    };
    const locks = value?.locks;
    return html`<details .open=${Boolean(of)} @toggle=${open}><summary>List them</summary>${failure ? problem(failure) : nothing}${(locks ?? []).map((/** @type {KubeObject} */ {targets, lock}) => html`${locks.length > 1 ? html`<h3>${targets.join(', ')}</h3>` : nothing}
      <div class="overflow tall" tabindex="0"><table><thead><tr><th>Package</th><th>Version</th></tr></thead><tbody>${lock.packages.map((/** @type {KubeObject} */ {name, version, architecture}) => html`<tr><td title=${architecture ?? nothing}><code>${name}</code></td><td>${version}</td></tr>`)}</tbody></table></div>`)}</details>`;
  }

  /** @param {KubeObject} image */
  artifacts({status = {}}) {
    const {namespace} = this.app, latest = status.latestSuccessful;
    if (!latest) return nothing;
    return section('Artifacts', html`<ul class="list">${latest.artifacts.map((/** @type {KubeObject} */ artifact) => html`<li><h3>${artifact.target}</h3>${facts([['Digest', html`<code class="wrap">${artifact.digest}</code>`], ['Size', bytes(artifact.sizeBytes)], ['Location', locationOf(artifact)]])}</li>`)}</ul>
      <p>${shown(command(namespace, 'artifacts', 'get', latest.name))}</p>`, html`<span class="muted">of <a href=${href(namespace, 'builds', latest.name)}>${latest.name}</a></span>`);
  }

  /** @param {KubeObject} image */
  inputs({metadata, spec, status = {}}) {
    const {namespace} = this.app, {base, builder, triggers} = spec;
    return section('Inputs', facts([
      ['Builder', builder.name ?? html`<code class="wrap">${builder.image}</code>`],
      ['Base', base.imageRef ? html`<a href=${href(namespace, 'images', base.imageRef.name)}>${base.imageRef.name}</a>${base.imageRef.channel ? ` (${base.imageRef.channel})` : ''}` : base.reference],
      ['Source', sourceOf(spec.source, status.source?.found)], ['Targets', spec.targets.map((/** @type {KubeObject} */ {platform, format}) => `${platform}/${format}`).join(', ')],
      ...(spec.parameters ?? []).map((/** @type {KubeObject} */ {name, value}) => [name, html`<code class="wrap">${value}</code>`]),
      ['Publishes to', spec.output && html`<code class="wrap">${spec.output.repository}</code>`], ['Schedule', triggers?.schedule && `${triggers.schedule.cron}${triggers.schedule.timeZone ? ` ${triggers.schedule.timeZone}` : ''}`],
      ['Tests', spec.tests?.map((/** @type {KubeObject} */ {name}) => name).join(', ')], ['Inputs digest', digest(status.inputsDigest)], ['Created', ago(metadata.creationTimestamp)],
      ['Made by', metadata.ownerReferences?.map((/** @type {KubeObject} */ {kind, name}) => `${kind} ${name}`).join(', ')],
    ]), html`<span class="muted">${shown(command(namespace, 'kubectl', 'edit', 'image', this.name))}</span>`);
  }

  changes() {
    const {value, failure} = this.more.changes ?? {};
    if (failure) return section('Changes', html`<p class="muted">${failure.message}</p>`);
    if (!value?.items.length) return nothing;
    return section('Changes', changesList(value.items, ({time, user}) => html`<span class="muted">${user ?? ''} ${ago(time)}</span>`));
  }

  notes() {
    const {value, failure} = this.more.notes ?? {};
    const {namespace, actions} = this.app;
    const add = actions.button(noteAction(namespace, this.name, () => this.readNotes()));
    if (failure) return section('Notes', html`<p class="muted">${failure.message}</p>`);
    return section('Notes', value?.items.length ? html`<ul class="plain">${value.items.map((/** @type {KubeObject} */ {time, author, text}) => html`<li>${text} <span class="muted">${author ?? ''} ${ago(time)}</span></li>`)}</ul>` : html`<p class="muted">${warningOf(value) || 'Notes are kept with the history of the image.'}</p>`, add);
  }
}

/** @param {KubeObject[]} records */
const share = (records) => (100 * records.filter(({phase}) => phase === 'Succeeded').length) / records.length;

/** @param {KubeObject | undefined} rule @returns {Content} */
function ruleOf(rule) {
  const {tests, attested, maxSeverity, noOtherArchives} = rule?.requires ?? {};
  const needs = [tests?.length ? `tests ${tests.join(', ')}` : '', attested ? 'proof' : '', maxSeverity ? `no vulnerability above ${maxSeverity}` : '', noOtherArchives ? 'no package of another archive' : ''].filter(Boolean);
  return needs.length ? html`<br><span class="muted">needs ${needs.join(', ')}</span>` : nothing;
}

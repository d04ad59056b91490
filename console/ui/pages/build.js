// SPDX-License-Identifier: Apache-2.0

import {encode, path, request} from '../api.js';
import {descendantsOf, listed, readBuilds} from '../descendants.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {ago, badge, bytes, capital, command, comparison, conditionOf, countsOf, digest, facts, finished, href, icon, inEffect, missing, none, problem, section, severeBadge, shown, stateBadge, toneOf} from '../parts.js';
import {classOf, explainFailure, inWords, meaningOf, reasons} from '../reasons.js';
import {buildAction, cancelAction, deleteBuildAction, formOf, promoteAction, rerunAction, restoreAction, revokeAction, rightTo} from '../requests.js';
import {age, duration, local, now, parseDuration} from '../time.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {Record<string, any>} KubeObject */

/** @type {Record<string, import('../parts.js').Tone>} */
const outcomes = {Succeeded: 'ok', Passed: 'ok', Flaky: 'warning', Failed: 'failed', Error: 'failed', Disrupted: 'warning', Cancelled: 'idle'};

/** The types of statements about artifacts, in words. @type {Record<string, string>} */
const statementTypes = {
  'https://slsa.dev/provenance/v1': 'Provenance', 'https://cyclonedx.org/bom': 'SBOM (CycloneDX)', 'https://spdx.dev/Document': 'SBOM (SPDX)',
  'https://sigstore.dev/cosign/sign/v1': '', 'application/vnd.dev.cosign.simplesigning.v1+json': '', // say nothing but that they are signed
};

/** What a build of an image is called. @param {string} name */
const imageOf = (name) => name.replace(/-\d+$/, '');

/**
 * Finds the record of a build that was deleted.
 * @param {string} namespace
 * @param {string} name
 * @returns {Promise<KubeObject | undefined>}
 */
export async function recordOf(namespace, name) {
  const {items} = await request(path('images', namespace, imageOf(name), 'history'), {query: {limit: 500}});
  return items.find((/** @type {KubeObject} */ record) => record.name === name);
}

/** One build. */
export class BuildPage {
  /** @param {import('../app.js').App} app @param {string} name */
  constructor(app, name) {
    this.app = app;
    this.name = name;
    this.title = name;
    this.builds = new Live(path('imagebuilds', app.namespace), {query: {fieldSelector: `metadata.name=${name}`}, changed: () => this.onChange()});
    /** The image of the build, and so its channels. @type {Live | undefined} */
    this.images = undefined;
    /** The record of a build that was deleted. @type {KubeObject | undefined} */
    this.record = undefined;
    /** @type {{reason: string, meaning: string, remedy: string} | undefined} */
    this.explained = undefined;
    /** @type {KubeObject | undefined} */
    this.vulnerabilities = undefined;
    /** @type {KubeObject[] | undefined} */
    this.happened = undefined;
    /** The last build before this one that succeeded. @type {string | undefined} */
    this.good = undefined;
    /** @type {import('../reasons.js').Reason[]} */
    this.reasons = [];
    /** The builds that are based on this one, if it is revoked. @type {KubeObject[]} */
    this.based = [];
    this.phase = '';
    this.read = '';
    reasons().then((all) => {
      this.reasons = all;
      app.update();
    });
  }

  close() {
    this.builds.close();
    this.images?.close();
  }

  get image() {
    return this.images?.values()[0];
  }

  onChange() {
    const build = this.builds.values()[0], image = build?.spec.imageRef?.name;
    if (image) this.images ??= new Live(path('images', this.app.namespace), {query: {fieldSelector: `metadata.name=${image}`}, changed: () => this.onChange()});
    const phase = build?.status?.phase ?? '';
    if (this.phase && phase !== this.phase && finished(phase)) this.app.announce(`Build ${this.name}: ${phase}`);
    this.phase = phase;
    const advised = Boolean(conditionOf(this.image ?? {}, 'Vulnerable'));
    const state = `${build?.metadata.uid} ${phase} ${build?.status?.currentAttempt} ${advised} ${JSON.stringify(build?.status?.revoked ?? '')}`;
    if (this.builds.loaded && state !== this.read) {
      this.read = state;
      this.readMore(build, advised).finally(() => this.app.update());
    }
    this.app.update();
  }

  /**
   * Reads what is not in the build itself. What the user has no right to is left out.
   * @param {KubeObject | undefined} build
   * @param {boolean} advised whether the server knows advisories; without, it answers with an error
   */
  async readMore(build, advised) {
    const {namespace} = this.app;
    const optional = (/** @type {Promise<any>} */ answer) => answer.catch(() => undefined), asked = this.read;
    const image = build?.spec.imageRef?.name;
    const [events, explained, vulnerabilities, record, good, builds] = await Promise.all([
      build && optional(request(`/api/v1/namespaces/${encode(namespace)}/events`, {query: {fieldSelector: `involvedObject.uid=${build.metadata.uid}`}})),
      build?.status?.failure && optional(explainFailure(build)),
      advised && build?.status?.phase === 'Succeeded' && optional(request(path('imagebuilds', namespace, this.name, 'vulnerabilities'), {query: {countsOnly: true}})),
      !build && optional(recordOf(namespace, this.name)),
      finished(build?.status?.phase) && image && optional(goodBefore(namespace, image, this.name)),
      build?.status?.revoked && optional(readBuilds(namespace)),
    ]);
    if (asked !== this.read) return; // a later answer is newer
    this.good = good || undefined;
    this.happened = events?.items;
    this.explained = explained || undefined;
    this.vulnerabilities = vulnerabilities || undefined;
    this.record = record || undefined;
    this.based = builds ? descendantsOf(builds, this.name).based : [];
  }

  render() {
    if (!this.builds.loaded) return this.builds.failure ? problem(this.builds.failure) : html`<p class="loading">Loading the build.</p>`;
    const build = this.builds.values()[0];
    if (!build) return this.deleted();
    const {status = {}, spec} = build;
    return html`${this.heading(build)}
      ${problem(this.builds.failure)}
      ${this.lead(build)}
      ${this.timeline(build)}
      <div class="columns">
        ${this.artifacts(build)}
        ${this.tests(status)}
        ${this.trigger(spec)}
        ${this.inputs(build)}
        ${status.attempts?.length ? this.attempts(status) : nothing}
        ${this.proof(build)}
        ${this.conditions(status)}
        ${this.eventList()}
      </div>`;
  }

  /** A build that was deleted has a record, if the server has a database. */
  deleted() {
    const {namespace} = this.app, {record} = this;
    if (!record) return missing(`Build ${this.name} does not exist`, 'It was deleted, or never existed. A server with a records database has a record of it, which this command lists:', command(namespace, 'history', imageOf(this.name)));
    return html`<header class="title"><p class="over"><a href=${href(namespace, 'images', imageOf(this.name))}>${imageOf(this.name)}</a> / build</p><h1>${this.name}</h1>${stateBadge(record)}
        <span class="actions"><a class="button" href=${`${href(namespace, 'builds', this.name, 'log')}?uid=${record.uid}`}>Log</a></span></header>
      <div class="lead idle"><h2>This build was deleted</h2><p>This is the record of it. Its log may be in the archive.</p></div>
      ${section('Record', facts([
        ['Deleted', record.deletionTime ? html`${ago(record.deletionTime)} ago` : ''], ['Trigger', record.trigger], ['Requested by', record.requestedBy], ['Message', record.message],
        ['Failure', record.failure && html`<span title=${meaningOf(record.failure.reason)}>${inWords(record.failure.reason)}</span>: ${record.failure.message ?? ''}`], ['Created', local(record.creationTime)], ['Started', local(record.startTime)],
        ['Finished', local(record.completionTime)], ['Duration', record.duration], ['Attempts', record.attempts], ['UID', record.uid],
      ]))}`;
  }

  /** @param {KubeObject} build */
  heading(build) {
    const {namespace} = this.app, {status = {}, spec} = build;
    const image = spec.imageRef?.name, phase = status.phase ?? 'Pending', done = finished(phase);
    const channels = this.image?.status?.channels ?? [];
    const names = [...new Set([...channels, ...(this.image?.spec?.channels ?? [])].map((/** @type {KubeObject} */ {name}) => name))];
    const {actions} = this.app;
    const overtaken = number(this.image?.status?.latestSuccessful?.name ?? '') > number(this.name); // by a later success
    return html`<header class="title">
      <p class="over">${image ? html`<a href=${href(namespace, 'images', image)}>${image}</a>` : 'no image'} / build</p>
      <h1>${this.name}</h1>${stateBadge(status)}${severeBadge(this.vulnerabilities?.counts)}
      ${channels.filter((/** @type {KubeObject} */ {build}) => build === this.name).map((/** @type {KubeObject} */ {name}) => html`<span class="chip">${name}</span>`)}
      ${spec.oneOff ? html`<span class="chip" title="The inputs differ from those of the image.">one-off</span>` : nothing}
      <span class="actions">
        ${image && phase === 'Succeeded' ? actions.button(promoteAction(namespace, image, [this.name], channels, names, status.revoked ? 'The build is revoked.' : ''), overtaken || status.revoked ? '' : 'primary') : nothing}
        ${done && image ? actions.button(buildAction(namespace, image, 'Build current inputs'), phase === 'Succeeded' || overtaken || this.same(build) ? '' : 'primary') : nothing}
        ${done ? actions.button(rerunAction(namespace, this.name, '')) : actions.button(cancelAction(namespace, this.name, spec.cancelRequested ? 'The build is being cancelled.' : ''))}
        <a class="button" href=${href(namespace, 'builds', this.name, 'log')}>Log</a>
        ${status.revoked ? actions.button(restoreAction(namespace, this.name)) : !status.artifacts?.length ? nothing : actions.button(revokeAction(namespace, this.name))}
        ${actions.button(deleteBuildAction(namespace, build.metadata, image), 'quiet')}
      </span></header>`;
  }

  /** Reports whether a build of the image would have the inputs of this build. @param {KubeObject} build */
  same({status}) {
    const digest = status?.resolved?.inputsDigest;
    return Boolean(digest) && this.image?.status?.inputsDigest === digest;
  }

  /** What matters most: why it failed, what it waits for, or how far it is. @param {KubeObject} build */
  lead(build) {
    const {namespace} = this.app, {status = {}} = build;
    const later = this.image?.status?.latestSuccessful?.name;
    if (status.revoked && !inEffect(status.revoked)) return html`<div class="lead warning"><h2>Will be revoked: ${status.revoked.reason}</h2><p>From ${local(status.revoked.effectiveTime)} on. Use another build by then.</p>${listed('Based on it:', this.based)}</div>`;
    if (status.revoked) return html`<div class="lead failed"><h2>Revoked${status.revoked.by ? ` by ${status.revoked.by}` : ''}: ${status.revoked.reason}</h2><p>Since ${local(status.revoked.effectiveTime ?? status.revoked.time)}. Do not use its artifacts.</p>${listed('Based on it:', this.based)}</div>`;
    if (status.failure) {
      const {class: kind, reason, message, logTail, exitCode} = status.failure;
      const lines = (logTail ?? '').trimEnd().split('\n').slice(-12);
      return html`<div class=${`lead ${toneOf(status.phase)}`}>
        <h2>${capital(message || this.explained?.meaning || inWords(reason))}</h2>
        <p class="muted"><span title=${meaningOf(reason)}>${inWords(reason)}</span>, <span title=${`class ${kind}`}>a failure ${classOf(kind)}</span>${exitCode ? `, exit code ${exitCode}` : ''}${this.explained?.meaning && message ? `: ${this.explained.meaning}` : ''}</p>
        ${this.explained?.remedy && this.explained.remedy !== 'nothing' ? html`<p><strong>What to do:</strong> ${this.explained.remedy.replaceAll(/\bBUILD\b/g, this.name)}</p>` : nothing}
        ${logTail ? html`<pre class="tail" tabindex="0" aria-label="End of the log">${lines.map((/** @type {string} */ line, /** @type {number} */ index) => html`<span class=${index === lines.length - 1 ? 'last' : ''}>${line}${'\n'}</span>`)}</pre>` : nothing}
        <p class="links"><a href=${`${href(namespace, 'builds', this.name, 'log')}#end`}>Read the whole log</a>
          ${this.image && this.same(build) && !this.app.actions.refusal({right: rightTo(namespace, this.image.metadata, 'update')}) ? html`<a href=${formOf(namespace, this.image.metadata, 'edit')}>Edit ${this.image.metadata.name}</a>` : nothing}
          ${this.good ? html`<a href=${comparison(namespace, this.good, this.name)}>Compare with the last good build, ${this.good}</a>` : nothing}
          ${later && number(later) > number(this.name) ? html`<a href=${comparison(namespace, this.name, later)}>Compare with ${later}, which succeeded later</a>` : nothing}</p>
      </div>`;
    }
    if (status.phase === 'Cancelled') {
      const asked = build.spec.cancelRequested;
      return html`<div class="lead idle"><h2>Cancelled${asked?.by ? ` by ${asked.by}` : ''}</h2>${asked?.supersededBy ? html`<p>The newer build <a href=${href(namespace, 'builds', asked.supersededBy)}>${asked.supersededBy}</a> replaced it.</p>` : html`<p>${asked?.reason ?? ''}</p>`}</div>`;
    }
    if (finished(status.phase)) return nothing;
    const delay = (status.conditions ?? []).find((/** @type {KubeObject} */ condition) => ['Admitted', 'PodReady'].includes(condition.type) && condition.status !== 'True' && condition.reason !== 'Pending');
    const {progress} = status;
    if (['Running', 'Testing'].includes(status.phase)) {
      return html`<div class="lead running"><h2>${progress ? html`${progress.percent !== undefined ? `${progress.percent}% ` : ''}${progress.stage ?? ''}` : status.phase}</h2>
        ${progress?.percent !== undefined ? html`<progress max="100" .value=${progress.percent} aria-label="Progress"></progress>` : nothing}
        ${progress?.message ? html`<p>${progress.message}</p>` : nothing}</div>`;
    }
    if (!delay) return nothing;
    return html`<div class="lead waiting"><h2>Waits: ${delay.message || this.meaning(delay)}</h2><p class="muted"><span title=${meaningOf(delay.reason)}>${inWords(delay.reason)}</span> for ${age(delay.lastTransitionTime)}</p>
      ${status.phase === 'Queued' ? html`<p class="links"><a href=${href(namespace, 'queue')}>See the queue</a></p>` : nothing}</div>`;
  }

  /** What a condition means. @param {KubeObject} condition */
  meaning(condition) {
    const entry = this.reasons.find(({reason, reporter}) => reason === condition.reason && !reporter.startsWith('event'));
    return entry ? entry.meaning : '';
  }

  /** Where the time went. @param {KubeObject} build */
  timeline({metadata, status = {}}) {
    const created = Date.parse(metadata.creationTimestamp), end = Date.parse(status.completionTime) || now();
    /** @type {KubeObject[]} */
    const attempts = status.attempts ?? [], stages = /** @type {KubeObject[]} */ (status.stages ?? []);
    const spans = [{name: 'Waited', tone: 'waiting', from: created, to: attempts.length ? Date.parse(attempts[0].startTime) : end}];
    let last = spans[0].to;
    attempts.forEach((attempt, index) => {
      const begin = Math.max(Date.parse(attempt.startTime), last), stop = Date.parse(attempt.completionTime) || end, final = index === attempts.length - 1;
      if (begin - last > 1000) spans.push({name: 'Waited', tone: 'waiting', from: last, to: begin});
      last = begin;
      const tested = attempt.tests?.length > 0, several = attempts.filter(({tests}) => !tests?.length).length > 1;
      const own = final ? stages : []; // the steps of earlier attempts are not kept
      for (const stage of own) {
        const from = Math.max(Date.parse(stage.startTime), last), to = Date.parse(stage.completionTime) || stop;
        if (from - last > 1000) spans.push({name: tested ? 'Starting the test' : 'Starting', tone: 'idle', from: last, to: from});
        spans.push({name: tested ? `Test: ${stage.name}` : stage.name, tone: 'running', from, to});
        last = to;
      }
      const whole = tested || several ? runOf(attempts, attempt).replace(/^\w/, (letter) => letter.toUpperCase()) : !final ? 'Build' : finished(status.phase) ? 'Ran' : 'Runs';
      if (!own.length || stop - last > 1000) spans.push({name: own.length ? 'Afterwards' : whole, tone: own.length ? 'idle' : 'running', from: last, to: stop});
      last = Math.max(last, stop);
    });
    if (attempts.length && end - last > 1000) spans.push({name: 'Afterwards', tone: 'idle', from: last, to: end});
    const ended = spans.findLast(({tone}) => tone === 'running') ?? spans[0];
    if (status.phase === 'Failed') {
      ended.tone = 'failed';
      if (status.stages?.some((/** @type {KubeObject} */ {name}) => ended.name.endsWith(name)) && end - ended.from < 1500) ended.name += ' or later'; // reports of steps come once a second
    }
    const total = Math.max(1, end - created);
    return html`<section class="timeline"><header><h2>Time</h2><span class="muted">${duration(total)}${finished(status.phase) ? '' : ' so far'}, created ${ago(metadata.creationTimestamp)} ago</span></header>
      <ol>${spans.map(({name, tone, from, to}) => html`<li class=${tone}><span class="name" title=${name}>${tone === 'failed' ? badge('failed', name) : name}</span><span class="track"><span class="bar" .style=${`margin-left: min(${100 * (from - created) / total}%, 100% - 3px); width: ${100 * (to - from) / total}%`}></span></span><span class="length">${tone === 'failed' ? 'failed, ' : ''}${to - from < 1000 ? '<1s' : duration(to - from)}</span></li>`)}</ol>
      ${status.stages?.length ? html`<p class="hint">A step that takes less than a second may be missing.</p>` : nothing}</section>`;
  }

  /** @param {KubeObject} build */
  artifacts({status = {}}) {
    const {namespace} = this.app;
    if (!status.artifacts?.length) return nothing;
    const counts = this.vulnerabilities?.counts;
    return section('Artifacts', html`<ul class="list">${status.artifacts.map((/** @type {KubeObject} */ artifact) => html`<li><h3>${artifact.target}</h3>${facts([
      ['Digest', html`<code class="wrap">${artifact.digest}</code>`], ['Size', bytes(artifact.sizeBytes)], ['Location', locationOf(artifact)], ['Tag', artifact.tag],
      ['Packages', artifact.packages], ['Documents', documentsOf(artifact)], ['Checked', artifact.verified === 'Content' ? 'The contents have this digest.' : ''],
    ])}</li>`)}</ul>
    ${counts ? html`<p>${icon(counts.critical || counts.high || counts.unreadable || counts.unmatched ? 'warning' : 'ok')} Vulnerabilities: ${countsOf(counts) || 'none known'}${counts.fixable ? `; ${counts.fixable} can be fixed` : ''}</p>` : nothing}
    <p>${shown(command(namespace, 'artifacts', 'get', this.name))}</p>`);
  }

  /** @param {KubeObject} status */
  tests({tests}) {
    const {namespace} = this.app;
    if (!tests?.length) return nothing;
    return section('Tests', html`<div class="overflow"><table><thead><tr><th>Test</th><th>Result</th><th>Target</th><th>Duration</th></tr></thead><tbody>${tests.map((/** @type {KubeObject} */ test) => html`<tr>
      <td>${test.name}${test.gates ? nothing : html` <span class="muted">not required</span>`}</td><td>${badge(outcomes[test.outcome] ?? 'running', test.outcome || 'Running')}${test.message ? html`<br><span class="muted">${test.message}</span>` : nothing}</td><td>${test.target}</td>
      <td>${test.duration ? duration(parseDuration(test.duration)) : ''}</td></tr>`)}</tbody></table></div>`, html`<span class="muted">${shown(command(namespace, 'logs', this.name, '--test', tests[0].name))}</span>`);
  }

  /** @param {KubeObject} spec */
  trigger({trigger, retests, reproduces}) {
    const {namespace} = this.app;
    if (!trigger) return nothing;
    const updates = trigger.packages?.updates ?? [];
    return section('Why it was built', html`${facts([
      ['Trigger', html`<span title=${meaningOf(trigger.reason)}>${inWords(trigger.reason)}</span>`], ['By', trigger.requestedBy], ['Message', trigger.message],
      ['Compare', this.good && !this.explained ? html`<a href=${comparison(namespace, this.good, this.name)}>with ${this.good}</a>` : ''],
      ['Rerun of', trigger.rerunOf && html`<a href=${href(namespace, 'builds', trigger.rerunOf)}>${trigger.rerunOf}</a>`],
      ['Tests', retests && html`the artifacts of <a href=${href(namespace, 'builds', retests.name)}>${retests.name}</a>`],
      ['Reproduces', reproduces && html`<a href=${href(namespace, 'builds', reproduces.name)}>${reproduces.name}</a>`],
    ])}${changesList(trigger.changes)}
    ${updates.length ? html`<h3>New packages</h3>${changesList(updates, ({security}) => (security ? badge('warning', 'security') : nothing))}` : nothing}`);
  }

  /** @param {KubeObject} build */
  inputs({spec: {inputs}, status = {}}) {
    const {namespace} = this.app;
    const {base, builder, source} = inputs, {resolved} = status;
    return section('Inputs', facts([
      ['Builder', builder.name ?? html`<code class="wrap">${builder.image}</code>`],
      ['Base', base.imageRef ? html`<a href=${href(namespace, 'images', base.imageRef.name)}>${base.imageRef.name}</a>${base.imageRef.channel ? ` (${base.imageRef.channel})` : ''}${resolved?.base ? html`, build <a href=${href(namespace, 'builds', resolved.base.name)}>${resolved.base.name}</a>` : nothing}` : base.reference],
      ['Source', sourceOf(source, resolved?.source)],
      ['Targets', inputs.targets.map((/** @type {KubeObject} */ {platform, format}) => `${platform}/${format}`).join(', ')],
      ...(inputs.parameters ?? []).map((/** @type {KubeObject} */ {name, value}) => [name, html`<code class="wrap">${value}</code>`]),
      ['Publishes to', inputs.output && html`<code class="wrap">${inputs.output.repository}</code>`],
      ['Inputs digest', digest(resolved?.inputsDigest)],
    ]));
  }

  /** @param {{attempts: KubeObject[]}} status */
  attempts({attempts}) {
    const {namespace} = this.app;
    return section(attempts.some(({tests}) => tests?.length) ? 'Attempts and tests' : 'Attempts', html`<div class="overflow"><table><thead><tr><th>Run</th><th>Outcome</th><th>Duration</th><th>Node</th><th>Log</th></tr></thead><tbody>${attempts.map((/** @type {KubeObject} */ attempt) => html`<tr>
      <td>${runOf(attempts, attempt)}</td><td>${badge(outcomes[attempt.outcome] ?? 'running', attempt.outcome || 'Running')}${attempt.failure ? html`<br><span class="muted"><span title=${meaningOf(attempt.failure.reason)}>${inWords(attempt.failure.reason)}</span>${attempt.failure.message ? `: ${attempt.failure.message}` : ''}</span>` : nothing}</td>
      <td>${duration((Date.parse(attempt.completionTime) || now()) - Date.parse(attempt.startTime))}</td><td>${attempt.nodeName ?? ''}</td>
      <td><a href=${`${href(namespace, 'builds', this.name, 'log')}?attempt=${attempt.number}`}>Log</a></td></tr>`)}</tbody></table></div>`);
  }

  /** @param {KubeObject} build */
  proof({status = {}}) {
    const {namespace} = this.app, {attestation} = status;
    if (!attestation) return nothing;
    const keys = new Set((attestation.artifacts ?? []).flatMap((/** @type {KubeObject} */ artifact) => (artifact.statements ?? []).flatMap((/** @type {KubeObject} */ statement) => (statement.signatures ?? []).map((/** @type {KubeObject} */ {keyID}) => keyID))));
    return section('Proof', html`${facts([
      ['Signed', keys.size ? 'yes' : conditionOf({status}, 'Attested') ? 'not yet' : 'no: the server has no key'], ['Keys', keys.size ? [...keys].map((key) => html`<code class="wrap">${key}</code> `) : ''],
      ['Statements', [...new Set((attestation.artifacts ?? []).flatMap((/** @type {KubeObject} */ {statements}) => (statements ?? []).map((/** @type {KubeObject} */ {type}) => statementTypes[type] ?? type)))].filter(Boolean).join(', ')],
    ])}<p>${shown(command(namespace, 'verify', this.name))}</p>`);
  }

  /** @param {KubeObject} status */
  conditions({conditions = []}) {
    return conditionsList(conditions, this.reasons);
  }

  eventList() {
    if (!this.happened?.length) return nothing;
    const sorted = [...this.happened].sort((a, b) => Date.parse(b.lastTimestamp ?? b.eventTime ?? b.metadata.creationTimestamp) - Date.parse(a.lastTimestamp ?? a.eventTime ?? a.metadata.creationTimestamp));
    return section('Events', html`<ul class="plain">${sorted.map((event) => html`<li><strong title=${meaningOf(event.reason)}>${inWords(event.reason)}</strong> ${event.message} <span class="muted">${ago(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp)}${event.count > 1 ? `, ${event.count} times` : ''}</span></li>`)}</ul>`);
  }
}

/** What an attempt is called: one that runs tests is no retry. @param {KubeObject[]} attempts @param {KubeObject} attempt */
export function runOf(attempts, {number, tests}) {
  if (!tests?.length) return `attempt ${number}`;
  const all = attempts.filter(({tests}) => tests?.length);
  return all.length > 1 ? `test ${all.findIndex((other) => other.number === number) + 1}` : 'test';
}

/** The number at the end of a build's name. @param {string} build */
export const number = (build) => Number(/\d+$/.exec(build)?.[0] ?? 0);

/**
 * Finds the last build of an image that succeeded before a build.
 * @param {string} namespace
 * @param {string} image
 * @param {string} build
 * @returns {Promise<string | undefined>}
 */
export async function goodBefore(namespace, image, build) {
  const {rows, columnDefinitions} = await request(path('imagebuilds', namespace), {query: {labelSelector: `images.goldsmith.dev/image=${image}`}, table: true});
  const at = (/** @type {string} */ title) => columnDefinitions.findIndex((/** @type {KubeObject} */ {name}) => name === title), [phase, why, oneOff] = ['Phase', 'Why', 'OneOff'].map(at);
  return rows.map((/** @type {KubeObject} */ {cells}) => cells).filter((/** @type {string[]} */ cells) => cells[phase] === 'Succeeded' && cells[why] !== 'Revoked' && cells[oneOff] !== 'true' && number(cells[0]) < number(build))
    .sort((/** @type {string[]} */ a, /** @type {string[]} */ b) => number(b[0]) - number(a[0]))[0]?.[0];
}

/**
 * Shows changes one below the other: columns of pages are too narrow for a table.
 * @param {KubeObject[] | undefined} changes of inputs or packages
 * @param {(change: KubeObject) => Content} [more] what else there is to say about a change
 */
export const changesList = (changes, more = () => nothing) => (changes?.length ? html`<dl class="changed">${changes.map((change) => html`<div><dt><code>${change.path ?? change.name}</code>${more(change)}</dt><dd>${change.from || none} → ${change.to || none}</dd></div>`)}</dl>` : nothing);

/** Conditions that are as they should be when they are False. */
const shouldBeFalse = ['Stalled', 'Revoked', 'Vulnerable'];

/** Conditions that tell what happens: nothing is wrong with any of their values. */
const neutral = ['Building', 'Finished', 'PodReady', 'Reconciling', 'ScheduleActive'];

/** Reports whether a condition is not as it should be. @param {KubeObject} condition */
const isWrong = ({type, status}) => !neutral.includes(type) && status === (shouldBeFalse.includes(type) ? 'True' : 'False');

/**
 * Shows conditions, with what their reasons mean: those that are as they should be when the user asks for them.
 * @param {KubeObject[]} conditions
 * @param {import('../reasons.js').Reason[]} reasons
 */
export function conditionsList(conditions, reasons) {
  const wrong = conditions.filter(isWrong), right = conditions.filter((condition) => !isWrong(condition));
  const told = new Set();
  const list = (/** @type {KubeObject[]} */ those, /** @type {import('../parts.js').Tone} */ tone) => html`<dl class="changed">${those.map(({type, status, reason, message, lastTransitionTime}) => {
    const entries = reasons.filter((entry) => entry.reason === reason);
    const meaning = (entries.find(({reporter}) => reporter.includes(type)) ?? entries[0])?.meaning ?? '';
    const own = message && !message.startsWith('see status') ? message : meaning;
    const text = told.has(own) ? '' : own; // conditions repeat each other
    told.add(own);
    return html`<div><dt>${badge(neutral.includes(type) ? 'idle' : tone, `${type}: ${status}`)} <span class="muted">${ago(lastTransitionTime)}</span></dt>
      <dd><span title=${`${reason}${meaning ? `: ${meaning}` : ''}`}>${inWords(reason)}</span>${text ? `: ${text}` : ''}</dd></div>`;
  })}</dl>`;
  return section('Conditions', html`${wrong.length ? list(wrong, 'warning') : nothing}
    ${right.length ? html`<details><summary>${wrong.length ? `${right.length} more are` : `All ${right.length} are`} as they should be</summary>${list(right, 'ok')}</details>` : nothing}`);
}

/** The names of an artifact's documents. An SBOM has two formats. @param {KubeObject} artifact */
const documentsOf = ({documents = []}) => [...new Set(documents.map((/** @type {KubeObject} */ {type, mediaType}) => (type !== 'SBOM' ? type : mediaType.includes('spdx') ? 'SBOM (SPDX)' : mediaType.includes('cyclonedx') ? 'SBOM (CycloneDX)' : type)))].join(', ');

/** Where an artifact is. The address of an artifact that the server keeps is of no use without its API. @param {KubeObject} artifact @returns {Content | undefined} */
export function locationOf({location}) {
  if (!location) return undefined;
  return location.startsWith('/apis/') ? 'kept by the server' : html`<code class="wrap">${location}</code>`;
}

/** @param {KubeObject | undefined} source @param {KubeObject | undefined} resolved @returns {Content | undefined} */
export function sourceOf(source, resolved) {
  if (!source) return undefined;
  const revision = resolved ? html` <code class="digest" title=${resolved.revision}>${resolved.revision.replace(/^sha\d+:/, '').slice(0, 12)}</code> ${resolved.summary ?? ''}` : nothing;
  if (source.git) return html`<code class="wrap">${source.git.url}</code> ${source.git.ref ?? ''}${revision}`;
  if (source.oci) return html`<code class="wrap">${source.oci.repository}:${source.oci.tag ?? 'latest'}</code>${revision}`;
  if (source.configMapRef) return `ConfigMap ${source.configMapRef.name}`;
  return Object.keys(source.inline?.files ?? {}).join(', ');
}

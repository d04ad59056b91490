// SPDX-License-Identifier: Apache-2.0

import {APIError, encode, everywhere, failureOf, group, path, request} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {badge, command, digest, empty, filterChoices, filterField, finished, href, icon, none, problem, section, shown, stateBadge} from '../parts.js';
import {inWords, meaningOf} from '../reasons.js';
import {Table} from '../table.js';
import {duration, local, parseDuration} from '../time.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {import('../parts.js').Tone} Tone */
/** @typedef {Record<string, any>} KubeObject */
/** @typedef {{name: string, uid: string}} Side one of the two builds, as the address has it */
/** @typedef {{name: string, architecture: string, from?: string, to?: string}} PackageChange */

/** Lists with more packages than this can be filtered, and scroll by themselves. */
const many = 20;

/** The tones of the outcomes of tests. @type {Record<string, Tone>} */
const outcomes = {Passed: 'ok', Flaky: 'warning', Failed: 'failed', Error: 'failed'};

/** The kinds of changes, with a sign for each. @type {Record<string, string>} */
const kinds = {Added: '+', Removed: '−', Changed: '≠'};

/** @param {{from?: string, to?: string}} change */
const kindOf = ({from, to}) => (!from ? 'Added' : !to ? 'Removed' : 'Changed');

/** @param {{from?: string, to?: string}} change */
const kindCell = (change) => html`<span class="kind"><span aria-hidden="true">${kinds[kindOf(change)]}</span><span class="word">${kindOf(change)}</span></span>`;


/** The differences between two builds of a namespace. */
export class DiffPage {
  title = 'Compare builds';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    /** The builds that are compared, as the address has them. */
    this.asked = '';
    /** @type {KubeObject | undefined} */
    this.diff = undefined;
    /** @type {APIError | undefined} */
    this.failure = undefined;
    this.loading = false;
    this.stream = new AbortController();
    /** The image of the builds, or an empty text. @type {string | undefined} */
    this.image = undefined;
    /** The builds of the image. @type {Live | undefined} */
    this.builds = undefined;
    /** The UIDs of builds that were compared again when they had finished. @type {Set<string>} */
    this.compared = new Set();
    /** The tables of long lists of packages. @type {Table[]} */
    this.tables = [];
    /** Increases with each new diff. */
    this.version = 0;
  }

  close() {
    this.builds?.close();
    this.stream.abort();
    this.closed = true;
  }

  /** @returns {{from: Side, to: Side}} */
  sides() {
    const query = (/** @type {string} */ name) => this.app.query(name);
    return {from: {name: query('from'), uid: query('withUID')}, to: {name: query('to'), uid: query('uid')}};
  }

  /** Compares the builds of the address, unless they are compared already. */
  compare() {
    const {from, to} = this.sides();
    const asked = JSON.stringify([from, to]);
    if (asked === this.asked && !this.hasFinished()) return;
    this.asked = asked;
    this.stream.abort();
    this.stream = new AbortController();
    this.failure = undefined;
    if (this.image === undefined) this.findImage([to, from]);
    if (!from.name || !to.name) return;
    this.title = `${from.name} and ${to.name}`;
    this.load(from, to, this.stream.signal);
  }

  /** Reports, once for each build, that a build has finished since it was compared. */
  hasFinished() {
    const {diff} = this;
    const builds = diff && !this.loading ? [diff.from, diff.to] : [];
    return builds.map(({name, uid, phase}) => {
      const row = this.builds?.items.get(`${this.app.namespace}/${name}`);
      if (finished(phase) || row?.metadata.uid !== uid || !finished(row?.Phase) || this.compared.has(uid)) return false;
      this.compared.add(uid);
      return true;
    }).includes(true);
  }

  /** @param {Side} from @param {Side} to @param {AbortSignal} signal */
  async load(from, to, signal) {
    this.loading = true;
    try {
      this.diff = await request(path('imagebuilds', this.app.namespace, to.name, 'diff'), {query: {with: from.name, uid: to.uid, withUID: from.uid}, signal});
      this.version++;
      this.makeTables();
    } catch (error) {
      if (signal.aborted) return;
      this.diff = undefined;
      this.failure = failureOf(error);
    }
    this.loading = false;
    this.app.update();
  }

  /** Finds the image of the first of the builds that exists, and lists its builds. @param {Side[]} sides */
  async findImage(sides) {
    this.image = '';
    for (const {name} of sides) {
      if (!name || this.builds) continue;
      try {
        const {rows} = await request(path('imagebuilds', this.app.namespace, name), {table: true, query: {includeObject: 'Metadata'}});
        const image = rows?.[0]?.object.metadata.labels?.[`${group}/image`];
        if (!image || this.closed) continue;
        this.image = image;
        this.builds = new Live(path('imagebuilds', this.app.namespace), {query: {labelSelector: `${group}/image=${image}`}, table: true, changed: () => this.app.update()});
      } catch {
        // the build is deleted, or the diff reports the same error
      }
    }
    this.app.update();
  }

  /** @returns {KubeObject[]} the builds of the image, newest first */
  choices() {
    return (this.builds?.values() ?? []).sort((a, b) => Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp) || b.Name.localeCompare(a.Name, undefined, {numeric: true}));
  }

  render() {
    const {namespace} = this.app;
    if (namespace === everywhere) return html`${this.heading()}${this.chooseNamespace()}`;
    this.compare();
    const {from, to} = this.sides();
    return html`${this.heading()}${this.choice(from, to)}${problem(this.failure ?? this.builds?.failure)}${this.content(from, to)}`;
  }

  heading() {
    return html`<header class="title"><h1>Compare builds</h1>
      ${this.image ? html`<span class="count">of <a href=${href(this.app.namespace, 'images', this.image)}>${this.image}</a></span>` : nothing}</header>`;
  }

  chooseNamespace() {
    return html`<div class="empty"><h2>Choose a namespace</h2><p>Builds are compared within one namespace.</p>
      ${this.app.namespaces.length ? html`<p class="names">${this.app.namespaces.map((name) => html`<a href=${href(name, 'diff') + location.search}>${name}</a> `)}</p>` : nothing}</div>`;
  }

  /** Shows which builds are compared, and lets users choose others. @param {Side} from @param {Side} to */
  choice(from, to) {
    if (!from.name && !to.name) return nothing;
    const swap = () => this.app.setQuery({from: to.name, withUID: to.uid, to: from.name, uid: from.uid});
    const choices = this.choices();
    return html`<div class="compared">
      ${this.select('From', from, choices, (name) => this.app.setQuery({from: name, withUID: ''}))}
      <button type="button" class="swap" @click=${swap} title="Swap the builds" aria-label="Swap the builds"><svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M2 5.5h11m-3-3 3 3-3 3M14 10.5H3m3-3-3 3 3 3"></path></svg></button>
      ${this.select('To', to, choices, (name) => this.app.setQuery({to: name, uid: ''}))}
    </div>`;
  }

  /** @param {string} label @param {Side} side @param {KubeObject[]} choices @param {(name: string) => void} choose */
  select(label, side, choices, choose) {
    const chosen = choices.some(({Name, metadata}) => Name === side.name && (!side.uid || side.uid === metadata.uid));
    return html`<label class="field"><span>${label}</span><select @change=${(/** @type {Event} */ event) => choose(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${chosen ? nothing : html`<option value=${side.name} .selected=${true}>${side.name ? `${side.name}${side.uid ? `, UID ${side.uid}` : ''}` : 'Choose a build'}</option>`}
      ${choices.map(({Name, Phase, metadata}) => html`<option value=${Name} .selected=${chosen && Name === side.name}>${Name}, ${Phase || 'Pending'}, ${local(metadata.creationTimestamp)}</option>`)}
    </select></label>`;
  }

  /** @param {Side} from @param {Side} to */
  content(from, to) {
    const {namespace} = this.app;
    if (!from.name && !to.name) return empty('Which builds?', 'The page of an image, and that of a build, have links that compare builds. In a terminal, this command does the same:', command(namespace, 'diff', 'FROM', 'TO'));
    if (!from.name || !to.name) return this.suggestion(from.name || to.name, !from.name);
    if (this.failure) return this.failure.code === 404 ? this.deleted(from.name, to.name) : nothing;
    const {diff} = this;
    if (!diff) return html`<p class="loading">Comparing ${to.name} with ${from.name}.</p>`;
    const asked = command(namespace, 'diff', from.name, to.name, ...(from.uid ? ['--uid', from.uid] : []), ...(to.uid ? ['--second-uid', to.uid] : []));
    return html`<div class="differences" aria-busy=${this.loading ? 'true' : 'false'}>
      ${diff.from.uid === diff.to.uid ? html`<p class="same-build">${icon('warning')} Both are the same build. Choose another build to see what changed.</p>` : nothing}
      ${section('Results', this.results(diff.from, diff.to, from, to))}
      ${section('Inputs', this.inputs(diff), counted(countOfInputs(diff)))}
      ${this.packages(diff)}
      ${section('Artifacts', this.artifacts(diff), counted(diff.artifacts?.length))}
      ${section('Tests', this.tests(diff), counted(diff.tests?.length))}
      <p class="same">In a terminal: ${shown(asked)}</p>
    </div>`;
  }

  /** Asks for the other build. @param {string} name @param {boolean} later whether the other build is the earlier one */
  suggestion(name, later) {
    const rows = this.choices();
    const created = (/** @type {KubeObject} */ row) => Date.parse(row.metadata.creationTimestamp);
    const chosen = rows.find((row) => row.Name === name);
    const good = later && chosen && rows.find((row) => row.Phase === 'Succeeded' && row.OneOff !== 'true' && row.Name !== name && created(row) <= created(chosen));
    return html`<div class="empty"><h2>With which build?</h2><p>Choose the build to compare ${name} with. In a terminal, this command does the same:</p>
      <p>${shown(command(this.app.namespace, 'diff', ...(later ? ['FROM', name] : [name, 'TO'])))}</p>
      ${good ? html`<p><button type="button" class="primary" @click=${() => this.app.setQuery({from: good.Name})}>Compare with ${good.Name}, the last good build before</button></p>` : nothing}</div>`;
  }

  /** Says how deleted builds are compared. @param {string} from @param {string} to */
  deleted(from, to) {
    const {namespace} = this.app;
    return html`<div class="empty"><h2>The build may be deleted</h2><p>With a records database, deleted builds are compared by their UIDs. The first command lists the UIDs, and the second compares:</p>
      <p>${shown(command(namespace, 'history', this.image || 'IMAGE', '-o', 'wide'))}</p><p>${shown(command(namespace, 'diff', from, to, '--uid', 'UID'))}</p></div>`;
  }

  /** @param {KubeObject} before @param {KubeObject} after @param {Side} from @param {Side} to */
  results(before, after, from, to) {
    const {namespace} = this.app;
    const query = (/** @type {Side} */ side) => (side.uid ? `?uid=${encode(side.uid)}` : '');
    const name = (/** @type {KubeObject} */ build, /** @type {Side} */ side) => html`<a href=${href(namespace, 'builds', build.name) + query(side)}>${build.name}</a>
      <a class="to-log" href=${href(namespace, 'builds', build.name, 'log') + query(side)} aria-label=${`Log of ${build.name}`}>Log</a>`;
    const failure = (/** @type {KubeObject} */ build) => (build.failure ? html`<span title=${meaningOf(build.failure)}>${inWords(build.failure)}</span>` : none);
    const took = (/** @type {KubeObject} */ build) => (build.duration ? duration(parseDuration(build.duration)) : none);
    /** @type {[string, Content, Content][]} */
    const rows = [
      ['Phase', stateBadge(before), stateBadge(after)],
      ...(before.failure || after.failure ? [/** @type {[string, Content, Content]} */ (['Failure', failure(before), failure(after)])] : []),
      ['Duration', took(before), took(after)],
      ['Attempts', before.attempts ?? 0, after.attempts ?? 0],
      ...(before.revoked || after.revoked ? [/** @type {[string, Content, Content]} */ (['Revoked', revoked(before), revoked(after)])] : []),
      ['Digest of inputs', before.inputsDigest ? digest(before.inputsDigest) : 'not resolved', after.inputsDigest ? digest(after.inputsDigest) : 'not resolved'],
    ];
    return html`<table class="sides"><thead><tr><th scope="col"><span class="unseen">Field</span></th><th scope="col">${name(before, from)}</th><th scope="col">${name(after, to)}</th></tr></thead>
      <tbody>${rows.map(([title, one, other]) => html`<tr><th scope="row">${title}</th><td class="wrap">${one}</td><td class="wrap">${other}</td></tr>`)}</tbody></table>`;
  }

  /** @param {KubeObject} diff */
  inputs(diff) {
    /** @type {{path: string, from?: string, to?: string}[]} */
    const changes = diff.inputs ?? [];
    const unresolved = [diff.from, diff.to].filter(({inputsDigest}) => !inputsDigest).map(({name}) => name);
    const note = unresolved.length ? html`<p class="muted">The inputs of ${[...new Set(unresolved)].join(' and ')} are not resolved: the files of ConfigMaps and the digest of the base count as empty.</p>` : nothing;
    if (!changes.length) return html`<p>No change: the inputs of both builds are the same.</p>${note}`;
    const more = changes.filter(({from, to}) => !from && !to).map(({path}) => path);
    return html`${sideBySide('Input', changes.filter(({from, to}) => from || to), ({path}) => html`<code>${path}</code>`, values, diff)}${more.length ? html`<p class="muted">${more.join(', ')}</p>` : nothing}${note}`;
  }

  /** @param {KubeObject} diff */
  packages(diff) {
    /** @type {{targets: string[], changes?: PackageChange[], unchanged?: number}[]} */
    const lists = diff.packages ?? [];
    const all = lists.flatMap(({changes}) => changes ?? []);
    const filtered = all.length > many;
    const text = filtered ? this.app.query('q').toLowerCase() : '', kind = filtered ? this.app.query('change') : '';
    const matches = (/** @type {PackageChange} */ change) => (!kind || kindOf(change) === kind) && (!text || `${change.name} ${change.from} ${change.to}`.toLowerCase().includes(text));
    const filter = html`<div class="filters">${filterField(this.app, 'Filter the packages')}
      ${filterChoices(this.app, 'change', 'Change', Object.keys(kinds).map((name) => [name, `${kinds[name]} ${name}`, all.filter((change) => kindOf(change) === name).length]))}</div>`;
    return section('Packages', html`
      ${filtered ? filter : nothing}
      ${lists.map((list, index) => (lists.length === 1 && !all.length ? nothing : html`<div class="packages">
        <p class="of">${lists.length > 1 ? html`<strong>${list.targets.join(', ')}</strong>: ` : nothing}${summary(list)}</p>
        ${this.packageList(list.changes ?? [], matches, `${text} ${kind}`, index, diff)}
      </div>`))}
      ${!lists.length && !diff.packagesMessage ? html`<p>Not compared: neither build has a list of its packages.</p>` : nothing}
      ${lists.length === 1 && !all.length ? html`<p>No change: ${lists[0].unchanged === 1 ? 'the package is' : `all ${lists[0].unchanged ?? 0} packages are`} the same.</p>` : nothing}
      ${diff.packagesMessage ? html`<p class="message">${icon('warning')}<span>Not compared: ${diff.packagesMessage}.</span></p>` : nothing}`, counted(all.length));
  }

  /** @param {PackageChange[]} changes @param {(change: PackageChange) => boolean} matches @param {string} filter @param {number} index @param {KubeObject} diff @returns {Content} */
  packageList(changes, matches, filter, index, diff) {
    const rows = changes.filter(matches);
    if (!changes.length) return nothing;
    if (!rows.length) return html`<p class="muted">No package matches the filter.</p>`;
    if (changes.length <= many) return sideBySide('Package', rows, packageName(changes), versions, diff);
    const table = this.tables[index];
    table.set(`${this.version} ${filter}`, () => rows);
    return html`<div class="long" .style=${`--rows: ${Math.min(rows.length, 15)}`}>${table.template()}</div>`;
  }

  makeTables() {
    this.tables = (this.diff?.packages ?? []).map((/** @type {{targets: string[], changes?: PackageChange[]}} */ {targets, changes = []}) => {
      const name = packageName(changes);
      const order = new Map(changes.map((change, index) => [change, index]));
      return new Table(this.app, {
        label: `Packages of ${targets.join(', ')}`, sort: 'package', key: (row) => String(order.get(row)),
        columns: [
          {name: 'change', title: 'Change', by: kindOf, cell: kindCell},
          {name: 'package', title: 'Package', by: (row) => row.name, cell: (row) => html`<span title=${`${row.name}, ${row.architecture}`}>${name(row)}</span>`},
          {name: 'from', title: this.diff?.from.name, from: 'medium', by: (row) => row.from ?? '', cell: (row) => html`<span title=${row.from ?? ''}>${versions(row)[0]}</span>`},
          {name: 'to', title: this.diff?.to.name, by: (row) => row.to ?? '', cell: (row) => html`<span title=${row.to ?? ''}>${versions(row)[1]}</span>`},
        ],
      });
    });
  }

  /** @param {KubeObject} diff */
  artifacts(diff) {
    /** @param {KubeObject} change @returns {Content[]} */
    const digests = ({from, to}) => [from ? digest(from) : none, to ? digest(to) : none];
    if (!diff.artifacts?.length) return html`<p>No change: the artifacts of both builds have the same digests.</p>`;
    return sideBySide('Artifact', diff.artifacts, (/** @type {KubeObject} */ {target}) => html`<code>${target}</code>`, digests, diff);
  }

  /** @param {KubeObject} diff */
  tests(diff) {
    const outcome = (/** @type {string | undefined} */ word) => (word ? badge(outcomes[word] ?? 'waiting', word) : html`<span class="muted">not run</span>`);
    if (!diff.tests?.length) return html`<p>No test has another outcome.</p>`;
    return sideBySide('Test', diff.tests, (/** @type {KubeObject} */ {name}) => name, (/** @type {KubeObject} */ {from, to}) => [outcome(from), outcome(to)], diff, false);
  }
}

/** @param {number | undefined} changes */
const counted = (changes) => (changes ? html`<span class="muted">${changes} ${changes === 1 ? 'change' : 'changes'}</span>` : nothing);

/** How many inputs differ: the server leaves out some of many, and counts them in the path of the last. @param {KubeObject} diff */
function countOfInputs({inputs = []}) {
  const more = /^and (\d+) more$/.exec(inputs.at(-1)?.path ?? '');
  return inputs.length + (more ? Number(more[1]) - 1 : 0);
}

/** @param {{changes?: PackageChange[], unchanged?: number}} list */
function summary({changes = [], unchanged = 0}) {
  const count = (/** @type {string} */ kind) => changes.filter((change) => kindOf(change) === kind).length;
  return changes.length ? `${count('Added')} added, ${count('Removed')} removed, ${count('Changed')} changed, ${unchanged} the same` : `no change, ${unchanged} the same`;
}

/**
 * Shows changes as a table with a column for each build.
 * @template {{from?: string, to?: string}} T
 * @param {string} title of the first column
 * @param {T[]} changes
 * @param {(change: T) => Content} name
 * @param {(change: T) => Content[]} cells the two values
 * @param {KubeObject} diff
 * @param {boolean} kind whether a column has the kind of each change
 */
const sideBySide = (title, changes, name, cells, diff, kind = true) => html`<table class="changes" role="table" aria-label=${`${title}: changes`}>
  <thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${title}</th>${kind ? html`<th scope="col" role="columnheader" class="of-kind">Change</th>` : nothing}<th scope="col" role="columnheader">${diff.from.name}</th><th scope="col" role="columnheader">${diff.to.name}</th></tr></thead>
  <tbody role="rowgroup">${changes.map((change) => html`<tr role="row"><th scope="row" role="rowheader" class="wrap">${name(change)}</th>${kind ? html`<td role="cell" class="of-kind">${kindCell(change)}</td>` : nothing}
    ${cells(change).map((cell, index) => html`<td role="cell" class="wrap"><span class="side narrow" aria-hidden="true">${(index ? diff.to : diff.from).name}: </span>${cell}</td>`)}</tr>`)}</tbody></table>`;

/** The names of packages: with the architecture, if packages of several architectures have the name. @param {PackageChange[]} changes */
function packageName(changes) {
  const architectures = Map.groupBy(changes, ({name}) => name);
  const several = new Set([...architectures].filter(([, those]) => new Set(those.map(({architecture}) => architecture)).size > 1).map(([name]) => name));
  return (/** @type {PackageChange} */ {name, architecture}) => (several.has(name) ? `${name}:${architecture}` : name);
}

/** Shows the values of an input, with what differs between them in bold. @param {{from?: string, to?: string}} change @returns {Content[]} */
function values({from, to}) {
  if (!from || !to) return [from, to].map((value) => (value ? html`<code>${value}</code>` : none));
  const [one, other] = parted(from, to);
  return [one, other].map(([before, middle, after]) => html`<code class="parted">${before}<mark>${middle}</mark>${after}</code>`);
}

/** Shows the versions of a package. @param {PackageChange} change @returns {Content[]} */
function versions({from, to}) {
  if (from && from === to) return [from, html`${to} <span class="muted">(another file)</span>`];
  if (!from || !to) return [from || none, to || none];
  const [one, other] = parted(from, to);
  return [one, other].map(([before, middle, after]) => html`<span class="parted">${before}<mark>${middle}</mark>${after}</span>`);
}

/**
 * Splits two texts into what both begin with, what differs, and what both end with. Texts that have little in common are not split.
 * @param {string} from
 * @param {string} to
 */
function parted(from, to) {
  const [a, b] = [[...from], [...to]];
  let start = 0, end = 0;
  const shortest = Math.min(a.length, b.length);
  while (start < shortest && a[start] === b[start]) start++;
  while (end < shortest - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  if (start + end < 0.4 * Math.max(a.length, b.length)) return [[from, '', ''], [to, '', '']];
  return [a, b].map((all) => [all.slice(0, start), all.slice(start, all.length - end), all.slice(all.length - end)].map((part) => part.join('')));
}

/** Since when a build is revoked, by whom, and why. @param {KubeObject} build @returns {Content} */
function revoked({revoked}) {
  if (!revoked) return html`<span class="muted">no</span>`;
  return html`${local(revoked.effectiveTime ?? revoked.time)}${revoked.by ? ` by ${revoked.by}` : ''}${revoked.origin ? ` with ${revoked.origin}` : ''}: ${revoked.reason}`;
}

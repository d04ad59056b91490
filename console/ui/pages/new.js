// SPDX-License-Identifier: Apache-2.0

import {APIError, encode, everywhere, failureOf, request, send, warningsIn} from '../api.js';
import {Form, labelOf, own, plain, put} from '../form.js';
import {html, nothing} from '../html.js';
import {ago, badge, command, copy, facts, href, icon, missing, problem, section, shown} from '../parts.js';
import {Poll} from '../poll.js';
import {inWords} from '../reasons.js';
import {firstSpec, readImage, readKinds} from '../schema.js';
import {yaml} from '../yaml.js';
import {changesList} from './build.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {import('../schema.js').Kind} Kind */
/** @typedef {Record<string, any>} KubeObject */

/** The server checks an object this long after the last change. */
const pause = 500;

/**
 * @typedef {object} Draft what the user typed
 * @property {string} name
 * @property {any} spec
 * @property {string} [from] the address of the form that it began with
 * @property {KubeObject} [base] the object that is edited, as the form last read it
 */

/** Drafts by their kind and the object that is edited, for when the user comes back. @type {Map<string, Draft>} */
const drafts = new Map();

/** Forgets what the user typed. */
export const forgetDrafts = () => drafts.clear();

/** Who changes objects, for managedFields. */
const fieldManager = 'goldsmith-console';

const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** @param {any} value @returns {any} the value with its names in order */
const sorted = (value) => (Array.isArray(value) ? value.map(sorted) : isMap(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, sorted(item)])) : value);

const isMap = (/** @type {any} */ value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list whose items have names of their own as a map. @param {any} value */
const keyed = (value) => (Array.isArray(value) && value.length && new Set(value.map((item) => item?.name ?? '')).size === value.length && value.every((item) => item?.name) ? Object.fromEntries(value.map((item) => [item.name, item])) : value);

/** The paths of the values in which two objects differ. @param {any} a @param {any} b @param {string} path @returns {string[]} */
function changedPaths(a, b, path) {
  const [before, after] = [keyed(a), keyed(b)];
  if (same(a, b)) return [];
  if (!isMap(before) || !isMap(after)) return [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => changedPaths(own(before, name), own(after, name), Array.isArray(a) ? `${path}[${name}]` : `${path}.${name}`));
}

/** What merges with a map: nothing, and an empty list, too. @param {any} value */
const mergeable = (value) => (value === undefined || Array.isArray(value) && !value.length ? {} : keyed(value));

/** Makes the changes from base to mine in theirs. Mine wins. @param {any} base @param {any} mine @param {any} theirs @returns {any} */
function rebased(base, mine, theirs) {
  if (same(base, mine)) return theirs;
  const [before, my, their] = [base, mine, theirs].map(mergeable);
  if (mine === undefined || ![before, my, their].every(isMap)) return mine;
  const all = Object.keys({...their, ...my}).reduce((all, name) => put(all, name, rebased(own(before, name), own(my, name), own(their, name))), their);
  return Array.isArray(mine) ? Object.values(all) : all;
}

/** A form for an Image or an object of a kind of the catalog: a new one, or one that exists. */
export class NewPage {
  title = 'New';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    this.resource = app.query('kind') || 'images';
    /** The kind as the form has it. @type {Kind | undefined} */
    this.kind = undefined;
    /** All kinds that users can create. @type {Kind[]} */
    this.kinds = [];
    /** Why the kind cannot be used, and how it has changed. */
    this.gone = '';
    this.change = '';
    /** The names of the object that is edited, or that a new one is like. */
    this.edited = app.query('edit');
    this.like = app.query('like');
    this.key = [this.resource, ...(this.edited ? [app.namespace, this.edited] : this.like ? ['like', app.namespace, this.like] : [])].join(' ');
    const kept = drafts.get(this.key), builder = app.query('builder'), from = location.search;
    /** @type {Draft} */
    this.draft = kept && (kept.from === from || !this.like && (!builder || kept.spec?.builder?.name === builder)) ? kept : {name: this.edited, spec: undefined, from};
    /** The object that is edited, as somebody changed it while the form was open. @type {KubeObject | undefined} */
    this.theirs = undefined;
    this.form = new Form(() => this.onChange(), () => app.update(), (schema) => /** @type {Kind} */ (this.kind).resolve(schema));
    this.form.compact = Boolean(this.edited || this.like);
    /** @type {'' | 'checking' | 'accepted' | 'refused' | 'failed'} */
    this.state = '';
    /** @type {APIError | undefined} */
    this.failure = undefined;
    /** What the server accepts, but advises against. @type {string[]} */
    this.warnings = [];
    /** @type {{value?: KubeObject, failure?: APIError}} */
    this.plan = {};
    this.busy = false;
    this.stream = new AbortController();
    this.poll = new Poll((signal) => this.readKind(signal), () => app.update());
  }

  close() {
    this.poll.close();
    this.stream.abort();
    clearTimeout(this.timer);
  }

  /** What the user typed, to copy it. @returns {Content | undefined} */
  typed() {
    return this.kind && this.draft.spec && drafts.has(this.key) ? this.document() : undefined;
  }

  /** Reads the kinds, keeps what the user typed, and reports whether the kind of the form has changed. @param {AbortSignal} [signal] */
  async readKind(signal) {
    const [image, kinds] = await Promise.all([readImage(signal), readKinds(signal)]);
    this.kinds = [image, ...kinds];
    if ((this.edited || this.like) && !this.kinds.some(({resource}) => resource === this.resource)) this.resource = image.resource; // of a kind that is offered no more
    const before = this.kind, kind = this.kinds.find(({resource}) => resource === this.resource), {spec} = this.draft;
    this.gone = kind ? '' : `The server offers no kind ${before?.kind ?? this.resource}${before ? ' any more. What you typed is kept: copy it' : ''}.`;
    if (!kind) return false;
    this.kind = kind;
    this.title = this.edited ? `Edit ${this.edited}` : `New ${kind.kind}`;
    await this.readObject(kind, signal);
    const changed = before && (before.apiVersion !== kind.apiVersion || before.state(spec) !== kind.state(spec));
    if (changed) this.change = `${kind.kind} has changed while this form was open${differences(before.settings(spec), kind.settings(spec))}. What you typed is kept: look at it again before you ${this.edited ? 'save' : 'create'} it.`;
    this.draft.spec ??= this.draft.base?.spec ?? firstSpec(kind, this.app.query('builder'));
    if (changed || !before) this.check();
    return Boolean(changed);
  }

  /** Reads the object that is edited, or that a new one is like, and notices changes of it. @param {Kind} kind @param {AbortSignal} [signal] */
  async readObject(kind, signal) {
    const {draft} = this, name = this.edited || (draft.spec ? '' : this.like);
    if (!name) return;
    const read = await request(`/apis/${kind.apiVersion}/namespaces/${encode(this.app.namespace)}/${kind.resource}/${encode(name)}`, {signal});
    if (!this.edited) {
      draft.spec = read.spec;
      return;
    }
    draft.base ??= read;
    if (draft.base.metadata.uid !== read.metadata.uid) throw new APIError(`${name} was deleted and created again while this form was open. What you typed is kept: copy it.`, 409);
    this.theirs = same(draft.base.spec, read.spec) ? undefined : read;
    if (!this.theirs) draft.base = read; // status and metadata are not in the form
  }

  /** Makes the changes of the user in the object as somebody else left it. */
  takeTheirs = () => {
    const {draft, theirs} = this;
    if (!theirs) return;
    draft.spec = rebased(draft.base?.spec, draft.spec, theirs.spec);
    draft.base = theirs;
    this.theirs = undefined;
    for (const [field, {problem}] of this.form.typed) if (!problem) this.form.typed.delete(field);
    this.onChange();
  };

  onChange() {
    drafts.set(this.key, this.draft);
    this.state = 'checking';
    this.stream.abort();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), pause);
    this.app.update();
  }

  get collection() {
    return `/apis/${this.kind?.apiVersion}/namespaces/${encode(this.app.namespace)}/${this.resource}`;
  }

  /** The object as users write it. */
  get manifest() {
    const {apiVersion, kind} = /** @type {Kind} */ (this.kind), {base, name, spec} = this.draft;
    const {labels, annotations: {'kubectl.kubernetes.io/last-applied-configuration': applied, ...annotations} = /** @type {KubeObject} */ ({}), finalizers, ownerReferences} = base?.metadata ?? {};
    return {apiVersion, kind, metadata: {name, namespace: this.app.namespace, labels, annotations: Object.keys(annotations).length ? annotations : undefined, finalizers, ownerReferences}, spec};
  }

  get save() {
    return {label: this.edited ? 'Save' : 'Create', title: '', text: '', command: () => '', run: async () => {}, impossible: this.gone,
      right: {verb: this.edited ? 'update' : 'create', group: this.kind?.group, resource: this.resource, namespace: this.app.namespace, ...(this.edited ? {name: this.edited} : {})}};
  }

  /** Writes the object, or tries to. An update keeps what the form does not show. @param {any} object @param {boolean} dry @param {AbortSignal} [signal] */
  write(object, dry, signal) {
    const {base} = this.draft, query = {fieldManager, fieldValidation: 'Strict', dryRun: dry ? 'All' : undefined};
    if (!base) return send(this.collection, {method: 'POST', query, body: object, signal});
    const {resourceVersion, ...metadata} = base.metadata; // that of a dry run can be old: the status changes all the time
    return send(`${this.collection}/${encode(this.edited)}`, {method: 'PUT', query, body: {...base, metadata: dry ? metadata : base.metadata, spec: this.draft.spec}, signal});
  }

  /** Asks the server whether it accepts the object, and what happens then. */
  async check() {
    clearTimeout(this.timer);
    this.stream.abort();
    if (this.app.namespace === everywhere) return;
    const {signal} = this.stream = new AbortController(), {manifest} = this;
    this.state = 'checking';
    this.failure = undefined;
    this.warnings = [];
    this.app.update();
    const nameless = manifest.metadata.name ? [] : [{field: 'metadata.name', message: 'a value is required'}];
    try {
      const asked = nameless.length ? {...manifest, metadata: {...manifest.metadata, name: undefined, generateName: 'new-'}} : manifest; // the server then checks the other fields
      const {headers} = await this.write(asked, true, signal);
      if (signal.aborted) return;
      this.warnings = warningsIn(headers);
      this.form.causes = nameless;
    } catch (error) {
      if (signal.aborted) return;
      const failure = failureOf(error);
      this.form.causes = [...nameless, ...causesOf(failure)];
      if (this.form.causes.length === nameless.length) this.failure = failure;
    }
    this.state = this.failure ? 'failed' : this.wrong.length ? 'refused' : 'accepted';
    this.app.update();
    this.plan = {};
    if (this.state !== 'accepted' || this.resource !== 'images') return;
    const plan = await request(`/apis/${manifest.apiVersion}/namespaces/${encode(this.app.namespace)}/imageplans`, {method: 'POST', body: {...manifest, kind: 'ImagePlan'}, signal})
      .then((value) => ({value}), (failure) => ({failure}));
    if (signal.aborted) return;
    this.plan = plan;
    this.app.update();
  }

  /** @param {Event} event */
  submit = async (event) => {
    event.preventDefault();
    if (this.busy || this.app.actions.refusal(this.save)) return;
    this.busy = this.form.complete = true;
    this.app.update();
    try {
      if (await this.readKind() || this.gone || this.theirs) return;
      await this.check();
      const [first] = this.wrong;
      if (first) this.form.focus(first.field ?? '');
      if (/** @type {string} */ (this.state) !== 'accepted') return;
      for (let tries = 3; ; tries--) {
        try {
          await this.write(this.manifest, false);
          break;
        } catch (error) { // a change of the status is no conflict
          if (!tries || !this.kind || !(error instanceof APIError) || error.reason !== 'Conflict') throw error;
          await this.readObject(this.kind);
          if (this.theirs) return;
        }
      }
      drafts.delete(this.key);
      if (this.app.page === this) this.app.navigate(href(this.app.namespace, 'images', this.draft.name));
    } catch (error) {
      this.failure = failureOf(error);
      this.state = 'failed';
    } finally {
      this.busy = false;
      if (this.theirs) scrollTo(0, 0); // to their changes
      this.app.update();
    }
  };

  render() {
    const {namespace, namespaces} = this.app, {kind} = this;
    if (namespace === everywhere) {
      return html`<div class="empty"><h1>Choose a namespace</h1><p>An image belongs in a namespace. Choose that of the new image:</p>
        <div class="names">${(namespaces.length ? namespaces : ['default']).map((name) => html`<a class="button" href=${`${href(name, 'new')}${location.search}`}>${name}</a>`)}</div></div>`;
    }
    if (!kind) return this.gone ? missing(`There is no kind ${this.resource}`, this.gone, command(namespace, 'kinds')) : this.poll.failure ? problem(this.poll.failure) : html`<p class="loading">Loading the schema.</p>`;
    if (!this.draft.spec) return this.poll.failure ? problem(this.poll.failure) : html`<p class="loading">Loading ${this.edited || this.like}.</p>`;
    return html`<header class="title"><p class="over"><a href=${href(namespace, 'images')}>Images</a>${this.edited ? html` / <a href=${href(namespace, 'images', this.edited)}>${this.edited}</a>` : nothing}</p><h1>${this.title}</h1>
        ${this.edited || this.kinds.length < 2 ? nothing : html`<label class="inline"><span class="muted">Kind</span><select @change=${(/** @type {Event} */ event) => this.app.navigate(`${href(namespace, 'new')}?kind=${encode(this.kinds[Number(/** @type {HTMLSelectElement} */ (event.target).value)].resource)}`)}>
          ${this.kinds.map((each, index) => html`<option value=${index} .selected=${each.resource === this.resource}>${each.kind}</option>`)}</select></label>`}
        <span class="actions"><button type="button" class="quiet" @click=${this.startOver}>Start over</button><a class="button" href=${href(namespace, 'images', ...(this.edited ? [this.edited] : []))}>Cancel</a></span></header>
      ${this.theirs ? html`<div class="problem stale" role="alert">${icon('warning')}<div><p>Somebody changed ${this.edited} while this form was open: ${changedPaths(this.draft.base?.spec, this.theirs.spec, 'spec').join(', ')}. What you typed is kept. Where both changed a value, yours wins.</p><p><button type="button" @click=${this.takeTheirs}>Add their changes</button></p></div></div>` : nothing}
      ${problem(this.gone ? {message: this.gone} : this.poll.failure)}
      ${this.change ? html`<div class="problem stale" role="alert">${icon('warning')}<div><p>${this.change}</p><p><button type="button" @click=${() => { this.change = ''; this.app.update(); }}>Dismiss</button></p></div></div>` : nothing}
      <form class="new" @submit=${this.submit} novalidate><div class="fields" ?inert=${this.busy}>${this.fields(kind)}</div>
        <div class="beside">${this.result(kind)}${this.submitBar()}${this.document()}</div></form>`;
  }

  startOver = () => {
    drafts.delete(this.key);
    this.app.open();
  };

  /** @param {Kind} kind */
  fields(kind) {
    const {draft, form} = this;
    const place = {path: 'metadata.name', name: 'name', label: 'Name', required: true, get: () => draft.name || undefined, set: (/** @type {any} */ value) => { draft.name = value ?? ''; }};
    return html`${kind.description && !this.edited ? html`<p class="muted all">${kind.description}</p>` : nothing}
      ${this.edited ? nothing : form.field({type: 'string', maxLength: 45, description: 'Lower-case letters, digits and hyphens, at most 45 characters. It cannot be changed.'}, place)}
      ${form.properties(kind.schema(draft.spec), {path: 'spec', name: 'spec', label: kind.kind, required: true, get: () => draft.spec, set: (value) => { draft.spec = this.adapted(kind, value); }})()}`;
  }

  /** Another builder makes other targets: what the user did not choose follows it. @param {Kind} kind @param {any} spec */
  adapted(kind, spec) {
    const [before, after] = [this.draft.spec, spec].map((each) => each?.builder?.name);
    if (kind.kind !== 'Image' || before === after) return spec;
    const [old, next] = /** @type {Record<string, any>[]} */ ([before, after].map((name) => firstSpec(kind, name)));
    return Object.fromEntries(Object.entries({...next, ...spec}).map(([name, value]) => [name, same(value, old[name]) ? own(next, name) : value]).filter(([, value]) => value !== undefined));
  }

  /** What is not right yet. */
  get wrong() {
    const all = [...this.form.mistakes, ...this.form.causes];
    return all.filter(({field, message}, index) => all.findIndex((other) => other.field === field && plain(other.message) === plain(message)) === index);
  }

  get countOfWrong() {
    return this.wrong.length === 1 ? 'One field is not right yet' : `${this.wrong.length} fields are not right yet`;
  }

  /** @param {string} field */
  show(field) {
    this.form.touched.add(field);
    this.form.focus(field);
  }

  /** What the object would start. */
  get then() {
    const {build, buildName} = this.plan.value?.status ?? {};
    return build ? `${buildName} would start at once` : 'no build would start';
  }

  /** The button that creates or saves. It shows the first mistake, if there are any. */
  submitBar() {
    const refusal = this.app.actions.refusal(this.save), wrong = this.state === 'refused' && this.wrong.length > 0;
    return html`<div class="submit">${refusal ? html`<p class="refusal">${refusal}</p>` : wrong ? html`<button type="button" class="link" @click=${() => this.show(this.wrong[0].field ?? '')}>${this.countOfWrong}</button>` : this.state === 'accepted' && this.plan.value ? html`<p class="narrow">${this.then}</p>` : nothing}
      <button type="submit" class="primary ${wrong ? 'unready' : ''}" aria-disabled=${refusal || this.busy ? 'true' : nothing} title=${refusal || (wrong ? this.countOfWrong : nothing)}>${this.save.label}</button></div>`;
  }

  /** What the server says. @param {Kind} kind */
  result(kind) {
    const refusal = this.app.actions.refusal(this.save), {plan} = this;
    const causes = this.wrong, forbidden = refusal && this.failure?.code === 403;
    const said = {'': nothing, checking: badge('running', 'The server checks it'), accepted: badge('ok', 'The server accepts it'), refused: badge('warning', this.countOfWrong), failed: badge('failed', 'The server could not check it')}[this.state];
    return section('Check', html`<div role="status">${forbidden ? nothing : said}</div>
      ${this.state === 'refused' ? html`<ul class="plain causes">${causes.map(({field = '', message}) => html`<li><button type="button" class="link" title=${field} @click=${() => this.show(field)}>${this.named(field)}</button> <span class="muted">${plain(message)}</span></li>`)}</ul>` : nothing}
      ${this.warnings.map((text) => html`<p>${icon('warning')} ${text}</p>`)}
      ${problem(forbidden ? undefined : this.failure)}
      ${this.state === 'accepted' && plan.value ? html`<h3>Plan</h3>${facts([['Then', this.then], ['Because', plan.value.status.message || inWords(plan.value.status.reason)], ['Scheduled', plan.value.status.nextScheduleTime ? ago(plan.value.status.nextScheduleTime) : '']])}${changesList(plan.value.status.changes)}` : nothing}
      ${plan.failure ? html`<p class="muted">There is no plan: ${plan.failure.message}</p>` : nothing}
      ${kind.resource === 'images' || this.edited ? nothing : html`<p class="muted">The server plans an object of a kind once it exists: ${shown(command(this.app.namespace, 'plan', `${kind.names[0]}/${this.draft.name || 'NAME'}`))}</p>`}
      `);
  }

  /** A field by the labels of the form, and a parameter of an Image by its name. @param {string} field */
  named(field) {
    const [, index, below = ''] = (this.resource === 'images' && /^spec\.parameters\[(\d+)\](.*)/.exec(field)) || [];
    if (index) return `Parameter ${this.draft.spec.parameters?.[Number(index)]?.name ?? Number(index) + 1}${below === '.value' ? '' : below}`;
    return field.replace(/^(spec|metadata)\.?/, '').split('.').map((part) => part.replace(/^[A-Za-z]+/, labelOf).replace(/\[(\d+)\]/g, (_, number) => ` ${Number(number) + 1}`)).join(' › ') || 'All fields';
  }

  /** The object as YAML, in the command that creates it or replaces it. */
  document() {
    const text = yaml(JSON.parse(JSON.stringify(this.manifest))), [first, last] = [`${command(this.app.namespace, 'kubectl', this.edited ? 'replace' : 'apply', '-f', '-')} <<'END'\n`, 'END'];
    const button = (/** @type {string} */ label, /** @type {string} */ what) => html`<button type="button" class="quiet" @click=${(/** @type {Event} */ event) => copy(/** @type {HTMLElement} */ (event.currentTarget), what)}>${label}</button>`;
    return section('YAML', html`<pre class="tail overflow"><span class="muted">${first}</span>${text}<span class="muted">${last}</span></pre>`, html`<span>${button('Copy YAML', text)}${button('Copy command', `${first}${text}${last}\n`)}</span>`);
  }
}

/** Why the server refuses fields. Some refusals have them in their message only. @param {APIError} failure */
function causesOf({code, message, reason, causes}) {
  if (code === 409 && reason === 'AlreadyExists') return [{field: 'metadata.name', message}];
  const [, text = ''] = /cannot be handled as an? \w+: (.*)$/s.exec(message) ?? [];
  const unknown = [...text.matchAll(/unknown field "([^"]+)"/g)].map(([, field]) => ({field, message: 'There is no such field.'}));
  const [, field, why] = /^((?:spec|metadata)[^:\s]*): (.*)$/s.exec(text) ?? [];
  return causes.length ? causes : unknown.length ? unknown : field ? [{field, message: why}] : [];
}

/** Names the fields that a change of a kind concerns. @param {Record<string, any>} before @param {Record<string, any>} after */
function differences(before, after) {
  const added = Object.keys(after).filter((name) => !Object.hasOwn(before, name)), removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.keys(after).filter((name) => Object.hasOwn(before, name) && !same(before[name], after[name]));
  const parts = [['added', added], ['removed', removed], ['changed', changed]].filter(([, names]) => names.length).map(([word, names]) => `${word}: ${/** @type {string[]} */ (names).join(', ')}`);
  return parts.length ? ` (${parts.join('; ')})` : '';
}

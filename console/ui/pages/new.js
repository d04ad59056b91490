// SPDX-License-Identifier: Apache-2.0

import {APIError, encode, everywhere, request, send, warningsIn} from '../api.js';
import {Form, own} from '../form.js';
import {html, nothing} from '../html.js';
import {ago, badge, command, copy, facts, href, icon, missing, problem, section, shown} from '../parts.js';
import {Poll} from '../poll.js';
import {firstSpec, readImage, readKinds} from '../schema.js';
import {yaml} from '../yaml.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {import('../schema.js').Kind} Kind */
/** @typedef {Record<string, any>} KubeObject */

/** The server checks an object this long after the last change. */
const pause = 500;

/** What the user typed, by the kind, for when the user comes back. @type {Map<string, {name: string, spec: any}>} */
const drafts = new Map();

const same = (/** @type {unknown} */ a, /** @type {unknown} */ b) => JSON.stringify(a) === JSON.stringify(b);

/** A form for an Image or an object of a kind of the catalog. */
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
    const kept = drafts.get(this.resource), builder = app.query('builder');
    this.draft = kept && (!builder || kept.spec?.builder?.name === builder) ? kept : {name: '', spec: undefined};
    this.form = new Form(() => this.onChange(), () => app.update(), (schema) => /** @type {Kind} */ (this.kind).resolve(schema));
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

  /** Reads the kinds, keeps what the user typed, and reports whether the kind of the form has changed. @param {AbortSignal} [signal] */
  async readKind(signal) {
    const [image, kinds] = await Promise.all([readImage(signal), readKinds(signal)]);
    this.kinds = [image, ...kinds];
    const before = this.kind, kind = this.kinds.find(({resource}) => resource === this.resource), {spec} = this.draft;
    this.gone = kind ? '' : `The server offers no kind ${before?.kind ?? this.resource}${before ? ' any more. What you typed is kept: copy it' : ''}.`;
    if (!kind) return false;
    this.kind = kind;
    this.title = `New ${kind.kind}`;
    const changed = before && (before.apiVersion !== kind.apiVersion || before.state(spec) !== kind.state(spec));
    if (changed) this.change = `${kind.kind} has changed while this form was open${differences(before.settings(spec), kind.settings(spec))}. What you typed is kept: look at it again before you create it.`;
    this.draft.spec ??= firstSpec(kind, this.app.query('builder'));
    if (changed || !before) this.check();
    return Boolean(changed);
  }

  onChange() {
    drafts.set(this.resource, this.draft);
    this.state = 'checking';
    this.stream.abort();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), pause);
    this.app.update();
  }

  get collection() {
    return `/apis/${this.kind?.apiVersion}/namespaces/${encode(this.app.namespace)}/${this.resource}`;
  }

  get manifest() {
    const {apiVersion, kind} = /** @type {Kind} */ (this.kind);
    return {apiVersion, kind, metadata: {name: this.draft.name, namespace: this.app.namespace}, spec: this.draft.spec};
  }

  get create() {
    return {label: 'Create', title: '', text: '', command: () => '', run: async () => {}, impossible: this.gone,
      right: {verb: 'create', group: this.kind?.group, resource: this.resource, namespace: this.app.namespace}};
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
    const nameless = manifest.metadata.name ? [] : [{field: 'metadata.name', message: 'Required value'}];
    try {
      const asked = nameless.length ? {...manifest, metadata: {...manifest.metadata, name: undefined, generateName: 'new-'}} : manifest; // the server then checks the other fields
      const {headers} = await send(this.collection, {method: 'POST', query: {dryRun: 'All', fieldValidation: 'Strict'}, body: asked, signal});
      if (signal.aborted) return;
      this.warnings = warningsIn(headers);
      this.form.causes = nameless;
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof APIError ? error : new APIError(String(error), 0);
      this.form.causes = [...nameless, ...causesOf(failure)];
      if (this.form.causes.length === nameless.length) this.failure = failure;
    }
    this.state = this.failure ? 'failed' : this.form.causes.length || this.form.mistakes.length ? 'refused' : 'accepted';
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
    if (this.busy || this.app.actions.refusal(this.create)) return;
    this.busy = this.form.complete = true;
    try {
      if (await this.readKind() || this.gone) return;
      await this.check();
      const first = [...this.form.mistakes, ...this.form.causes][0];
      if (first) this.form.focus(first.field ?? '');
      if (/** @type {string} */ (this.state) !== 'accepted') return;
      await request(this.collection, {method: 'POST', query: {fieldValidation: 'Strict'}, body: this.manifest});
      drafts.delete(this.resource);
      if (this.app.page === this) this.app.navigate(href(this.app.namespace, 'images', this.draft.name));
    } catch (error) {
      this.failure = error instanceof APIError ? error : new APIError(String(error), 0);
      this.state = 'failed';
    } finally {
      this.busy = false;
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
    return html`<header class="title"><p class="over"><a href=${href(namespace, 'catalog')}>Catalog</a></p><h1>New ${kind.kind}</h1>
        <label class="inline"><span class="muted">Kind</span><select @change=${(/** @type {Event} */ event) => this.app.navigate(`${href(namespace, 'new')}?kind=${encode(this.kinds[Number(/** @type {HTMLSelectElement} */ (event.target).value)].resource)}`)}>
          ${this.kinds.map((each, index) => html`<option value=${index} .selected=${each.resource === this.resource}>${each.kind}</option>`)}</select></label>
        <button type="button" class="quiet" @click=${this.startOver}>Start over</button></header>
      ${problem(this.gone ? {message: this.gone} : this.poll.failure)}
      ${this.change ? html`<div class="problem stale" role="alert">${icon('warning')}<div><p>${this.change}</p><p><button type="button" @click=${() => { this.change = ''; this.app.update(); }}>Dismiss</button></p></div></div>` : nothing}
      <form class="new" @submit=${this.submit} novalidate><div class="fields">${this.fields(kind)}</div>
        <div class="beside">${this.result(kind)}${this.document()}</div></form>`;
  }

  startOver = () => {
    drafts.delete(this.resource);
    this.app.open();
  };

  /** @param {Kind} kind */
  fields(kind) {
    const {draft, form} = this;
    return html`${kind.description ? html`<p class="muted all">${kind.description}</p>` : nothing}
      ${form.field({type: 'string', maxLength: 45, description: 'Lower-case letters, digits and hyphens, at most 45 characters. It cannot be changed.'},
    {path: 'metadata.name', name: 'name', required: true, get: () => draft.name || undefined, set: (value) => { draft.name = value ?? ''; }})}
      ${form.properties(kind.schema(draft.spec), {path: 'spec', name: 'spec', required: true, get: () => draft.spec, set: (value) => { draft.spec = this.adapted(kind, value); }})()}`;
  }

  /** Another builder makes other targets: what the user did not choose follows it. @param {Kind} kind @param {any} spec */
  adapted(kind, spec) {
    const [before, after] = [this.draft.spec, spec].map((each) => each?.builder?.name);
    if (kind.kind !== 'Image' || before === after) return spec;
    const [old, next] = /** @type {Record<string, any>[]} */ ([before, after].map((name) => firstSpec(kind, name)));
    return Object.fromEntries(Object.entries({...next, ...spec}).map(([name, value]) => [name, same(value, old[name]) ? own(next, name) : value]).filter(([, value]) => value !== undefined));
  }

  /** What the server says, and Create. @param {Kind} kind */
  result(kind) {
    const refusal = this.app.actions.refusal(this.create), {plan} = this;
    const causes = [...this.form.mistakes, ...this.form.causes], forbidden = refusal && this.failure?.code === 403;
    const said = {'': nothing, checking: badge('running', 'The server checks it'), accepted: badge('ok', 'The server accepts it'), refused: badge('warning', causes.length === 1 ? 'One field is not right yet' : `${causes.length} fields are not right yet`), failed: badge('failed', 'The server could not check it')}[this.state];
    return section('Check', html`<div role="status">${forbidden ? nothing : said}</div>
      ${this.state === 'refused' ? html`<ul class="plain causes">${causes.map(({field = '', message}) => html`<li><button type="button" class="link" @click=${() => { this.form.touched.add(field); this.form.focus(field); }}>${this.named(field)}</button> <span class="muted">${message}</span></li>`)}</ul>` : nothing}
      ${this.warnings.map((text) => html`<p>${icon('warning')} ${text}</p>`)}
      ${problem(forbidden ? undefined : this.failure)}
      ${this.state === 'accepted' && plan.value ? html`<h3>Plan</h3>${facts([['Then', plan.value.status.build ? `${plan.value.status.buildName} would start at once` : 'no build would start'], ['Because', plan.value.status.message || plan.value.status.reason], ['Scheduled', plan.value.status.nextScheduleTime ? ago(plan.value.status.nextScheduleTime) : '']])}` : nothing}
      ${plan.failure ? html`<p class="muted">There is no plan: ${plan.failure.message}</p>` : nothing}
      ${kind.resource === 'images' ? nothing : html`<p class="muted">The server plans an object of a kind once it exists: ${shown(command(this.app.namespace, 'plan', `${kind.names[0]}/${this.draft.name || 'NAME'}`))}</p>`}
      ${refusal ? html`<p class="refusal">${refusal}</p>` : nothing}
      <p><button type="submit" class="primary" aria-disabled=${refusal || this.busy ? 'true' : nothing} title=${refusal || nothing}>Create</button></p>`);
  }

  /** A field as users know it: a parameter of an Image by its name. @param {string} field */
  named(field) {
    return this.resource === 'images' ? field.replace(/^spec\.parameters\[(\d+)\]\.\w+/, (all, index) => (this.draft.spec.parameters?.[index] ? `spec.parameters[${this.draft.spec.parameters[index].name}]` : all)) : field;
  }

  /** The object as YAML, in the command that creates it. */
  document() {
    const text = yaml(this.manifest), [first, last] = [`${command(this.app.namespace, 'kubectl', 'apply', '-f', '-')} <<'END'\n`, 'END'];
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

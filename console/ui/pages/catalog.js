// SPDX-License-Identifier: Apache-2.0

import {encode, everywhere, path, request} from '../api.js';
import {html, nothing} from '../html.js';
import {Live} from '../live.js';
import {badge, command, empty, facts, filterField, href, listTitle, plural, problem, section, shown} from '../parts.js';
import {Poll} from '../poll.js';
import {catalogGroup, makesImages, readBuilders, readKinds} from '../schema.js';

/** @typedef {import('../html.js').Content} Content */
/** @typedef {import('../schema.js').Kind} Kind */
/** @typedef {Record<string, any>} KubeObject */
/** @typedef {{kinds: Kind[], builders: KubeObject[], objects: KubeObject[], failure?: {message: string}, unlisted: string}} Offer */

/** What users can build images with: the kinds of the catalog, and the builders. */
export class CatalogPage {
  title = 'Catalog';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    /** The images of the namespace, which are counted. */
    this.images = new Live(path('images', app.namespace), {table: true, changed: () => {
      if (this.images.failure?.code === 403) this.images.close(); // users of kinds need no permission for images
      app.update();
    }});
    this.offer = new Poll(readOffer, () => app.update());
  }

  close() {
    this.images.close();
    this.offer.close();
  }

  render() {
    const text = this.app.query('q').toLowerCase(), offer = this.offer.value;
    const matches = (/** @type {(string | undefined)[]} */ ...texts) => texts.join(' ').toLowerCase().includes(text);
    const kinds = (offer?.kinds ?? []).filter(({kind, resource, names, description}) => matches(kind, resource, ...names, description));
    const builders = (offer?.builders ?? []).filter(({metadata, description}) => matches(metadata.name, description));
    const idle = (offer?.objects ?? []).filter(({metadata, spec}) => !offer?.kinds.some(({resource}) => resource === metadata.name) && matches(metadata.name, spec.names.kind));
    return html`${listTitle('Catalog', offer && offer.kinds.length + offer.builders.length, filterField(this.app, 'Filter the catalog'))}
    ${problem(this.offer.failure ?? offer?.failure)}
    ${offer ? html`<h2>Kinds of images</h2>
      ${!offer.kinds.length && !idle.length ? empty('The server offers no kinds', 'A kind is an image with fields of its own, which platform teams declare. Offer the first:', command('', 'kubectl', 'apply', '-f', 'examples/catalog/debianservers.yaml'))
    : kinds.length || idle.length ? html`<div class="pair">${kinds.map((kind) => this.kind(kind, offer))}${idle.map((object) => this.idle(object))}</div>` : html`<p class="muted">No kind matches.</p>`}
      <h2>Builders</h2>
      ${offer.unlisted ? html`<p class="muted">${offer.unlisted}</p>` : builders.length ? html`<div class="pair">${builders.map((builder) => this.builder(builder))}</div>` : html`<p class="muted">No builder matches.</p>`}`
    : this.offer.failure ? nothing : html`<p class="loading">Loading the catalog.</p>`}`;
  }

  /** Counts images, and links to them. @param {(row: KubeObject) => boolean} matches @param {string} name in the filter of images */
  used(matches, name) {
    if (this.images.failure?.code === 403) return html`<span class="muted">You have no permission to list images.</span>`;
    const count = this.images.loaded ? this.images.values().filter(matches).length : '…';
    return html`<a href=${`${href(this.app.namespace, 'images')}?q=${encode(name)}`}>${plural(count, 'image')}</a>${this.app.namespace === everywhere ? '' : ` in namespace ${this.app.namespace}`}`;
  }

  /** @param {string} query */
  create(query) {
    return html`<a class="button" href=${`${href(this.app.namespace, 'new')}?${query}`}>New</a>`;
  }

  /** @param {Kind} kind @param {Offer} offer */
  kind(kind, {objects}) {
    const {status} = objects.find(({metadata}) => metadata.name === kind.resource) ?? {};
    const conditions = /** @type {KubeObject[]} */ (status?.conditions ?? []), ending = conditions.find(({type, status}) => type === 'Terminating' && status === 'True');
    const doubts = conditions.filter(({type, status}) => ['Accepted', 'NamesAccepted', 'Established'].includes(type) && status !== 'True');
    const {apiVersion, names, resource} = kind, schema = kind.schema({});
    return section(kind.kind, html`<p>${kind.description}</p>${facts([
      ['State', ending ? badge('warning', 'Being deleted') : doubts.length ? badge('warning', 'Offered with problems') : badge('ok', 'Offered')],
      ['Why', [...doubts, ...(ending ? [ending] : [])].map(({message, reason}) => message || reason).join(' ')],
      ['Version', apiVersion.split('/')[1]], ['Names', [resource, ...names].join(', ')],
      ['Used by', this.used((row) => row.metadata.labels?.[`${catalogGroup}/kind`] === resource, resource)],
      ['Outdated', status?.outdated || ''], ['Not conforming', status?.nonconforming || ''],
    ])}${this.fields('Fields', schema, kind.resolve)}<p>${shown(command('', 'kinds', names[0]))}</p>`, ending ? nothing : this.create(`kind=${encode(resource)}`));
  }

  /** A kind that is declared and not served. @param {KubeObject} object */
  idle({metadata, spec, status = {}}) {
    const wrong = /** @type {KubeObject[]} */ (status.conditions ?? []).filter(({status}) => status !== 'True');
    return section(spec.names.kind, html`${facts([['State', badge('failed', 'Not offered')], ['Why', wrong.map(({message, reason}) => message || reason).join(' ') || 'The server has not looked at it yet.']])}
      <p>${shown(command('', 'kubectl', 'describe', 'imagekind', metadata.name))}</p>`);
  }

  /** @param {KubeObject} builder */
  builder(builder) {
    const {metadata: {name}, description, image, executable, targets, parameters, probe} = builder, makes = makesImages(builder);
    return section(name, html`<p>${description ?? ''}</p>${facts([
      ['State', executable?.problem ? badge('failed', executable.problem) : badge('ok', 'Registered')],
      ['Program', html`<code class="wrap">${image ?? [executable?.path, ...(executable?.args ?? [])].join(' ')}</code>`],
      ['Targets', makes ? targets?.map((/** @type {KubeObject} */ {platform, format}) => [platform, format].filter(Boolean).join('/')).join(', ') ?? 'all' : 'none'],
      ['Used by', makes && this.used((row) => row.Builder === name, name)], ['Checks archives', probe ? 'yes' : 'no'],
    ])}${parameters ? this.fields('Parameters', parameters, (schema) => schema) : html`<p class="muted">It takes any parameters.</p>`}`, makes ? this.create(`builder=${encode(name)}`) : nothing);
  }

  /** @param {string} title @param {import('../schema.js').Schema} schema @param {(schema: import('../schema.js').Schema) => import('../schema.js').Schema} resolve */
  fields(title, schema, resolve) {
    const entries = Object.entries(/** @type {Record<string, any>} */ (schema.properties ?? {})).map(([name, property]) => /** @type {[string, any]} */ ([name, resolve(property)]));
    if (!entries.length) return html`<p class="muted">It has no ${title.toLowerCase()}.</p>`;
    return html`<details><summary>${entries.length} ${title.toLowerCase()}</summary><div class="overflow"><table><thead><tr><th>Name</th><th>Type</th><th>Meaning</th></tr></thead><tbody>${entries.map(([name, property]) => html`<tr>
      <td><code>${name}</code>${schema.required?.includes(name) ? html`<br><span class="muted">required</span>` : nothing}</td><td>${property.enum ? property.enum.join(', ') : property.type ?? 'any'}</td>
      <td class="wrap">${property.description ?? ''}${property.default !== undefined && typeof property.default !== 'object' ? html`<br><span class="muted">default: ${String(property.default)}</span>` : nothing}</td></tr>`)}</tbody></table></div></details>`;
  }
}

/** @param {AbortSignal} signal @returns {Promise<Offer>} */
async function readOffer(signal) {
  const [kinds, builders, objects] = await Promise.allSettled([readKinds(signal), readBuilders(signal), request(path('imagekinds', everywhere), {signal})]);
  if (signal.aborted) throw signal.reason;
  return {
    kinds: kinds.status === 'fulfilled' ? kinds.value : [], failure: kinds.status === 'rejected' ? kinds.reason : undefined,
    builders: builders.status === 'fulfilled' ? builders.value : [], unlisted: builders.status === 'rejected' ? builders.reason.message : '',
    objects: objects.status === 'fulfilled' ? objects.value.items : [], // conditions are for users with the right
  };
}

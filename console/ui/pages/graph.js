// SPDX-License-Identifier: Apache-2.0

import {everywhere, path} from '../api.js';
import {basesOf, countOf, descendantsOf, nodesOf, outdated, rootsOf, withBases} from '../graph.js';
import {channelText, focusOf, GraphView} from '../graph-view.js';
import {html, nothing, render, repeat} from '../html.js';
import {Live} from '../live.js';
import {badge, command, empty, filterChoices, filterField, href, listTitle, narrow, problem} from '../parts.js';
import {stateOf, states} from './images.js';

/** @typedef {import('../graph.js').Node} Node */
/** @typedef {import('../html.js').Content} Content */
/** @typedef {import('../parts.js').Tone} Tone */

/** How many images of one base the list shows before a button shows all. */
const limit = 50;

/** Up to how many images the list is open at first, with all that is based on its first images. */
const openLimit = 200;

/** The state of a node in words. @param {Node} node @returns {[string, Tone]} */
function wordOf({kind, row}) {
  if (kind === 'external') return ['Base outside Goldsmith', 'idle'];
  if (!row) return ['Image not found', 'failed'];
  const word = stateOf(row);
  return [word, states.find(([name]) => name === word)?.[1] ?? 'waiting'];
}

/** Images by their bases and channels. */
export class GraphPage {
  title = 'Graph';

  /** @param {import('../app.js').App} app */
  constructor(app) {
    this.app = app;
    this.images = new Live(path('images', app.namespace), {table: true, changed: () => app.update()});
    /** @type {Map<string, Node>} */
    this.nodes = new Map();
    this.nodesOf = -1;
    /** The nodes that are shown. @type {Set<Node>} */
    this.shown = new Set();
    /** The nodes that match the filter, if there is one. @type {Set<Node> | undefined} */
    this.matching = undefined;
    this.stamp = '';
    this.view = new GraphView(app, {stateOf: wordOf, only: (node) => this.only(node), all: () => this.showAll()});
    this.list = document.createElement('div');
    this.list.className = 'forest';
    this.list.addEventListener('keydown', (event) => this.onListKey(event));
    this.listed = '';
    /** The nodes of the list that the user opened or closed, and those that show everything that is based on them. @type {Set<string>} */
    this.toggled = new Set();
    /** @type {Set<string>} */
    this.unlimited = new Set();
    this.choices = 0; // changes with toggled and unlimited
  }

  close() {
    this.images.close();
    this.view.close();
  }

  /** @param {Node} node */
  only(node) {
    const query = new URLSearchParams(location.search);
    query.set('focus', focusOf(node, this.app.namespace));
    history.pushState(null, '', `${location.pathname}?${query}`);
    this.app.update();
  }

  showAll() {
    this.app.setQuery({focus: ''});
  }

  /** The node that the address has the focus on. @returns {Node | undefined} */
  focus() {
    const name = this.app.query('focus');
    if (!name) return undefined;
    const {namespace} = this.app;
    const [scope, rest] = namespace === everywhere ? [name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1)] : [namespace, name];
    return this.nodes.get(`image ${scope}/${rest}`) ?? this.nodes.get(`external ${scope}/${rest}`);
  }

  isList() {
    const view = this.app.query('view');
    return view ? view === 'list' : narrow.matches; // narrow windows have the list by default
  }

  /** Chooses the nodes that are shown. */
  choose() {
    if (this.nodesOf !== this.images.version) {
      this.nodesOf = this.images.version;
      this.nodes = nodesOf(this.images.values());
    }
    const text = this.app.query('q').toLowerCase(), state = this.app.query('state'), focus = this.focus();
    const stamp = JSON.stringify([this.images.version, text, state, focus?.id]);
    if (stamp === this.stamp) return;
    if (this.view.start !== (focus?.id ?? '')) this.view.reset(focus?.id ?? '');
    this.stamp = stamp;
    let shown = new Set(this.nodes.values());
    if (focus) shown = new Set([focus, ...basesOf(focus), ...descendantsOf(focus)]);
    const matches = (/** @type {Node} */ node) => (!state || wordOf(node)[0] === state || (state === 'Outdated' && outdated(node)))
      && (!text || `${node.namespace}/${node.name} ${node.row?.Base ?? ''} ${node.channels.map(({name}) => name).join(' ')}`.toLowerCase().includes(text));
    this.matching = text || state ? new Set([...shown].filter(matches)) : undefined;
    this.shown = this.matching ? withBases(this.matching) : shown;
  }

  render() {
    this.choose();
    const all = this.images.values();
    const list = this.isList();
    const {view} = this;
    if (!list && this.images.loaded) view.set(this.shown, this.matching, this.app.namespace === everywhere, this.stamp);
    if (list) this.drawList();
    const choose = (/** @type {string} */ name) => this.app.setQuery({view: (name === 'list') === narrow.matches ? '' : name});
    const unplaced = !view.placed || !this.shown.size;
    return html`${listTitle('Graph', this.images.loaded ? all.length : undefined, filterField(this.app, 'Filter the images'), this.stateChoices(), html`<span class="actions">
        ${list ? nothing : html`<span class="zoom" role="group" aria-label="Zoom"><button type="button" ?disabled=${unplaced} @click=${view.zoomOut} aria-label="Zoom out" title="Zoom out: −">−</button><span class="percent">${unplaced ? '' : `${Math.round(view.zoom * 100)} %`}</span><button type="button" ?disabled=${unplaced} @click=${view.zoomIn} aria-label="Zoom in" title="Zoom in: +">+</button><button type="button" ?disabled=${unplaced} @click=${view.zoomToFit} title="Show the whole graph: 0">Fit</button></span>`}
        <span class="choices" role="group" aria-label="View"><button type="button" aria-pressed=${!list} @click=${() => choose('graph')}>Graph</button><button type="button" aria-pressed=${list} @click=${() => choose('list')}>List</button></span>
      </span>`)}
    ${problem(this.images.failure)}
    ${this.content(all.length, list)}`;
  }

  stateChoices() {
    const state = this.app.query('state');
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const node of this.nodes.values()) {
      if (node.kind !== 'image') continue;
      const [word] = wordOf(node);
      counts.set(word, (counts.get(word) ?? 0) + 1);
      if (word !== 'Outdated' && outdated(node)) counts.set('Outdated', (counts.get('Outdated') ?? 0) + 1);
    }
    return filterChoices(this.app, 'state', 'State', states.filter(([name]) => counts.get(name) || name === state).map(([name, tone]) => [name, badge(tone, name), counts.get(name) ?? 0]));
  }

  /** @param {Content} text what else there is to say */
  notes(text) {
    const focus = this.focus();
    const only = focus ? html`<span class="only-note">Only <strong>${focus.name}</strong>, its bases, and what is based on it. <button type="button" class="small" @click=${() => this.showAll()}>Show all</button></span>` : nothing;
    return focus || text !== nothing ? html`<div class="notes">${only}${text}</div>` : nothing;
  }

  /** @param {number} count @param {boolean} list @returns {Content} */
  content(count, list) {
    const {namespace} = this.app;
    if (!this.images.loaded) return this.images.failure ? nothing : html`<p class="loading">Loading the images.</p>`;
    if (!count) return empty(namespace === everywhere ? 'There are no images' : `Namespace ${namespace} has no images`, 'This page shows which image is based on which. Write an Image, and apply it:', command(namespace, 'init', 'web'), command(namespace, 'kubectl', 'apply', '-f', 'web.yaml'));
    if (this.app.query('focus') && !this.focus()) return empty(`There is no image ${this.app.query('focus')}`, html`The image may be deleted, or in another namespace. <button type="button" class="small" @click=${() => this.showAll()}>Show all images</button>`);
    if (!this.shown.size) return empty('No image matches', 'Change the filter, or remove it.');
    if (list) return html`${this.notes(nothing)}${this.list}`;
    return html`${problem(this.view.failure ? {message: this.view.failure} : undefined)}
      ${this.notes(html`<span class="traced-note">${this.tracedText()}</span>`)}
      ${this.view.element}`;
  }

  /** What the graph highlights, in words. @returns {Content} */
  tracedText() {
    const node = this.view.nodes.get(this.view.traced);
    if (!this.view.placed && !this.view.failure) return html`<span class="muted">Placing the images.</span>`;
    if (!node) return html`<span class="muted">Point at an image, or move with the arrow keys, to see its bases and what is based on it. The key f shows only these.</span>`;
    const bases = [...basesOf(node)].map(({name}, index, all) => `${name}${(index ? all[index - 1] : node).channel ? ` (${(index ? all[index - 1] : node).channel})` : ''}`);
    const all = [...descendantsOf(node)], direct = node.children.length;
    const old = all.filter(outdated).length;
    return html`<strong>${node.name}</strong>: ${[
      bases.length ? `based on ${bases.join(', ')}` : '',
      all.length ? `${all.length} ${all.length === 1 ? 'image is' : 'images are'} based on it${all.length > direct ? `, ${direct} directly` : ''}${old ? `; ${old} outdated` : ''}` : 'no image is based on it',
    ].filter(Boolean).join('; ')}.`;
  }

  /** Draws the nested list, if it has changed. */
  drawList() {
    const listed = `${this.stamp} ${this.choices}`;
    if (listed === this.listed) return;
    this.listed = listed;
    const groups = this.app.namespace === everywhere ? [...Map.groupBy(rootsOf(this.shown), ({namespace}) => namespace)] : /** @type {[string, Node[]][]} */ ([['', rootsOf(this.shown)]]);
    render(html`${groups.map(([namespace, roots]) => html`${namespace ? html`<h2 id=${`images-of-${namespace}`}>${namespace}</h2>` : nothing}
      ${this.nested(roots, `roots ${namespace}`, new Set(), namespace ? `Images of ${namespace}` : 'Images by their bases')}`)}`, this.list);
  }

  /**
   * Shows nodes and what is based on them.
   * @param {Node[]} nodes
   * @param {string} id of the list
   * @param {Set<Node>} above the bases that the list has already
   * @param {string} label
   * @returns {Content}
   */
  nested(nodes, id, above, label) {
    const shown = this.unlimited.has(id) ? nodes : nodes.slice(0, limit);
    const rest = nodes.length - shown.length;
    return html`<ul aria-label=${label}>${repeat(shown, (node) => node.id, (node) => this.item(node, above))}
      ${rest ? html`<li class="rest"><button type="button" class="small" @click=${() => this.change(() => this.unlimited.add(id))}>Show ${rest} more</button></li>` : nothing}</ul>`;
  }

  /** @param {Node} node @param {Set<Node>} above @returns {Content} */
  item(node, above) {
    const [word, tone] = wordOf(node);
    const children = above.has(node) ? [] : node.children.filter((child) => this.shown.has(child));
    const open = (this.shown.size <= (this.matching ? 2 * openLimit : openLimit) || !above.size) !== this.toggled.has(node.id);
    const count = countOf(node);
    const fold = () => this.change(() => this.toggled.delete(node.id) || this.toggled.add(node.id));
    return html`<li class="${node.kind} ${this.matching && !this.matching.has(node) ? 'context' : ''}"><div class="entry" data-node=${node.id}>
        ${children.length ? html`<button type="button" class="fold quiet" aria-expanded=${open} aria-label=${`What is based on ${node.name}`} @click=${fold}><svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="m6 4 4 4-4 4"></path></svg></button>` : html`<span class="fold"></span>`}
        <div>
        ${node.kind === 'image' ? html`<a class="name" href=${href(node.namespace, 'images', node.name)}>${node.name}</a>` : html`<span class="name">${node.name}</span>`}
        ${node.kind === 'external' ? html`<span class="muted">base outside Goldsmith</span>` : badge(tone, word)}
        ${outdated(node) && word !== 'Outdated' ? badge('warning', 'outdated') : nothing}
        ${node.channel ? html`<span class="muted" title=${`Based on channel ${node.channel} of ${node.base?.name}`}>on <span class="chip-channel">${node.channel}</span></span>` : nothing}
        ${node.channels.length ? html`<span class="muted" title=${node.channels.map(channelText).join('\n')}>channels ${node.channels.map(({name, build, revoked}) => `${name}${build ? '' : ' (no build)'}${revoked ? ' (revoked)' : ''}`).join(', ')}</span>` : nothing}
        ${count ? html`<button type="button" class="small quiet" @click=${() => this.only(node)} title=${`Show only ${node.name}, its bases, and what is based on it`}>${count} based on it</button>` : nothing}
        ${above.has(node) ? html`<span class="muted">is based on itself</span>` : nothing}
        </div>
      </div>
      ${open && children.length ? this.nested(children, node.id, new Set([...above, node]), `Based on ${node.name}`) : nothing}</li>`;
  }

  /** @param {() => void} how */
  change(how) {
    how();
    this.choices++;
    this.app.update();
  }

  /** Moves the focus in the list, and folds it, with the arrow keys. @param {KeyboardEvent} event */
  onListKey(event) {
    const entry = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest('.entry'));
    if (!entry || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = {ArrowDown: 1, j: 1, ArrowUp: -1, k: -1}[event.key];
    const fold = /** @type {HTMLElement | null} */ (entry.querySelector('button.fold'));
    const open = fold?.getAttribute('aria-expanded') === 'true';
    if (step) {
      const entries = [...this.list.querySelectorAll('.entry')];
      focusOn(entries[entries.indexOf(entry) + step]);
    } else if ((event.key === 'ArrowLeft' && fold && open) || (event.key === 'ArrowRight' && fold && !open)) fold.click();
    else if (event.key === 'ArrowLeft') focusOn(entry.closest('ul')?.closest('li')?.querySelector('.entry'));
    else if (event.key === 'ArrowRight' && fold) focusOn(entry.parentElement?.querySelector('ul .entry'));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {Element | null | undefined} entry of the list */
function focusOn(entry) {
  const target = /** @type {HTMLElement | null | undefined} */ (entry?.querySelector('a.name') ?? entry?.querySelector('button'));
  target?.focus();
  target?.scrollIntoView({block: 'nearest'});
}

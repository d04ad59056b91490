// SPDX-License-Identifier: Apache-2.0
// Draws images and their bases as boxes and lines. A worker places the boxes when the structure changes. Only what is in view is in the page.

import {everywhere} from './api.js';
import {html, nothing, render, repeat, svg} from './html.js';
import {basesOf, countOf, descendantsOf, outdated} from './graph.js';
import {href, icon} from './parts.js';
import {startWorker} from './workers.js';

/** @typedef {import('./graph.js').Node} Node */
/** @typedef {import('./html.js').Content} Content */
/** @typedef {import('./parts.js').Tone} Tone */
/** @typedef {import('./graph-worker.js').Placed} Placed */
/** @typedef {{left: number, top: number, width: number, height: number}} Area */
/** @typedef {{id: string, text: string, title: string, absent: boolean, width: number, base: string, targets: string[]}} Pill a channel, with the IDs of its node and of those that are based on it */
/** @typedef {{id: string, nodes: string[], columns: number, pill?: Pill, width: number, height: number}} Box what the worker places: a channel, or nodes in columns */
/** @typedef {{from: string, to: string, base: string, targets: string[]}} Edge between the IDs of areas. base is the ID of a node, and targets are those of the nodes that are based on it */
/** @typedef {{name: string, top: number}} Heading */

const width = 220, gap = 12, padding = 10; // of boxes
const margin = 24; // around the drawing
const beyond = 400; // around the view, in which boxes are drawn
const several = 4; // nodes at the ends, of the same base and channel, have several columns, and one edge
const readable = 0.5, visible = 0.2; // zoom from which texts, and icons and channels, are drawn
const smallest = 0.02, largest = 2, step = 1.25; // of the zoom
const nameFont = '600 13px system-ui, sans-serif', smallFont = '12px system-ui, sans-serif';

const measure = /** @type {CanvasRenderingContext2D} */ (document.createElement('canvas').getContext('2d'));
/** @type {Map<string, string>} */
const fitted = new Map();

/** Shortens a text in its middle: names of one team begin alike. @param {string} text @param {number} space @param {string} font */
function fit(text, space, font) {
  const key = `${space} ${font} ${text}`;
  let result = fitted.get(key);
  if (result === undefined) {
    measure.font = font;
    const characters = [...text];
    result = text;
    for (let length = characters.length; length > 2 && measure.measureText(result).width > space;) {
      length = Math.min(length - 1, Math.ceil(length * space / measure.measureText(result).width));
      result = `${characters.slice(0, Math.ceil(length / 2)).join('')}…${characters.slice(characters.length - Math.floor(length / 2)).join('')}`;
    }
    if (fitted.size > 20_000) fitted.clear();
    fitted.set(key, result);
  }
  return result;
}

/** @param {Node} node */
const heightOf = (node) => (node.kind === 'image' && node.channels.length ? 62 : 46);

/** The drawing of a graph. */
export class GraphView {
  /**
   * @param {import('./app.js').App} app
   * @param {{stateOf: (node: Node) => [string, Tone], only: (node: Node) => void, all: () => void}} options only shows one node with what is related, and all shows everything
   */
  constructor(app, {stateOf, only, all}) {
    this.app = app;
    this.stateOf = stateOf;
    this.only = only;
    this.all = all;
    this.element = document.createElement('div');
    this.element.className = 'graph';
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.element);
    this.element.addEventListener('scroll', () => this.moved(), {passive: true});
    this.element.addEventListener('wheel', (event) => this.onWheel(event), {passive: false});
    this.element.addEventListener('pointerdown', (event) => this.onPointerDown(event));
    this.element.addEventListener('pointerover', (event) => this.trace(this.idAt(event)));
    this.element.addEventListener('pointerleave', () => this.trace(this.focused()));
    this.element.addEventListener('focusin', (event) => this.onFocus(event));
    this.element.addEventListener('focusout', () => this.trace(''));
    this.element.addEventListener('keydown', (event) => this.onKey(event));
    this.element.addEventListener('click', (event) => this.onClick(event));
    /** The nodes that are shown, by their IDs. @type {Map<string, Node>} */
    this.nodes = new Map();
    /** The nodes that match the filter, if there is one: the others are their bases. @type {Set<Node> | undefined} */
    this.matching = undefined;
    this.version = '';
    this.structure = '';
    /** The boxes and edges that the worker places now, and those that it placed last. @type {Arranged | undefined} */
    this.asked = undefined;
    /** @type {Arranged | undefined} */
    this.placed = undefined;
    /** Where nodes, channels and columns of nodes are, by their IDs. @type {Map<string, Area>} */
    this.areas = new Map();
    this.size = {width: 0, height: 0};
    this.failure = '';
    this.requests = 0;
    this.zoom = 1;
    /** Whether the drawing is in the page, and not the list. */
    this.present = false;
    /** What chooses the zoom: the size of the graph with readable texts, the size of the graph, or the user. @type {'readable' | 'fit' | 'user'} */
    this.zooming = 'readable';
    /** The part of the drawing that is in the page. @type {Area | undefined} */
    this.drawn = undefined;
    /** The node that the graph is about. */
    this.start = '';
    /** The node that has or gets the focus. */
    this.current = '';
    /** The node whose relations are highlighted. */
    this.traced = '';
    /** @type {Set<string>} */
    this.related = new Set();
  }

  close() {
    this.observer.disconnect();
    this.worker?.terminate();
  }

  /**
   * Shows nodes, unless they have not changed.
   * @param {Set<Node>} nodes
   * @param {Set<Node> | undefined} matching
   * @param {boolean} headings whether the namespaces are shown
   * @param {string} version changes with the nodes
   */
  set(nodes, matching, headings, version) {
    if (version === this.version) return;
    this.version = version;
    this.nodes = new Map([...nodes].map((node) => [node.id, node]));
    this.matching = matching;
    if (this.traced) this.related = this.relatedTo(this.traced);
    const arranged = arrange(nodes, headings);
    const structure = JSON.stringify([arranged.groups, arranged.boxes.map(({id, nodes}) => [id, nodes])]); // without states
    if (structure !== this.structure) {
      this.structure = structure;
      this.asked = arranged;
      this.place(arranged);
    } else if (this.asked) this.asked = arranged;
    else if (this.placed) this.placed = {...arranged, headings: this.placed.headings};
    this.draw();
  }

  /** Has the worker place boxes. @param {Arranged} arranged */
  place(arranged) {
    this.requests++;
    if (!arranged.boxes.length) return this.onPlaced(arranged, {id: this.requests, groups: [], tops: [], width: 0, height: 0, took: 0});
    if (this.busy) this.worker?.terminate();
    if (this.busy || !this.worker) {
      this.worker = startWorker('graph');
      this.worker.addEventListener('message', ({data}) => data.id === this.requests && this.asked && this.onPlaced(this.asked, data));
      this.worker.addEventListener('error', (event) => this.onFailure(event.message || 'the worker does not start'));
    }
    this.busy = true;
    this.worker.postMessage({id: this.requests, groups: arranged.groups});
  }

  /** @param {string} message */
  onFailure(message) {
    this.busy = false;
    this.failure = `The graph cannot be drawn: ${message}. The list shows the same images.`;
    this.app.update();
  }

  /** @param {Arranged} arranged @param {Placed} answer */
  onPlaced(arranged, answer) {
    this.busy = false;
    if (answer.failure) return this.onFailure(answer.failure);
    const first = !this.placed;
    const anchor = this.anchor();
    const places = answer.groups.flat();
    arranged.headings = arranged.names.map((name, group) => ({name, top: answer.tops[group]}));
    this.failure = '';
    this.placed = arranged;
    this.asked = undefined;
    this.element.dataset.took = String(Math.round(answer.took)); // milliseconds, for tests
    this.size = {width: answer.width, height: answer.height};
    this.areas = new Map(arranged.boxes.flatMap((box, index) => areasOf(box, places[index], this.nodes)));
    if (this.zooming !== 'user') this.zoom = this.fittingZoom();
    this.drawn = undefined;
    this.draw();
    if (first) this.scrollToStart();
    else this.restore(anchor);
    this.app.update();
  }

  /** The node that stays where it is while all others move: the current one, or the one nearest to the middle of the view. */
  anchor() {
    const {scrollLeft, scrollTop, clientWidth, clientHeight} = this.element;
    const distance = (/** @type {Area} */ area) => Math.hypot((area.left + margin) * this.zoom - scrollLeft - clientWidth / 2, (area.top + margin) * this.zoom - scrollTop - clientHeight / 2);
    let id = this.current, area = this.areas.get(id);
    if (!area) {
      for (const [each, at] of this.areas) {
        if (this.nodes.has(each) && (!area || distance(at) < distance(area))) [id, area] = [each, at];
      }
    }
    return area && {id, left: area.left * this.zoom - scrollLeft, top: area.top * this.zoom - scrollTop};
  }

  /** @param {{id: string, left: number, top: number} | undefined} anchor */
  restore(anchor) {
    const area = anchor && this.areas.get(anchor.id);
    if (area) this.element.scrollTo(area.left * this.zoom - anchor.left, area.top * this.zoom - anchor.top);
  }

  /** Shows the node that the graph is about, or the first base. */
  scrollToStart() {
    let start = this.areas.get(this.start);
    for (const {id, base} of this.nodes.values()) {
      const area = this.areas.get(id);
      if (!this.areas.has(this.start) && area && !(base && this.nodes.has(base.id)) && (!start || area.left < start.left || (area.left === start.left && area.top < start.top))) start = area;
    }
    const {element, zoom} = this;
    if (start) element.scrollTo((start.left + width / 2 + margin) * zoom - (this.start ? element.clientWidth / 2 : width), (start.top + start.height / 2 + margin) * zoom - element.clientHeight / 2);
  }

  resized() {
    const appeared = !this.present && this.element.clientWidth > 0;
    this.present = this.element.clientWidth > 0;
    if (!this.placed || !this.present) return;
    const zoom = this.zooming === 'user' ? this.zoom : this.fittingZoom();
    if (zoom !== this.zoom) this.app.update(); // shows the zoom
    this.zoom = zoom;
    this.drawn = undefined;
    this.draw();
    if (appeared) this.scrollToStart(); // an element that was not in the page has lost where it was scrolled to
  }

  fittingZoom() {
    const {clientWidth, clientHeight} = this.element;
    const all = Math.min(1, clientWidth / (this.size.width + 2 * margin), clientHeight / (this.size.height + 2 * margin));
    return Math.max(all, this.zooming === 'readable' ? 0.75 : smallest);
  }

  /** Zooms so that a point of the view stays where it is. @param {number} zoom @param {number} [x] @param {number} [y] in the view, by default its middle */
  zoomTo(zoom, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2) {
    this.zooming = 'user';
    const next = Math.min(largest, Math.max(smallest, zoom));
    const left = (this.element.scrollLeft + x) / this.zoom, top = (this.element.scrollTop + y) / this.zoom;
    this.zoom = next;
    this.drawn = undefined;
    this.draw(); // makes the drawing as large as it will be
    this.element.scrollTo(left * next - x, top * next - y);
    this.moved();
    this.app.update();
  }

  zoomIn = () => this.zoomTo(this.zoom * step);
  zoomOut = () => this.zoomTo(this.zoom / step);
  zoomToFit = () => {
    this.zooming = 'fit';
    this.zoom = this.fittingZoom();
    this.drawn = undefined;
    this.draw();
    this.element.scrollTo(0, 0);
    this.app.update();
  };

  /** Shows another part of the graph from its beginning. @param {string} start the ID of the node that it is about, or an empty text */
  reset(start) {
    this.zooming = 'readable';
    this.start = this.current = start;
    this.structure = '';
    this.placed = undefined;
    this.areas = new Map();
  }

  moved() {
    const view = this.view();
    const {drawn} = this;
    if (!drawn || view.left < drawn.left || view.top < drawn.top || view.left + view.width > drawn.left + drawn.width || view.top + view.height > drawn.top + drawn.height) {
      this.drawn = undefined;
      this.draw();
    }
  }

  /** The part of the drawing that is in view. @returns {Area} */
  view() {
    const {scrollLeft, scrollTop, clientWidth, clientHeight} = this.element;
    const [left, top] = [scrollLeft / this.zoom - margin, scrollTop / this.zoom - margin];
    return {
      left: Math.max(-margin, left), top: Math.max(-margin, top),
      width: Math.min(clientWidth / this.zoom, this.size.width + margin - left), height: Math.min(clientHeight / this.zoom, this.size.height + margin - top),
    };
  }

  draw() {
    const {placed, size, zoom} = this;
    if (!placed || !this.element.clientWidth) return;
    if (!this.drawn) {
      const view = this.view(), more = beyond / zoom;
      this.drawn = {left: view.left - more, top: view.top - more, width: view.width + 2 * more, height: view.height + 2 * more};
    }
    const {drawn} = this;
    const overlaps = (/** @type {Area} */ area) => area.left < drawn.left + drawn.width && area.left + area.width > drawn.left && area.top < drawn.top + drawn.height && area.top + area.height > drawn.top;
    const focused = this.focused();
    const nodes = [...this.nodes.values()].filter(({id}) => {
      const area = this.areas.get(id);
      return area && (id === focused || overlaps(area));
    });
    const inView = (/** @type {string} */ id) => {
      const area = this.areas.get(id);
      return area && overlaps(area) ? [{id, area}] : [];
    };
    const blocks = placed.boxes.filter(({columns}) => columns > 1).flatMap(({id}) => inView(id));
    const pills = placed.boxes.flatMap(({pill}) => (pill ? inView(pill.id).map(({area}) => ({pill, area})) : []));
    const edges = placed.edges.flatMap((edge) => {
      const from = this.areas.get(edge.from), to = this.areas.get(edge.to);
      return from && to && overlaps(around(from, to)) ? [{edge, from, to}] : [];
    });
    const reachable = nodes.some(({id}) => id === this.current) ? this.current : nodes[0]?.id;
    const [across, down] = [size.width + 2 * margin, size.height + 2 * margin];
    const far = zoom < readable, farther = zoom < visible;
    render(html`<svg class="${far ? 'far' : ''} ${this.traced ? 'tracing' : ''}" role="group" aria-label="Images and their bases" width=${across * zoom} height=${down * zoom} viewBox="${-margin} ${-margin} ${across} ${down}">
      ${placed.headings.map(({name, top}) => svg`<text class="heading" x="0" y=${top + 18}>${name}</text>`)}
      ${repeat(blocks, ({id}) => id, ({area}) => svg`<rect class="block" x=${area.left} y=${area.top} width=${area.width} height=${area.height} rx="8"></rect>`)}
      <path class="edge" d=${edges.map(({from, to}) => curve(from, to)).join('') + (farther ? pills.map(({area}) => `M${area.left} ${area.top + area.height / 2}h${area.width}`).join('') : '')}></path>
      <path class="edge related" d=${edges.filter(({edge}) => this.isRelated(edge)).map(({from, to}) => curve(from, to)).join('')}></path>
      ${repeat(farther ? [] : pills, ({pill}) => pill.id, ({pill, area}) => this.pill(pill, area, far))}
      ${repeat(nodes, ({id}) => id, (node) => (far ? this.farNode(node, node.id === reachable, farther) : this.node(node, node.id === reachable)))}
    </svg>`, this.element);
    if (focused && !this.focused()) this.linkOf(focused)?.focus({preventScroll: true}); // elements that move lose the focus
  }

  /** @param {string} id @returns {SVGElement | null} */
  linkOf(id) {
    return this.element.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  /** @param {Pill} pill @param {Area} area @param {boolean} far */
  pill(pill, area, far) {
    return svg`<g class="pill ${pill.absent ? 'absent' : ''} ${this.isRelated(pill) ? 'related' : ''}" transform="translate(${area.left},${area.top})"><title>${pill.title}</title>
      <rect width=${area.width} height=${area.height} rx="11"></rect>${far ? nothing : svg`<text x=${area.width / 2} y="15">${pill.text}</text>`}</g>`;
  }

  /** @param {Node} node */
  address(node) {
    return node.kind === 'image' ? href(node.namespace, 'images', node.name) : this.addressOfOnly(node);
  }

  /** @param {Node} node */
  addressOfOnly(node) {
    const query = new URLSearchParams(location.search);
    query.set('focus', focusOf(node, this.app.namespace));
    return `${location.pathname}?${query}`;
  }

  /** @param {Node} node @param {boolean} reachable by the tab key */
  node(node, reachable) {
    const area = /** @type {Area} */ (this.areas.get(node.id));
    const [word, tone] = this.stateOf(node);
    const space = area.width - 44;
    const state = outdated(node) && word !== 'Outdated' ? `${word}, outdated` : word;
    const second = this.app.namespace === everywhere ? `${state} · ${node.namespace}` : state;
    return svg`<g class=${this.classes(node, tone)} transform="translate(${area.left},${area.top})">
      <a href=${this.address(node)} data-id=${node.id} tabindex=${reachable ? 0 : -1}><title>${describe(node, second)}</title>
        <rect class="box" width=${area.width} height=${area.height} rx="6"></rect>
        <svg x="12" y="9" width="14" height="14">${node.kind === 'external' ? outside : icon(tone)}</svg>
        <text class="name" aria-hidden="true" x="36" y="20">${fit(node.name, space - (this.isAlone(node) ? 0 : 18), nameFont)}</text>
        <text class="word" aria-hidden="true" x="36" y="37">${fit(second, space, smallFont)}</text>
        ${node.channels.length ? svg`<text class="channels" aria-hidden="true" x="36" y="54"><title>${node.channels.map(channelText).join('\n')}</title>${fit(node.channels.map(({name, revoked}) => (revoked ? `${name} (revoked)` : name)).join(', '), space, smallFont)}</text>` : nothing}
      </a>
      ${this.isAlone(node) ? nothing : svg`<a class="only" href=${this.addressOfOnly(node)} data-only=${node.id} tabindex="-1" aria-label=${`Show only ${node.name} and what is related`}><title>Show only ${node.name}, its bases, and what is based on it</title>
        <rect x=${area.width - 28} y="2" width="26" height="26" rx="4"></rect><path transform="translate(${area.width - 22},8)" d="M7 0v4m0 6v4M0 7h4m6 0h4M7 3.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7"></path></a>`}
    </g>`;
  }

  /** A node whose texts would be too small to read. @param {Node} node @param {boolean} reachable @param {boolean} farther whether its icon is too small, too */
  farNode(node, reachable, farther) {
    const area = /** @type {Area} */ (this.areas.get(node.id));
    const [word, tone] = this.stateOf(node);
    const second = outdated(node) && word !== 'Outdated' ? `${word}, outdated` : word;
    return svg`<a class=${this.classes(node, tone)} transform="translate(${area.left},${area.top})" href=${this.address(node)} data-id=${node.id} tabindex=${reachable ? 0 : -1}><title>${describe(node, second)}</title>
      <rect class="box" width=${area.width} height=${area.height} rx="6"></rect>
      ${farther ? nothing : svg`<svg x=${area.width / 2 - 16} y=${area.height / 2 - 16} width="32" height="32">${node.kind === 'external' ? outside : icon(tone)}</svg>`}</a>`;
  }

  /** @param {Node} node @param {Tone} tone */
  classes(node, tone) {
    return ['node', node.kind, `tone-${tone}`, outdated(node) ? 'outdated' : '', this.related.has(node.id) ? 'related' : '', this.matching && !this.matching.has(node) ? 'context' : '', node.id === this.traced ? 'traced' : ''].join(' ');
  }

  /** @param {Node} node */
  isAlone(node) {
    return !node.base && !node.children.length;
  }

  /** @param {Edge | Pill} between */
  isRelated({base, targets}) {
    return this.related.has(base) && targets.some((id) => this.related.has(id));
  }

  /** @param {string} id @returns {Set<string>} */
  relatedTo(id) {
    const node = this.nodes.get(id);
    return new Set(node ? [node, ...basesOf(node), ...descendantsOf(node)].map(({id}) => id) : []);
  }

  /** Highlights what is related to a node. @param {string} id */
  trace(id) {
    if (id === this.traced) return;
    this.traced = this.nodes.has(id) ? id : '';
    this.related = this.relatedTo(this.traced);
    this.draw();
    this.app.update(); // says what is related
  }

  /** @param {Event} event */
  idAt(event) {
    const target = /** @type {Element} */ (event.target);
    const link = target.closest('[data-id]') ?? target.closest('.node')?.querySelector('[data-id]');
    return /** @type {SVGElement | null | undefined} */ (link)?.dataset.id ?? this.focused();
  }

  /** The node that has the focus of the keyboard. */
  focused() {
    const {activeElement} = document;
    return activeElement && this.element.contains(activeElement) ? /** @type {SVGElement} */ (activeElement).dataset.id ?? '' : '';
  }

  /** @param {FocusEvent} event */
  onFocus(event) {
    const {id} = /** @type {SVGElement} */ (event.target).dataset;
    if (!id) return;
    this.current = id;
    this.trace(id);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const link = /** @type {SVGElement | null} */ (/** @type {Element} */ (event.target).closest('a'));
    const node = link && this.nodes.get(link.dataset.only ?? link.dataset.id ?? '');
    if (!node || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (!link.dataset.only && node.kind === 'image') return; // the app opens the page of the image
    event.preventDefault();
    this.only(node);
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the browser scrolls
    event.preventDefault();
    const {left, top} = this.element.getBoundingClientRect();
    this.zoomTo(this.zoom * Math.exp(-event.deltaY / (event.deltaMode ? 10 : 300)), event.clientX - left, event.clientY - top);
  }

  /** Moves the drawing with the mouse. Fingers scroll it. @param {PointerEvent} event */
  onPointerDown(event) {
    if (event.pointerType !== 'mouse' || event.button || /** @type {Element} */ (event.target).closest('a')) return;
    const {element} = this;
    const box = element.getBoundingClientRect();
    if (event.clientX - box.left > element.clientWidth || event.clientY - box.top > element.clientHeight) return; // on a scrollbar
    event.preventDefault();
    const from = {x: event.clientX + element.scrollLeft, y: event.clientY + element.scrollTop};
    const move = (/** @type {PointerEvent} */ {clientX, clientY}) => element.scrollTo(from.x - clientX, from.y - clientY);
    const end = () => {
      element.removeEventListener('pointermove', move);
      element.classList.remove('moving');
    };
    element.setPointerCapture(event.pointerId);
    element.classList.add('moving');
    element.addEventListener('pointermove', move);
    element.addEventListener('lostpointercapture', end, {once: true});
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = /** @type {SVGElement} */ (event.target).dataset.id ?? '';
    const node = this.nodes.get(id);
    const next = node && this.neighbour(node, {ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down', k: 'up', j: 'down'}[event.key] ?? '');
    if (next) this.focusOn(next.id);
    else if (event.key === '+' || event.key === '=') this.zoomIn();
    else if (event.key === '-') this.zoomOut();
    else if (event.key === '0') this.zoomToFit();
    else if (event.key === 'f' && node) this.only(node);
    else if (event.key === 'Escape') this.all();
    else if (!node || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The nearest node in a direction: the base, what is based on a node, or the next of a column. @param {Node} node @param {string} direction @returns {Node | undefined} */
  neighbour(node, direction) {
    const area = this.areas.get(node.id);
    if (!area || !direction) return undefined;
    if (direction === 'left' && node.base && this.nodes.has(node.base.id)) return this.nodes.get(node.base.id);
    const sign = direction === 'left' || direction === 'up' ? -1 : 1;
    const horizontal = direction === 'left' || direction === 'right';
    const children = direction === 'right' ? node.children.filter(({id}) => this.nodes.has(id)) : [];
    let best, least = Infinity;
    for (const each of children.length ? children : this.nodes.values()) {
      const at = this.areas.get(each.id);
      if (!at || each === node) continue;
      const across = at.left - area.left, down = at.top - area.top;
      const along = sign * (horizontal ? across : down), aside = Math.abs(horizontal ? down : across);
      const cost = along + 3 * aside;
      if (along > 0 && cost < least) [best, least] = [each, cost];
    }
    return best;
  }

  /** Moves the focus to a node, and the node into view. @param {string} id */
  focusOn(id) {
    const area = this.areas.get(id);
    if (!area) return;
    this.current = id;
    const {element, zoom} = this;
    const into = (/** @type {number} */ scroll, /** @type {number} */ space, /** @type {number} */ start, /** @type {number} */ size) => {
      const [from, to] = [(start + margin) * zoom - 40, (start + size + margin) * zoom + 40];
      return from < scroll ? from : to > scroll + space ? to - space : scroll;
    };
    element.scrollTo(into(element.scrollLeft, element.clientWidth, area.left, area.width), into(element.scrollTop, element.clientHeight, area.top, area.height));
    this.drawn = undefined;
    this.draw();
    this.linkOf(id)?.focus({preventScroll: true});
  }
}

const outside = html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1.5 14 4.8v6.4L8 14.5 2 11.2V4.8zM2 4.8l6 3.3 6-3.3M8 8.1v6.4"></path></svg>`;

/** What stands for a node in the address. @param {Node} node @param {string} namespace of the page */
export const focusOf = (node, namespace) => (namespace === node.namespace ? node.name : `${node.namespace}/${node.name}`);

/** @param {import('./graph.js').Channel} channel */
export const channelText = ({name, build, revoked}) => `${name}: ${build || 'no build'}${revoked ? ', which is revoked' : ''}`;

/** The node in words. @param {Node} node @param {string} state */
function describe(node, state) {
  const count = countOf(node);
  return [`${node.name}, ${state}`,
    node.base ? `based on ${node.base.name}${node.channel ? `, channel ${node.channel}` : ''}` : '',
    node.channels.length ? `channels ${node.channels.map(({name}) => name).join(', ')}` : '',
    count ? `${count} based on it` : ''].filter(Boolean).join('; ');
}

/**
 * @typedef {object} Arranged boxes and edges, which are not placed yet
 * @property {Box[]} boxes of all groups, in their order
 * @property {Edge[]} edges
 * @property {import('./graph-worker.js').Group[]} groups
 * @property {string[]} names of the groups
 * @property {Heading[]} headings
 */

/**
 * Makes boxes of nodes, and of the channels that nodes are based on. Nodes at the ends share a box, which is less to place.
 * @param {Set<Node>} nodes
 * @param {boolean} headings
 * @returns {Arranged}
 */
function arrange(nodes, headings) {
  const collator = new Intl.Collator(undefined, {numeric: true});
  const isEnd = (/** @type {Node} */ node) => !node.children.some((child) => nodes.has(child));
  /** What is based on each node, by its channel. @type {Map<Node, {channel: string, children: Node[], ends: Node[], pill?: Pill}[]>} */
  const bundles = new Map();
  const ending = new Set();
  for (const node of nodes) {
    const children = node.children.filter((child) => nodes.has(child) && child !== node);
    bundles.set(node, [...Map.groupBy(children, ({channel}) => channel)].sort(([a], [b]) => collator.compare(a, b)).map(([channel, children]) => {
      const ends = children.filter(isEnd);
      for (const end of ends) ending.add(end);
      return {channel, children, ends, pill: node.kind === 'external' ? undefined : pillOf(node, channel, children)};
    }));
  }
  /** @type {Arranged} */
  const all = {boxes: [], edges: [], groups: [], names: [], headings: []};
  for (const [namespace, members] of [...Map.groupBy(nodes, ({namespace}) => namespace)].sort(([a], [b]) => collator.compare(a, b))) {
    const first = all.boxes.length;
    /** The boxes of nodes. @type {Map<Node, number>} */
    const boxOf = new Map();
    /** @type {[number, number][]} */
    const edges = [];
    const put = (/** @type {Box} */ box) => all.boxes.push(box) - 1 - first;
    for (const node of members.sort((a, b) => collator.compare(a.name, b.name))) {
      if (!ending.has(node)) boxOf.set(node, put({id: `box ${node.id}`, nodes: [node.id], columns: 1, width, height: heightOf(node)}));
    }
    for (const node of members) {
      for (const {channel, children, ends, pill} of bundles.get(node) ?? []) {
        let from = /** @type {number} */ (boxOf.get(node)), start = node.id;
        const join = (/** @type {string} */ end, /** @type {Node[]} */ targets) => all.edges.push({from: start, to: end, base: node.id, targets: targets.map(({id}) => id)});
        if (pill) {
          const at = put({id: `box ${pill.id}`, nodes: [], columns: 0, pill, width: pill.width, height: 22});
          edges.push([from, at]);
          join(pill.id, children);
          [from, start] = [at, pill.id];
        }
        for (const child of children) {
          const at = boxOf.get(child);
          if (at === undefined) continue;
          edges.push([from, at]);
          join(child.id, [child]);
        }
        if (!ends.length) continue;
        const box = boxOfEnds(`ends ${channel} ${node.id}`, ends);
        edges.push([from, put(box)]);
        if (box.columns > 1) join(box.id, ends);
        else for (const end of ends) join(end.id, [end]);
      }
    }
    all.names.push(headings ? namespace : '');
    all.groups.push({heading: headings ? 32 : 0, boxes: all.boxes.slice(first).map(({width, height}) => [width, height]), edges});
  }
  return all;
}

/** @param {Node} node @param {string} name of the channel, or an empty text @param {Node[]} children @returns {Pill} */
function pillOf(node, name, children) {
  const channel = node.channels.find((channel) => channel.name === name);
  const absent = name !== '' && node.kind === 'image' && !channel?.build;
  const word = !absent ? '' : channel ? ', no build' : ', not found';
  const text = fit(name || 'latest', 140, smallFont) + word;
  measure.font = smallFont;
  let title = `Channel ${channel ? channelText(channel) : `${name} of ${node.name} does not exist`}`;
  if (!name) title = `The latest successful build of ${node.name}`;
  else if (node.kind === 'missing') title = `Channel ${name} of ${node.name}`;
  return {id: `channel ${name} ${node.id}`, text, title, absent, width: Math.ceil(measure.measureText(text).width) + 20, base: node.id, targets: children.map(({id}) => id)};
}

/** @param {string} id @param {Node[]} nodes @returns {Box} */
function boxOfEnds(id, nodes) {
  const height = Math.max(0, ...nodes.map(heightOf)) + gap;
  const columns = nodes.length < several ? 1 : Math.max(2, Math.round(Math.sqrt(nodes.length * height * 2.5 / (width + gap))));
  const inside = columns > 1 ? 2 * padding : 0;
  return {id, nodes: nodes.map(({id}) => id), columns, width: columns * (width + gap) - gap + inside, height: Math.ceil(nodes.length / columns) * height - gap + inside};
}

/** The areas of a box, of its channel or its nodes. @param {Box} box @param {[number, number]} place @param {Map<string, Node>} nodes @returns {[string, Area][]} */
function areasOf({id, nodes: ids, columns, pill, width: across, height: down}, [left, top], nodes) {
  const area = {left, top, width: across, height: down};
  if (pill) return [[pill.id, area]];
  const inside = columns > 1 ? padding : 0;
  const height = (down - 2 * inside + gap) / Math.ceil(ids.length / columns);
  return [[id, area], ...ids.map((id, index) => {
    const node = nodes.get(id);
    return /** @type {[string, Area]} */ ([id, {left: left + inside + (index % columns) * (width + gap), top: top + inside + Math.floor(index / columns) * height, width, height: node ? heightOf(node) : height - gap}]);
  })];
}

/** @param {Area} from @param {Area} to @returns {Area} */
function around(from, to) {
  const left = Math.min(from.left, to.left), top = Math.min(from.top, to.top);
  return {left, top, width: Math.max(from.left + from.width, to.left + to.width) - left, height: Math.max(from.top + from.height, to.top + to.height) - top};
}

/** @param {Area} from @param {Area} to */
function curve(from, to) {
  const [left, top] = [from.left + from.width, from.top + from.height / 2];
  const [right, bottom] = [to.left, to.top + to.height / 2];
  const bend = Math.max(18, (right - left) / 2);
  return `M${left} ${top}C${left + bend} ${top} ${right - bend} ${bottom} ${right} ${bottom}`;
}

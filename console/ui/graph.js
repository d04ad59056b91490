// SPDX-License-Identifier: Apache-2.0
// Which image is based on which. An image has one base: another image of its namespace, or a base outside.

/** @typedef {Record<string, any>} Row a row of the table of images */

/**
 * @typedef {object} Node
 * @property {string} id
 * @property {'image' | 'missing' | 'external'} kind missing: images are based on an image that does not exist
 * @property {string} namespace
 * @property {string} name
 * @property {Row} [row] of an image
 * @property {Node} [base]
 * @property {string} channel of the base, or an empty text
 * @property {Node[]} children the nodes that are based on this one, by name
 * @property {Channel[]} channels
 */

/** @typedef {{name: string, build: string, revoked: boolean}} Channel build is empty before the first promotion */

/**
 * Reads the column Base of an image: "image NAME", "image NAME, channel CHANNEL", or a reference, which has no spaces.
 * @param {string | undefined} text
 * @returns {{image: string, channel: string} | {reference: string} | undefined}
 */
export function parseBase(text) {
  const trimmed = (text ?? '').trim();
  if (!trimmed || trimmed === '<none>') return undefined;
  const match = /^image ([^\s,]+)(?:, channel (\S+))?$/.exec(trimmed);
  return match ? {image: match[1], channel: match[2] ?? ''} : {reference: trimmed};
}

/** Reads the column Channels of an image: "NAME=BUILD", "NAME=BUILD (revoked)" or "NAME=<none>", with commas. @param {string | undefined} text @returns {Channel[]} */
export function parseChannels(text) {
  return (text ?? '').split(', ').map((part) => /^([^=]+)=(\S*)( \(revoked\))?/.exec(part)).filter((match) => match !== null)
    .map(([, name, build, revoked]) => ({name, build: build === '<none>' ? '' : build, revoked: Boolean(revoked)}));
}

const collator = new Intl.Collator(undefined, {numeric: true});

/** @param {Node} a @param {Node} b */
const byName = (a, b) => collator.compare(a.namespace, b.namespace) || kindOrder[a.kind] - kindOrder[b.kind] || collator.compare(a.name, b.name);
const kindOrder = {external: 0, missing: 1, image: 2};

/**
 * Returns the nodes of images by their IDs, with the bases that are no images.
 * @param {Row[]} rows
 */
export function nodesOf(rows) {
  /** @type {Map<string, Node>} */
  const nodes = new Map();
  const put = (/** @type {Node['kind']} */ kind, /** @type {string} */ namespace, /** @type {string} */ name, /** @type {Row | undefined} */ row) => {
    const id = `${kind === 'external' ? 'external' : 'image'} ${namespace}/${name}`;
    const node = nodes.get(id) ?? {id, kind, namespace, name, row, channel: '', children: [], channels: parseChannels(row?.Channels)};
    nodes.set(id, node);
    return node;
  };
  for (const row of rows) put('image', row.metadata.namespace, row.Name, row);
  for (const row of rows) {
    const base = parseBase(row.Base);
    if (!base) continue;
    const {namespace} = row.metadata;
    const node = put('image', namespace, row.Name, row);
    node.base = 'image' in base ? put('missing', namespace, base.image, undefined) : put('external', namespace, base.reference, undefined);
    node.channel = 'image' in base ? base.channel : '';
    node.base.children.push(node);
  }
  for (const node of nodes.values()) node.children.sort(byName);
  return nodes;
}

/** Returns the bases of a node, the nearest first. The server refuses cycles, but a list can be read while bases change. @param {Node} node */
export function basesOf(node) {
  const bases = new Set([node]);
  for (let base = node.base; base && !bases.has(base); base = base.base) bases.add(base);
  bases.delete(node);
  return bases;
}

/** Returns what is based on a node, directly and through others. @param {Node} node */
export function descendantsOf(node) {
  const found = new Set([node]);
  for (const each of found) {
    for (const child of each.children) found.add(child); // a set that grows is read to its end
  }
  found.delete(node);
  return found;
}

/** @type {WeakMap<Node, number>} */
const counts = new WeakMap();

/** How many nodes are based on a node, directly and through others. @param {Node} node */
export function countOf(node) {
  let count = counts.get(node);
  if (count === undefined) {
    count = descendantsOf(node).size;
    counts.set(node, count);
  }
  return count;
}

/** Returns nodes and all their bases. @param {Iterable<Node>} nodes */
export function withBases(nodes) {
  const all = new Set(nodes);
  for (const node of all) {
    if (node.base) all.add(node.base);
  }
  return all;
}

/** Returns the nodes that lists begin with: those without a base, and one of each cycle. @param {Set<Node>} nodes */
export function rootsOf(nodes) {
  const sorted = [...nodes].sort(byName);
  const roots = sorted.filter(({base}) => !base || !nodes.has(base));
  const reached = new Set(roots);
  for (const node of reached) {
    for (const child of node.children) reached.add(child);
  }
  for (const node of sorted) {
    if (reached.has(node)) continue;
    roots.push(node);
    const cycle = new Set([node]);
    for (const each of cycle) {
      for (const child of each.children) cycle.add(child);
    }
    for (const each of cycle) reached.add(each);
  }
  return roots.sort(byName);
}

/** Whether an image is outdated: a newer build of its base, or other new inputs, are not in its latest build. @param {Node} node */
export const outdated = ({row}) => row?.UpToDate === 'False';

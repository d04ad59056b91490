// SPDX-License-Identifier: Apache-2.0
// Places the boxes of a graph. This is a worker: the layout of a thousand boxes takes longer than a page may.

/**
 * The part of dagre that is used here. Its own types are in many files, which are not in libraries.
 * @typedef {object} Dagre
 * @property {new () => DagreGraph} Graph
 * @property {(graph: DagreGraph, options: {disableOptimalOrderHeuristic: boolean}) => void} layout
 *
 * @typedef {object} DagreGraph
 * @property {(label: Record<string, string | number>) => void} setGraph
 * @property {() => {width: number, height: number}} graph
 * @property {(label: () => object) => void} setDefaultEdgeLabel
 * @property {(name: string, size: {width: number, height: number}) => void} setNode
 * @property {(name: string) => {x: number, y: number}} node
 * @property {(from: string, to: string) => void} setEdge
 */

/** @type {Promise<Dagre>} */
const library = import(/** @type {string} */ ('./libraries/dagre/dagre.esm.js'));

/**
 * @typedef {object} Asked
 * @property {number} id of the answer
 * @property {Group[]} groups are placed below each other
 */

/**
 * @typedef {object} Group
 * @property {number} heading height of the space above the group
 * @property {[number, number][]} boxes width and height of each
 * @property {[number, number][]} edges indices of boxes: from the base to what is based on it
 */

/**
 * @typedef {object} Placed
 * @property {number} id
 * @property {[number, number][][]} groups left and top of each box of each group
 * @property {number[]} tops of the groups
 * @property {number} width
 * @property {number} height
 * @property {number} took milliseconds
 * @property {string} [failure] why nothing is placed
 */

/** @typedef {{members: number[], places: [number, number][], width: number, height: number}} Part boxes that edges connect, placed by themselves */

const ranks = 36; // between a base and what is based on it
const rows = 12; // between boxes beside each other
const parts = 36; // between boxes that nothing connects
const shape = 1.7; // width to height

addEventListener('message', async (/** @type {MessageEvent<Asked>} */ {data}) => {
  try {
    postMessage(place(await library, data));
  } catch (error) {
    postMessage({id: data.id, failure: String(error)});
  }
});

/** @param {Dagre} dagre @param {Asked} asked @returns {Placed} */
function place(dagre, {id, groups}) {
  const started = performance.now();
  const placed = groups.map((group) => placeGroup(dagre, group));
  let height = 0;
  const tops = placed.map((group, index) => {
    const top = height;
    for (const at of group.places) at[1] += top + groups[index].heading;
    height += groups[index].heading + group.height + parts;
    return top;
  });
  return {id, groups: placed.map(({places}) => places), tops, width: Math.max(0, ...placed.map(({width}) => width)), height: Math.max(0, height - parts), took: performance.now() - started};
}

/** Places each part by itself, and then the parts in shelves. The parts of one box come last, in rows. @param {Dagre} dagre @param {Group} group */
function placeGroup(dagre, {boxes, edges}) {
  const all = connected(boxes.length, edges).map((members) => placePart(dagre, members, boxes, edges));
  const single = all.filter(({members}) => members.length === 1);
  const several = all.filter(({members}) => members.length > 1).sort((a, b) => b.height - a.height);
  const area = all.reduce((sum, part) => sum + (part.width + parts) * (part.height + rows), 0);
  const limit = Math.max(Math.sqrt(area * shape), ...all.map((part) => part.width));
  /** @type {[number, number][]} */
  const places = boxes.map(() => [0, 0]);
  let left = 0, top = 0, shelf = 0, width = 0;
  const put = (/** @type {Part} */ part, /** @type {number} */ across, /** @type {number} */ down) => {
    if (left && left + part.width > limit) [left, top, shelf] = [0, top + shelf + down, 0];
    for (const [index, member] of part.members.entries()) places[member] = [left + part.places[index][0], top + part.places[index][1]];
    width = Math.max(width, left + part.width);
    shelf = Math.max(shelf, part.height);
    left += part.width + across;
  };
  for (const part of several) put(part, parts, parts);
  if (several.length && single.length) [left, top, shelf] = [0, top + shelf + parts, 0];
  for (const part of single) put(part, rows, rows);
  return {places, width, height: top + shelf};
}

/** @param {number} count @param {[number, number][]} edges @returns {number[][]} the boxes that edges connect */
function connected(count, edges) {
  const first = Array.from({length: count}, (_, index) => index);
  const find = (/** @type {number} */ box) => {
    while (first[box] !== box) box = first[box] = first[first[box]];
    return box;
  };
  for (const [from, to] of edges) first[Math.max(find(from), find(to))] = Math.min(find(from), find(to));
  return [...Map.groupBy(first.keys(), find).values()];
}

/** @param {Dagre} dagre @param {number[]} members @param {[number, number][]} boxes @param {[number, number][]} edges @returns {Part} */
function placePart({Graph, layout}, members, boxes, edges) {
  if (members.length === 1) return {members, places: [[0, 0]], width: boxes[members[0]][0], height: boxes[members[0]][1]};
  const graph = new Graph();
  graph.setGraph({rankdir: 'LR', nodesep: rows, ranksep: ranks, marginx: 0, marginy: 0, ranker: 'tight-tree'});
  graph.setDefaultEdgeLabel(() => ({}));
  const those = new Set(members);
  for (const box of members) graph.setNode(String(box), {width: boxes[box][0], height: boxes[box][1]});
  for (const [from, to] of edges) {
    if (those.has(from)) graph.setEdge(String(from), String(to));
  }
  layout(graph, {disableOptimalOrderHeuristic: true}); // an image has one base: the first order has no crossings, and improving it takes most of the time
  const {width, height} = graph.graph();
  const at = members.map((box) => graph.node(String(box)));
  // Dagre centres the boxes of a rank. They are easier to read when their left sides are aligned, for which dagre has no option.
  const widest = new Map();
  for (const [index, box] of members.entries()) {
    const rank = Math.round(at[index].x);
    widest.set(rank, Math.max(widest.get(rank) ?? 0, boxes[box][0]));
  }
  return {members, width, height, places: members.map((box, index) => [at[index].x - widest.get(Math.round(at[index].x)) / 2, at[index].y - boxes[box][1] / 2])};
}

export {}; // a module, whose types others import

// SPDX-License-Identifier: Apache-2.0
// Plots of builds over time. Each has a table with the same figures.

import uPlot from './libraries/uplot/uPlot.esm.js';
import {duration, local} from './time.js';

/**
 * @typedef {object} Plotted
 * @property {'seconds' | 'percent'} unit
 * @property {number[]} times seconds since 1970
 * @property {{label: string, colour: string, values: (number | null)[], points?: boolean}[]} series colour is a variable of style.css
 */

/** @param {'seconds' | 'percent'} unit @param {number | null} value */
export const formatted = (unit, value) => (value === null || value === undefined ? '' : unit === 'percent' ? `${Math.round(value)}%` : duration(value * 1000));

/** Distances of the marks of an axis of durations, in seconds: a mark shows whole seconds, minutes or hours. */
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 432_000, 864_000];

const minute = 60, day = 86_400;

/** The formats of the axis of time: for marks that are less than a minute apart, less than a day, and more. */
const [exact, clock, date] = [{timeStyle: 'medium'}, {timeStyle: 'short'}, {day: 'numeric', month: 'short'}].map((format) => new Intl.DateTimeFormat(undefined, /** @type {Intl.DateTimeFormatOptions} */ (format)));

/** Writes the marks of the axis of time, with the day below the first of each day. @param {uPlot} _ @param {number[]} marks @param {number} __ @param {number} ___ @param {number} distance */
function timesOf(_, marks, __, ___, distance) {
  let last = '';
  return marks.map((seconds) => {
    const at = new Date(seconds * 1000), on = date.format(at), changed = on !== last;
    last = on;
    if (distance >= day) return on;
    const time = (distance < minute ? exact : clock).format(at);
    return changed ? `${time}\n${on}` : time;
  });
}

/** The range of the axis of time. A single build has a minute to each side: the library makes years of it. @param {uPlot} plot @param {number} from @param {number} last @returns {[number, number]} */
function rangeOf(plot, from, last) {
  const to = plot.data[0].length > 1 ? last : from;
  const beside = Math.max(minute, (to - from) / 50);
  return [from - beside, to + beside];
}

/** An element with a plot, which is drawn again when its data, its width or the colour scheme changes. */
class Plot extends HTMLElement {
  /** @type {Plotted | undefined} */
  #data;
  /** @type {uPlot | undefined} */
  #plot;
  #width = 0;
  #draw = () => this.draw();
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #resized = new ResizeObserver(() => this.clientWidth !== this.#width && this.draw());
  #switched = new MutationObserver(this.#draw);

  /** @param {Plotted} data */
  set data(data) {
    if (JSON.stringify(data) === JSON.stringify(this.#data)) return;
    this.#data = data;
    if (this.isConnected) this.draw();
  }

  connectedCallback() {
    this.#scheme.addEventListener('change', this.#draw);
    this.#resized.observe(this);
    this.#switched.observe(document.documentElement, {attributeFilter: ['data-scheme']});
    this.draw();
  }

  disconnectedCallback() {
    this.#scheme.removeEventListener('change', this.#draw);
    this.#resized.disconnect();
    this.#switched.disconnect();
    this.#plot?.destroy();
  }

  draw() {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#width = this.clientWidth;
    if (!this.#data || !this.#width) return;
    const {unit, times, series} = this.#data;
    const style = getComputedStyle(this);
    const colour = (/** @type {string} */ name) => resolve(this, `var(${name})`);
    const axis = {stroke: colour('--muted'), grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1}, font: `12px ${style.fontFamily}`};
    this.#plot = new uPlot({
      width: this.#width, height: 180, legend: {live: false, show: series.length > 1}, cursor: {y: false}, padding: [null, 32, null, null],
      scales: {x: {range: rangeOf}, y: {range: (_, min, max) => (unit === 'percent' ? [0, 100] : [0, Math.max(1, max * 1.1, min)])}},
      axes: [{...axis, values: timesOf, space: 90}, {...axis, size: 60, incrs: unit === 'percent' ? [25, 50] : steps, values: (_, values) => values.map((value) => formatted(unit, value))}],
      series: [
        {value: (_, seconds) => local(new Date(seconds * 1000).toISOString())},
        ...series.map(({label, colour: name, points}) => ({
          label, stroke: colour(name), width: points ? 0 : 1.5, spanGaps: true, paths: points ? () => null : undefined,
          points: {show: points ?? series[0].values.length < 60, size: 6, fill: colour(name)}, value: (/** @type {uPlot} */ _, /** @type {number | null} */ value) => formatted(unit, value),
        })),
      ],
    }, /** @type {uPlot.AlignedData} */ ([times, ...series.map(({values}) => values)]), this);
  }
}

/** A canvas knows no variables of CSS. @param {HTMLElement} element @param {string} colour */
function resolve(element, colour) {
  element.style.color = colour;
  const resolved = getComputedStyle(element).color;
  element.style.color = '';
  return resolved;
}

customElements.define('gs-plot', Plot);

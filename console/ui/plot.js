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
      width: this.#width, height: 180, legend: {live: false, show: series.length > 1}, cursor: {y: false},
      scales: {y: {range: (_, min, max) => (unit === 'percent' ? [0, 100] : [0, Math.max(1, max * 1.1, min)])}},
      axes: [axis, {...axis, size: 60, values: (_, values) => values.map((value) => formatted(unit, value))}],
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

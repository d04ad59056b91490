// SPDX-License-Identifier: Apache-2.0
// Tables of any length, of which only the rows in view are in the page.

import {html, nothing, repeat} from './html.js';
import {narrow} from './parts.js';

/** @typedef {import('./html.js').Content} Content */
/** @typedef {Record<string, any>} Row */

/**
 * @typedef {object} Column
 * @property {string} name in the query of the page
 * @property {string} title
 * @property {(row: any) => Content} cell
 * @property {(row: any) => string | undefined} [tip] title of the cell
 * @property {(row: any) => string | number} [by] what rows are sorted by; a column without it sorts nothing
 * @property {'wide' | 'broad' | 'medium'} [from] the width of the window from which the column is shown
 */

const rowHeight = 36, tallRowHeight = 56; // as in style.css
const beyond = 2; // rows in the page above and below those in view
const above = 160; // pixels of a window that no table has
const most = 20; // rows of a table that is a part of a page

/** A table that sorts and scrolls. */
export class Table {
  /**
   * @param {import('./app.js').App} app
   * @param {{label: string, columns: Column[], key: (row: any) => string, sort: string, under?: (row: any) => Content}} options sort is the name
   * of a column, after "-" for the greatest first; under is what narrow windows show below the name, of columns that they have no room for
   */
  constructor(app, {label, columns, key, sort, under}) {
    this.app = app;
    this.label = label;
    this.columns = columns;
    this.key = key;
    this.sort = sort;
    this.under = under;
    this.first = 0;
    /** @type {Row[]} */
    this.rows = [];
    /** @type {unknown[]} */
    this.sorted = [];
  }

  /**
   * Reads and sorts the rows, unless neither they nor the order have changed.
   * @param {unknown} version changes with the rows
   * @param {() => Row[]} read
   */
  set(version, read) {
    const order = this.app.query('sort') || this.sort;
    const state = [version, order];
    if (state.every((part, index) => part === this.sorted[index])) return;
    this.sorted = state;
    const rows = read();
    const descending = order.startsWith('-');
    const by = this.columns.find(({name}) => name === order.replace('-', ''))?.by;
    const collator = new Intl.Collator(undefined, {numeric: true});
    const keyed = rows.map((row) => ({row, key: by ? by(row) : ''}));
    keyed.sort((a, b) => (descending ? -1 : 1) * ((typeof a.key === 'number' && typeof b.key === 'number' ? a.key - b.key : collator.compare(String(a.key), String(b.key)))
      || collator.compare(this.key(a.row), this.key(b.row))));
    this.rows = keyed.map(({row}) => row);
  }

  /** @param {Column} column */
  heading(column) {
    const order = this.app.query('sort') || this.sort;
    const active = order.replace('-', '') === column.name;
    const direction = active ? (order.startsWith('-') ? 'descending' : 'ascending') : 'none';
    const next = active && direction === 'ascending' ? `-${column.name}` : column.name;
    return html`<th scope="col" role="columnheader" class="c-${column.name} ${column.from ?? ''}" aria-sort=${column.by ? direction : nothing}>
      ${column.by ? html`<button type="button" class="sort" @click=${() => this.app.setQuery({sort: next === this.sort ? '' : next})}>${column.title}</button>` : column.title}</th>`;
  }

  /** The height of a row: narrow windows have two lines. */
  get height() {
    return this.under && narrow.matches ? tallRowHeight : rowHeight;
  }

  /** The table as a part of a page, which is as high as its rows. */
  fitted() {
    return html`<div class="rows" .style=${`height: ${Math.min(this.rows.length, most) * this.height + 34}px`}>${this.template()}</div>`;
  }

  /** @param {Column} column @param {Row} row */
  cell(column, row) {
    const under = column.name === 'name' && this.under && narrow.matches ? html`<span class="under">${this.under(row)}</span>` : nothing;
    return html`<td role="cell" class="c-${column.name} ${column.from ?? ''}" title=${column.tip?.(row) || nothing}>${column.cell(row)}${under}</td>`;
  }

  template() {
    const count = Math.ceil((innerHeight - above) / this.height) + 2 * beyond;
    const first = Math.max(0, Math.min(this.first - beyond, this.rows.length - count));
    const shown = this.rows.slice(first, first + count);
    const space = (/** @type {number} */ rows) => (rows > 0 ? html`<tr class="space" role="presentation"><td .style=${`height: ${rows * this.height}px`}></td></tr>` : nothing);
    return html`<div class="scroll" tabindex="-1" @scroll=${this.onScroll} @keydown=${this.onKey}>
      <table class=${this.under ? 'tall' : ''} aria-label=${this.label} aria-rowcount=${this.rows.length + 1} role="table">
        <thead role="rowgroup"><tr role="row" aria-rowindex="1">${this.columns.map((column) => this.heading(column))}</tr></thead>
        <tbody role="rowgroup">
          ${space(first)}
          ${repeat(shown, this.key, (row, index) => html`<tr role="row" aria-rowindex=${first + index + 2} data-index=${first + index}>${this.columns.map((column) => this.cell(column, row))}</tr>`)}
          ${space(this.rows.length - first - shown.length)}
        </tbody>
      </table></div>`;
  }

  /** @type {(event: Event) => void} */
  onScroll = (event) => {
    const first = Math.floor(/** @type {HTMLElement} */ (event.target).scrollTop / this.height);
    if (Math.abs(first - this.first) < beyond / 2 && first !== 0) return;
    this.first = first;
    this.app.update();
  };

  /** Moves the focus from row to row with the arrow keys, j and k. @type {(event: KeyboardEvent) => void} */
  onKey = (event) => {
    const step = {ArrowDown: 1, j: 1, ArrowUp: -1, k: -1}[event.key];
    const row = /** @type {HTMLElement} */ (event.target).closest('tr[data-index]');
    if (!step || !row || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = Number(/** @type {HTMLElement} */ (row).dataset.index) + step;
    const next = row.parentElement?.querySelector(`tr[data-index="${index}"]`);
    const link = next?.querySelector('a');
    if (!link) return;
    event.preventDefault();
    link.focus();
    link.scrollIntoView({block: 'nearest'});
  };
}

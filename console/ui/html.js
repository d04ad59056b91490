// SPDX-License-Identifier: Apache-2.0
// Templates whose texts are safe to look at: every text of a template passes through visible.

import {html as litHTML, svg as litSVG, nothing, render} from './libraries/lit-html/lit-html.js';
import {repeat} from './libraries/lit-html/directives/repeat.js';

export {nothing, render, repeat};

/** @typedef {import('./libraries/lit-html/lit-html.js').TemplateResult} TemplateResult */
/** @typedef {TemplateResult | TemplateResult[] | string | number | typeof nothing} Content */

// Control characters besides tab and newline, characters that hide or reorder what surrounds them (Unicode, Bidi_Control and
// Default_Ignorable_Code_Point), and halves of surrogate pairs.
export const hidden = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}\ud800-\udfff]/gu;

/**
 * Shows each hidden character of a text as its escape.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(hidden, (character) => `\\u{${/** @type {number} */ (character.codePointAt(0)).toString(16)}}`);
}

/** @param {unknown} value @returns {unknown} */
function safe(value) {
  if (typeof value === 'string') return visible(value);
  return Array.isArray(value) ? value.map(safe) : value;
}

/** @param {TemplateStringsArray} strings @param {unknown[]} values */
export const html = (strings, ...values) => litHTML(strings, ...values.map(safe));

/** @param {TemplateStringsArray} strings @param {unknown[]} values */
export const svg = (strings, ...values) => litSVG(strings, ...values.map(safe));

/** The value of a field, which has what the user typed, and no escapes. @param {string} text */
export const typed = (text) => (text.search(hidden) < 0 ? text : new String(text));

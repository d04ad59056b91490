// SPDX-License-Identifier: Apache-2.0
// YAML of plain JSON values, which parsers of YAML 1.1 and 1.2 read alike.

import {hidden} from './html.js';

/** Words that YAML 1.1 reads as something else than texts. */
const reserved = /^(y|n|yes|no|on|off|true|false|null)$/i;
/** Texts without quotes begin with a letter and have no character with a meaning. Sequences such as "a: b" and "a #b" are not among them. */
const plain = /^[a-z_][\w./@-]*([ :+=,][\w./@-]+)*$/i;

/** @param {string} text */
const hex = (text, width = 4) => /** @type {number} */ (text.codePointAt(0)).toString(16).padStart(width, '0');

/** Writes a text in quotes, with escapes for characters that nobody sees. @param {string} text */
const quoted = (text) => JSON.stringify(text).replace(hidden, (character) => (character.length === 1 ? `\\u${hex(character)}` : `\\U${hex(character, 8)}`));

/** Texts of several lines are blocks if their first line has no indent of its own. @param {string} text @param {string} indent */
function scalar(text, indent) {
  if (plain.test(text) && !reserved.test(text)) return text;
  const body = text.replace(/\n$/, '');
  if (!body.includes('\n') || /^\s|\n$|\t/.test(body) || text.search(hidden) >= 0) return quoted(text);
  return `|${body === text ? '-' : ''}\n${body.replace(/^(?=.)/gm, indent)}`;
}

/** @param {unknown} value @param {string} indent of its lines @returns {string} what follows a key and its colon, or the hyphen of an item */
function after(value, indent) {
  if (typeof value === 'string') return ` ${scalar(value, indent || '  ')}\n`;
  if (value === null || typeof value !== 'object') return ` ${JSON.stringify(value)}\n`;
  if (!Object.keys(value).length) return Array.isArray(value) ? ' []\n' : ' {}\n';
  return `\n${lines(value, indent)}`;
}

/** @param {object} value a map or a list that is not empty @param {string} indent @returns {string} */
function lines(value, indent) {
  if (!Array.isArray(value)) return Object.entries(value).map(([key, item]) => `${indent}${scalar(key, '').startsWith('|') ? quoted(key) : scalar(key, '')}:${after(item, Array.isArray(item) ? indent : `${indent}  `)}`).join('');
  return value.map((item) => `${indent}-${after(item, `${indent}  `).replace(/^\n\s+/, ' ')}`).join('');
}

/** @param {object} value a map or a list that is not empty */
export const yaml = (value) => lines(value, '');

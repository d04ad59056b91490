// SPDX-License-Identifier: Apache-2.0
// Colours of terminals (ECMA-48, SGR) in a line of a log.

/** @typedef {{text: string, style: string}} Run a part of a line, with the names of its classes */
/** @typedef {[string, string][]} Style the names of classes, by what they set */

// Commands of terminals: strings that end with BEL or ST, and control sequences.
const sequences = /\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[ -/]*[0-Z\\-~]/g;

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** The nearest of the eight colours. @param {number} red @param {number} green @param {number} blue each to 255 */
const nearest = (red, green, blue) => (red > 100 ? 1 : 0) + (green > 100 ? 2 : 0) + (blue > 100 ? 4 : 0);

/** @param {number} index of a palette of 256 colours */
function fromPalette(index) {
  if (index < 16) return index % 8;
  if (index > 231) return index > 243 ? 7 : 0;
  const rest = index - 16;
  return nearest(Math.floor(rest / 36) * 51, (Math.floor(rest / 6) % 6) * 51, (rest % 6) * 51);
}

/**
 * Splits a line into parts of the same look. All commands besides colours, weights and underlines are left out. Of text that a program
 * wrote over, such as a bar of progress, only the last is shown.
 * @param {string} line
 * @param {Style} before the style in which the line before ended
 * @returns {Run[]}
 */
export function runs(line, before) {
  const text = line.replace(/\r+$/, '');
  /** @type {Run[]} */
  const result = [];
  const style = new Map(before);
  let at = text.lastIndexOf('\r') + 1;
  const push = (/** @type {string} */ part) => {
    if (part) result.push({text: part, style: [...style.values()].join(' ')});
  };
  for (const match of text.matchAll(sequences)) {
    push(text.slice(at, match.index));
    at = Math.max(at, match.index + match[0].length);
    apply(style, match);
  }
  push(text.slice(at));
  return result;
}

/**
 * Returns the style in which a line ends.
 * @param {string} line
 * @param {Style} before
 * @returns {Style}
 */
export function styleAfter(line, before) {
  const style = new Map(before);
  for (const match of line.matchAll(sequences)) apply(style, match);
  return [...style];
}

/** @param {Map<string, string>} style @param {RegExpMatchArray} command */
function apply(style, command) {
  if (command[2] !== 'm') return;
  const codes = (command[1] || '0').split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) style.clear();
    else if (code === 1) style.set('weight', 'bold');
    else if (code === 2) style.set('weight', 'faint');
    else if (code === 22) style.delete('weight');
    else if (code === 3) style.set('slant', 'italic');
    else if (code === 23) style.delete('slant');
    else if (code === 4) style.set('line', 'underlined');
    else if (code === 24) style.delete('line');
    else if (code === 39) style.delete('colour');
    else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style.set('colour', `ansi-${names[code % 10]}`);
    else if (code === 38 || code === 48) {
      const colour = codes[i + 1] === 5 ? fromPalette(codes[i + 2] ?? 0) : nearest(codes[i + 2] ?? 0, codes[i + 3] ?? 0, codes[i + 4] ?? 0);
      if (code === 38) style.set('colour', `ansi-${names[colour]}`);
      i += codes[i + 1] === 5 ? 2 : 4;
    }
  }
}

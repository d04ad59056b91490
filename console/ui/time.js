// SPDX-License-Identifier: Apache-2.0
// Times and durations, by the clock of the server: the clock of the browser's machine can be wrong.

let offset = 0; // milliseconds that the server's clock is ahead

/** Learns the server's clock from the Date of an answer, which has no fractions of a second. @param {string | null} date */
export function observe(date) {
  const server = Date.parse(date ?? '');
  if (Number.isNaN(server)) return;
  const ahead = server + 500 - Date.now();
  if (Math.abs(ahead - offset) > 1500) offset = Math.abs(ahead) > 1500 ? ahead : 0;
}

/** @returns {number} the time of the server, in milliseconds since 1970 */
export const now = () => Date.now() + offset;

/** How far the clock of this machine is from the server's, in milliseconds, or 0. */
export const skew = () => offset;

/**
 * Formats a duration as kubectl does: at most two units.
 * @param {number} milliseconds
 */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [minutes, hours, days] = [seconds / 60, seconds / 3600, seconds / 86400].map(Math.floor);
  const pair = (/** @type {number} */ large, /** @type {string} */ unit, /** @type {number} */ small, /** @type {string} */ smaller) => `${large}${unit}${small ? `${small}${smaller}` : ''}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return pair(Math.floor(days / 365), 'y', days % 365, 'd');
}

/** Formats the time since a timestamp, or until a timestamp in the future. @param {string | undefined} timestamp */
export function age(timestamp) {
  const at = Date.parse(timestamp ?? '');
  if (Number.isNaN(at)) return '';
  const passed = now() - at;
  return passed < -1500 ? `in ${duration(-passed)}` : duration(passed);
}

const localFormat = new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'medium'}); // takes longer to make than to use

/** @param {string | undefined} timestamp */
export function local(timestamp) {
  const at = new Date(timestamp ?? '');
  return Number.isNaN(at.getTime()) ? '' : localFormat.format(at);
}

/** Reads a duration of Go, such as 1h2m3.5s, in milliseconds. @param {string | undefined} text */
export function parseDuration(text) {
  const units = {h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, 'µs': 1e-3, ns: 1e-6};
  let total = 0;
  for (const [, number, unit] of (text ?? '').matchAll(/([\d.]+)(h|ms|m|s|us|µs|ns)/g)) total += Number(number) * units[/** @type {keyof typeof units} */ (unit)];
  return total;
}

// SPDX-License-Identifier: Apache-2.0
// What reasons mean, and what to do about them.

import {path, request} from './api.js';

/** @typedef {{reason: string, reporter: string, meaning: string, remedy: string}} Reason */

/** Failures that a builder reported itself: the message begins with a reason of the builder. */
const byBuilder = ['BuilderFailed', 'BuilderMisconfigured', 'BuilderTempFail'];

/** @type {Promise<Reason[]> | undefined} */
let all;

/** What was read of them. @type {Reason[]} */
let known = [];

/** @returns {Promise<Reason[]>} */
export function reasons() {
  all ??= fetch('/ui/reasons').then((answer) => answer.json()).catch(() => []).then((read) => (known = read));
  return /** @type {Promise<Reason[]>} */ (all);
}

/** Reports whether a text is a reason: texts have spaces. @param {string | undefined} text */
const isReason = (text) => /^[A-Z][A-Za-z\d]+$/.test(text ?? '');

/** A reason in words: "Base not found" for BaseNotFound. Other texts stay as they are. @param {string | undefined} reason */
export function inWords(reason = '') {
  if (!isReason(reason)) return reason;
  const words = reason.replaceAll(/([a-z\d])([A-Z])/g, '$1 $2').replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2').split(' ');
  return words.map((word, index) => (index && !/^[A-Z]{2}/.test(word) ? word.toLowerCase() : word)).join(' ');
}

/** A reason as the API has it, with what it means, for titles. @param {string | undefined} reason */
export function meaningOf(reason = '') {
  if (!isReason(reason)) return reason;
  void reasons();
  const meaning = known.find((entry) => entry.reason === reason)?.meaning;
  return meaning ? `${reason}: ${meaning}` : reason;
}

/** Who can correct the failures of each class. @type {Record<string, string>} */
const classes = {
  User: 'in what is built', Config: 'in the configuration of the build', Infrastructure: 'of the infrastructure', Registry: 'of a registry', Timeout: 'by a limit of time', Test: 'in a test', Cancelled: 'by a cancellation',
};

/** The class of a failure in words. @param {string} name */
export const classOf = (name) => classes[name] ?? `of class ${name}`;

/** What a builder says about its reasons. @param {string} builder @returns {Promise<Reason[]>} */
async function ofBuilder(builder) {
  if (!builder) return [];
  try {
    return (await request(path('builders', '-', builder))).reasons ?? [];
  } catch {
    return []; // the message of the failure has the cause, too
  }
}

/**
 * Explains the failure of a build.
 * @param {Record<string, any>} build
 * @returns {Promise<{reason: string, meaning: string, remedy: string}>}
 */
export async function explainFailure(build) {
  const {reason, message = ''} = build.status.failure;
  const known = await reasons();
  if (byBuilder.includes(reason)) {
    const word = message.split(':')[0], builder = build.spec.inputs.builder.name ?? '';
    const own = known.find((entry) => entry.reason === word && entry.reporter.startsWith(`the builder ${builder},`)) ?? (await ofBuilder(builder)).find((entry) => entry.reason === word);
    if (own) return {reason: word, meaning: own.meaning, remedy: own.remedy};
  }
  const entry = known.find((entry) => entry.reason === reason && entry.reporter.startsWith('a build that'));
  return {reason, meaning: entry?.meaning ?? '', remedy: entry?.remedy ?? ''};
}

// SPDX-License-Identifier: Apache-2.0
// Requests to the Kubernetes API.

import {credentials} from './session.js';
import {observe} from './time.js';

/** @typedef {Record<string, any>} KubeObject an object of the API, as it is served */

export const group = 'images.goldsmith.dev';
const base = `/apis/${group}/v1alpha1`;
const asTable = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

/** The namespace of a path that has all namespaces. */
export const everywhere = '-';

/** Encodes a part of an address. Texts of the API can have half of a surrogate pair, which no address has. @param {string} text */
export const encode = (text) => encodeURIComponent(text.toWellFormed());

/**
 * Returns the path of a resource, an object or a subresource.
 * @param {string} resource
 * @param {string} namespace "-" for all
 * @param {string[]} rest name and subresource
 */
export function path(resource, namespace, ...rest) {
  const scope = namespace === everywhere ? '' : `/namespaces/${encode(namespace)}`;
  return [base + scope, resource, ...rest.map(encode)].join('/');
}

/** The reason of an error without an answer. */
export const unreachable = 'Unreachable';

/** An error as the pages show it. @param {unknown} error */
export const failureOf = (error) => (error instanceof APIError ? error : new APIError(String(error), 0));

/** An answer of the API that is not a success, or no answer. */
export class APIError extends Error {
  /** @param {string} message @param {number} code @param {string} reason @param {{field?: string, message?: string}[]} causes */
  constructor(message, code, reason = '', causes = []) {
    super(message);
    this.code = code; // 0 without an answer
    this.reason = reason;
    this.causes = causes;
    /** Whether the connection to the server is lost, which the frame of the page shows. */
    this.lost = false;
  }
}

/** Receives "signed-out" events, with the message as detail, when the server refuses the credentials of this page. */
export const events = new EventTarget();

/**
 * @typedef {object} Asked
 * @property {string} [method] GET by default
 * @property {Record<string, string | number | boolean | undefined>} [query]
 * @property {unknown} [body] sent as JSON
 * @property {string} [type] media type of the body
 * @property {boolean} [table] whether the answer is a Table
 * @property {AbortSignal} [signal]
 */

/**
 * Sends a request and returns the answer, whose body is not read yet.
 * @param {string} where
 * @param {Asked} asked
 */
export async function send(where, {method = 'GET', query = {}, body, type = 'application/json', table = false, signal} = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') asked.set(name, String(value));
  }
  asked.set('pretty', '0'); // servers indent what browsers ask for
  /** @type {Record<string, string>} */
  const headers = {Accept: table ? asTable : 'application/json', ...credentials()};
  if (body !== undefined) headers['Content-Type'] = type;
  let answer;
  try {
    answer = await fetch(`${where}?${asked}`, {method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: 'no-store', redirect: 'error'});
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new APIError(location.protocol === 'https:' ? 'The server cannot be reached.' : 'The server is not running.', 0, unreachable);
  }
  observe(answer.headers.get('Date'));
  if (answer.ok) return answer;
  const status = await answer.json().catch((error) => {
    if (signal?.aborted) throw error;
    return {};
  });
  const failure = new APIError(status.message ?? `The server answered ${answer.status} ${answer.statusText}.`, answer.status, status.reason, status.details?.causes);
  if (answer.status === 401) events.dispatchEvent(new CustomEvent('signed-out', {detail: failure.message}));
  throw failure;
}

/** The warnings of answers. @type {WeakMap<KubeObject, string>} */
const warnings = new WeakMap();

/** Reads the texts of the header Warning. @param {Headers} headers */
export const warningsIn = (headers) => [...(headers.get('Warning') ?? '').matchAll(/299 \S+ "((?:\\.|[^"\\])*)"/g)].map(([, text]) => text.replace(/\\(.)/g, '$1'));

/** Returns what the server warned of in an answer, such as a part that it cannot know. @param {KubeObject | undefined} answer */
export const warningOf = (answer) => (answer && warnings.get(answer)) ?? '';

/**
 * Sends a request and returns the object of the answer.
 * @param {string} where
 * @param {Asked} asked
 * @returns {Promise<KubeObject>}
 */
export async function request(where, asked = {}) {
  const answer = await send(where, asked);
  try {
    const object = await answer.json();
    const texts = warningsIn(answer.headers);
    if (texts.length) warnings.set(object, texts.join('; '));
    return object;
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw new APIError('The answer of the server ended early.', 0);
  }
}

/** @type {Map<string, Promise<{allowed: boolean, reason: string}>>} */
const reviews = new Map();

/**
 * Reports whether the user may do something, as the server decides for SelfSubjectAccessReviews.
 * @param {{verb: string, resource: string, subresource?: string, namespace: string, name?: string, group?: string}} what
 */
export function allowed(what) {
  const asked = JSON.stringify(what);
  let review = reviews.get(asked);
  if (!review) {
    review = request('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      method: 'POST',
      body: {apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: {resourceAttributes: {group, ...what}}},
    }).then(({status}) => {
      const action = `${what.verb} ${what.resource}${what.subresource ? `/${what.subresource}` : ''}`;
      return {allowed: status.allowed === true, reason: `You have no permission to ${action}${what.namespace ? ` in namespace ${what.namespace}` : ''}.${status.reason ? ` ${status.reason}` : ''}`};
    });
    reviews.set(asked, review);
    const forget = () => reviews.delete(asked);
    review.then(() => setTimeout(forget, 60_000), forget);
  }
  return review;
}

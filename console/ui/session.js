// SPDX-License-Identifier: Apache-2.0
// How this page is signed in. On one machine the token of the session is in localStorage, for all windows. Whoever has the port after the
// server reads it there, and no server accepts it any more; the next server's pages have another origin. In a cluster the session is in cookies, which no script reads.

const key = 'goldsmith.session';

/** Tells the other windows of a console in a cluster who signed in, or that the user signed out. */
const signedInKey = 'goldsmith.signed-in';

/** Tells the other windows that the user signed out, and not only that a session has ended. */
const endedKey = 'goldsmith.ended';

/** Tells the next page of this window that it comes from a provider. */
const signingInKey = 'goldsmith.signing-in';

/**
 * @typedef {object} Session
 * @property {'link' | 'token' | 'oidc'} [signIn] how users sign in
 * @property {string} [token] of the requests
 * @property {string} [namespace] that commands need not name
 * @property {string} [command] that prints a new link or a token
 * @property {string} [user] who is signed in to a cluster
 * @property {string} [provider] host that signs users in
 * @property {string} [message] why the user is not signed in
 */

/** The session in a cluster. @type {Session | undefined} */
let shared;

/** How a page that had a link signs in again. It asks nobody else, because the server can have ended and somebody else can have its port. @type {Session | undefined} */
let linked;

/** @returns {Session} */
export function session() {
  if (shared) return shared;
  try {
    return JSON.parse(localStorage.getItem(key) ?? '{}');
  } catch {
    return {};
  }
}

/** @returns {Record<string, string>} */
export function credentials() {
  const {token} = session();
  return token ? {Authorization: `Bearer ${token}`} : {};
}

/** Sends JSON to this server. @param {string} where @param {unknown} body @param {Record<string, string>} headers */
const post = (where, body, headers = {}) => fetch(where, {method: 'POST', headers: {'Content-Type': 'application/json', ...headers}, body: JSON.stringify(body)});

/**
 * Signs in with the code of the link that opened this page, and removes the code from the address. In a cluster, it finds out who is signed in.
 * @returns {Promise<string>} why it failed, or an empty text
 */
export async function signIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code !== null) {
    history.replaceState(null, '', location.pathname + location.search);
    const answer = await post('/ui/session', {code});
    const body = await answer.json();
    if (answer.ok) localStorage.setItem(key, JSON.stringify(body));
    else if (!session().token) return body.message;
  }
  const {token, command} = session();
  if (token) {
    linked = {signIn: 'link', command};
    return '';
  }
  const {user, message} = await describeSession();
  if (user && sessionStorage.getItem(signingInKey)) localStorage.setItem(signedInKey, user);
  sessionStorage.removeItem(signingInKey);
  return user ? '' : message || 'This page is not signed in.';
}

/**
 * Signs in to a cluster with a token.
 * @param {string} token
 * @returns {Promise<string>} why it failed, or an empty text
 */
export async function signInWith(token) {
  try {
    const answer = await post('/ui/session', {token});
    const body = await answer.json();
    if (!answer.ok) return body.message;
    localStorage.setItem(signedInKey, body.user);
    return '';
  } catch {
    return 'The server cannot be reached.';
  }
}

/** Prepares this window for a provider. */
export const leaveForProvider = () => sessionStorage.setItem(signingInKey, 'true');

/** The address that signs in with a provider, and returns to this page. */
export const loginAddress = () => `/ui/login?back=${encodeURIComponent(location.pathname + location.search + location.hash)}`;

/** Forgets the session in this browser. @param {boolean} [asked] whether the user signed out */
export function signOut(asked) {
  if (asked) localStorage.setItem(endedKey, new Date().toISOString());
  localStorage.removeItem(key);
  localStorage.removeItem(signedInKey);
}

/** Ends the session, in all windows of this browser. */
export async function endSession() {
  const answer = await post('/ui/logout', {}, credentials());
  if (!answer.ok) throw new Error((await answer.json()).message);
}

/**
 * Calls a function after another window signed in or out. Its user is empty if it signed out.
 * @param {(user: string, asked: boolean) => void} changed
 */
export function watchSession(changed) {
  addEventListener('storage', (event) => {
    if (event.key === endedKey) changed('', true);
    else if (event.key === signedInKey || event.key === key) changed(event.newValue ?? '', false);
  });
}

/** @returns {Promise<Session>} how users sign in, and who is signed in to a cluster */
export async function describeSession() {
  if (linked) return linked;
  try {
    const described = await (await fetch('/ui/session')).json();
    if (described.signIn !== 'link') shared = {...described, namespace: ''}; // commands name each namespace
    return described;
  } catch {
    return location.protocol === 'https:' ? {message: 'The server cannot be reached.'} : {signIn: 'link', command: 'goldsmith console'};
  }
}

// SPDX-License-Identifier: Apache-2.0
// How this page is signed in. On a loopback address the token of the session is in localStorage, which is of this origin and port only.

const key = 'goldsmith.session';

/** @typedef {{token?: string, namespace?: string, command?: string}} Session */

/** @returns {Session} */
export function session() {
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

/**
 * Signs in with the code of the link that opened this page, and removes the code from the address. Without a code, it replaces the token by a
 * newer one.
 * @returns {Promise<string>} why it failed, or an empty text
 */
export async function signIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code !== null) history.replaceState(null, '', location.pathname + location.search);
  else if (!session().token) return 'This page is not signed in.';
  const answer = await fetch('/ui/session', {method: 'POST', headers: {'Content-Type': 'application/json', ...credentials()}, body: JSON.stringify({code: code ?? ''})});
  const body = await answer.json();
  if (answer.ok) {
    localStorage.setItem(key, JSON.stringify(body));
    return '';
  }
  if (answer.status === 401) signOut();
  return body.message;
}

export function signOut() {
  localStorage.removeItem(key);
}

/** @returns {Promise<string>} the command that prints a new link */
export async function signInCommand() {
  try {
    return (await (await fetch('/ui/session')).json()).command;
  } catch {
    return 'goldsmith console';
  }
}

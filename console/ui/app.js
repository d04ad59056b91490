// SPDX-License-Identifier: Apache-2.0
// The frame of all pages: addresses, sign-in, the bar at the top, and the keyboard.

import {Actions} from './actions.js';
import {events, everywhere, request} from './api.js';
import {html, nothing, render, visible} from './html.js';
import {connection, retryNow} from './live.js';
import {ArchivePage, ArchivesPage} from './pages/archives.js';
import {BuildPage} from './pages/build.js';
import {BuildsPage} from './pages/builds.js';
import {CatalogPage} from './pages/catalog.js';
import {DiffPage} from './pages/diff.js';
import {GraphPage} from './pages/graph.js';
import {ImagePage} from './pages/image.js';
import {ImagesPage} from './pages/images.js';
import {LogPage} from './pages/log.js';
import {forgetDrafts, NewPage} from './pages/new.js';
import {QueuePage} from './pages/queue.js';
import {RecallsPage} from './pages/recalls.js';
import {badge, capital, href, icon, missing, problem, shown} from './parts.js';
import {describeSession, endSession, leaveForProvider, loginAddress, session, signIn, signInWith, signOut, watchSession} from './session.js';
import {duration, skew} from './time.js';

/** @typedef {import('./html.js').Content} Content */

/**
 * @typedef {object} Page
 * @property {string} title
 * @property {() => Content} render
 * @property {() => void} close ends its streams
 * @property {() => Content | undefined} [typed] what the user typed and has not saved
 */

/** The pages by their addresses below the namespace. @type {[RegExp, new (app: App, ...names: string[]) => Page, string][]} */
const routes = [
  [/^images$/, ImagesPage, 'images'],
  [/^images\/([^/]+)$/, ImagePage, 'images'],
  [/^builds$/, BuildsPage, 'builds'],
  [/^builds\/([^/]+)$/, BuildPage, 'builds'],
  [/^builds\/([^/]+)\/log$/, LogPage, 'builds'],
  [/^diff$/, DiffPage, 'builds'],
  [/^queue$/, QueuePage, 'queue'],
  [/^graph$/, GraphPage, 'graph'],
  [/^catalog$/, CatalogPage, 'catalog'],
  [/^new$/, NewPage, 'new'],
  [/^archives$/, ArchivesPage, 'archives'],
  [/^archives\/([^/]+)$/, ArchivePage, 'archives'],
  [/^recalls$/, RecallsPage, 'recalls'],
];

/** The words that pages use, for those who see them for the first time. */
const words = [
  ['Image', 'A declaration of what to build, and when: a base, a builder and parameters.'],
  ['Kind', 'A sort of images with a form of its own, which the catalog offers.'],
  ['Namespace', 'A part of the server with its own images and users.'],
  ['Parameter', 'A setting that the builder of an image knows.'],
  ['Trigger', 'What starts a build: a request, a schedule, or a change of the inputs, which are all that an image is built from.'],
  ['Suspended', 'The image starts no build by itself.'],
  ['Stalled', 'Nothing happens until somebody changes the image or asks for a build.'],
  ['Build', 'One run of a builder for an image, with a log and a result.'],
  ['Base', 'What an image starts from: another image, or a system such as debian:13.'],
  ['Builder', 'The program that makes the artifacts of an image.'],
  ['Target', 'A platform and a file format that an image is built for, such as linux/amd64/raw.'],
  ['Artifact', 'The file or container image that a build makes for a target.'],
  ['Digest', 'A fingerprint of content: the same digest means the same content.'],
  ['Channel', 'A name, such as stable, that points at one build of an image; to promote a build is to point a channel at it.'],
  ['Outdated', 'The inputs of the image changed since its latest successful build.'],
  ['One-off', 'A build with inputs of its own: it does not count for the image.'],
  ['Queue', 'The builds that wait for their turn.'],
  ['Lock, SBOM', 'The list of the packages in an artifact.'],
  ['Archive', 'A mirror with packages, which the server checks for newer versions.'],
  ['Recall', 'A build is revoked when it turned out to be wrong: nobody is to use its artifacts.'],
  ['Catalog', 'The kinds of images and the builders that the server offers.'],
];

/** The colour schemes that users can choose. @type {[string, string][]} */
const schemes = [['', 'System'], ['light', 'Light'], ['dark', 'Dark']];

const tabs = [['images', 'Images'], ['builds', 'Builds'], ['queue', 'Queue'], ['graph', 'Graph'], ['catalog', 'Catalog'], ['archives', 'Archives'], ['recalls', 'Recalls']];

/** The keys that open pages, after g. @type {Record<string, string>} */
const keys = {i: 'images', b: 'builds', q: 'queue', g: 'graph', c: 'catalog', n: 'new', a: 'archives', r: 'recalls'};

const schemeKey = 'goldsmith.scheme';

export class App {
  constructor() {
    this.namespace = 'default';
    this.tab = 'images';
    /** @type {Page | undefined} */
    this.page = undefined;
    this.actions = new Actions(this);
    /** @type {string[]} */
    this.namespaces = [];
    /** Why the user is signed out, or an empty text. */
    this.signedOut = '';
    /** Whether the link that opened the page was refused. */
    this.linkRefused = false;
    /** Who is signed in, or was. @type {string | undefined} */
    this.user = undefined;
    /** Whether this page was signed in once. */
    this.started = false;
    /** What the user typed before the session ended. It is in the memory of this page only, and so nobody else can read it. @type {Content | undefined} */
    this.typed = undefined;
    /** How to sign in. @type {import('./session.js').Session} */
    this.signInBy = {};
    /** Why a token was refused. @type {{message: string} | undefined} */
    this.refusal = undefined;
    this.busy = false;
    this.helping = false;
    this.scheduled = false;
    this.moved = false;
    this.announcement = '';
    this.pressed = '';
  }

  async start() {
    events.addEventListener('signed-out', (event) => this.askToSignIn(/** @type {CustomEvent} */ (event).detail));
    addEventListener('popstate', () => this.signedOut || this.open());
    addEventListener('resize', () => this.update());
    document.addEventListener('click', (event) => this.onClick(event));
    document.addEventListener('keydown', (event) => this.onKey(event));
    watchSession((user, asked) => {
      const other = session().user && user !== session().user;
      if (user && other) location.reload();
      else if (user && this.signedOut) this.resume();
      else if (!user && !this.signedOut) this.askToSignIn('You were signed out in another window.', asked);
    });
    addEventListener('hashchange', () => location.hash.startsWith('#code=') && !this.signedOut && location.reload()); // a link in the same window
    const linked = location.hash.startsWith('#code='), failure = await signIn().catch(() => 'The server is not running.');
    this.linkRefused = linked && Boolean(failure);
    if (failure) return this.askToSignIn(failure);
    this.started = true;
    setInterval(() => this.update(), 1000); // ages
    if (!location.pathname.startsWith('/ui/ns/')) history.replaceState(null, '', href(session().namespace || 'default', 'images'));
    this.readNamespaces();
    this.open();
  }

  /** @param {string} message @param {boolean} [asked] whether the user signed out */
  async askToSignIn(message, asked = false) {
    if (!this.signedOut) this.user = session().user;
    if (this.page) this.typed = this.page.typed?.();
    if (asked) this.forget();
    this.close();
    signOut(asked);
    this.signedOut = message === 'Unauthorized' && session().user ? 'The cluster does not accept the session any more.' : message;
    this.update();
    this.signInBy = await describeSession();
    this.update();
  }

  /** Forgets what the user typed: the next user of this window must not see it. */
  forget() {
    forgetDrafts();
    this.typed = undefined;
  }

  /** Continues after the user signed in again. The page was not loaded again, so that it still has what the user typed. */
  async resume() {
    if (!this.started) return location.reload();
    const failure = await signIn().catch(() => 'The server cannot be reached.');
    if (failure) return this.askToSignIn(failure);
    if (session().user !== this.user) return location.reload();
    this.signedOut = '';
    this.typed = this.refusal = undefined;
    this.busy = false;
    this.readNamespaces();
    this.open();
  }

  endSession = async () => {
    this.forget();
    this.close();
    try {
      await endSession();
      await this.askToSignIn('You are signed out.', true);
    } catch (error) {
      await this.askToSignIn(`You are still signed in, because signing out failed: ${error instanceof Error ? error.message : error}`);
    }
  };

  /** @param {SubmitEvent} event */
  signInWithToken = async (event) => {
    event.preventDefault();
    if (this.busy) return;
    const token = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('token'));
    this.busy = true;
    this.refusal = undefined;
    this.update();
    const message = await signInWith(token);
    if (!message) return this.resume();
    this.busy = false;
    this.refusal = {message};
    this.update();
  };

  async readNamespaces() {
    try {
      const {items} = await request('/api/v1/namespaces');
      this.namespaces = items.map((/** @type {any} */ item) => item.metadata.name);
    } catch {
      this.namespaces = []; // users without the right know the name of theirs
    }
    this.update();
  }

  close() {
    this.page?.close();
    this.page = undefined;
    this.actions = new Actions(this);
  }

  /** Opens the page of the current address. */
  open() {
    this.close();
    const [namespace, ...rest] = location.pathname.replace(/^\/ui\/ns\//, '').replace(/\/$/, '').split('/');
    this.namespace = decode(namespace || 'default');
    const address = rest.join('/');
    for (const [pattern, Page, tab] of routes) {
      const match = pattern.exec(address);
      if (!match) continue;
      this.tab = tab;
      this.page = new Page(this, ...match.slice(1).map(decode));
      break;
    }
    this.moved = true;
    this.update();
  }

  /** @param {string} address */
  navigate(address) {
    history.pushState(null, '', address);
    this.open();
  }

  /** Returns a value of the query of the address. @param {string} name */
  query(name) {
    return new URLSearchParams(location.search).get(name) ?? '';
  }

  /** Changes values of the query. An empty value is removed. @param {Record<string, string>} values */
  setQuery(values) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(values)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`);
    this.update();
  }

  /** Tells users of screen readers. @param {string} text */
  announce(text) {
    this.announcement = text;
    this.update();
  }

  update() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.render();
    });
  }

  render() {
    render(this.signedOut ? this.signInPage() : this.frame(), document.body);
    for (const dialog of document.querySelectorAll('dialog')) {
      if (!dialog.open) dialog.showModal();
    }
    for (const part of document.querySelectorAll('.overflow, .command code')) /** @type {HTMLElement} */ (part).tabIndex = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight ? 0 : -1; // to scroll with the keyboard
    const title = visible(this.page?.title ?? 'Goldsmith');
    if (document.title !== `${title} · Goldsmith`) document.title = `${title} · Goldsmith`;
    if (this.moved) {
      this.moved = false;
      document.querySelector('main')?.focus({preventScroll: true});
      document.querySelector('.bar nav [aria-current]')?.scrollIntoView({block: 'nearest', inline: 'center'});
      scrollTo(0, 0);
    }
  }

  signInPage() {
    return html`<main class="signed-out" tabindex="-1"><div>
      <h1>${logo()}${this.linkRefused ? 'This link does not work any more' : 'Sign in'}</h1>
      <p>${sentence(this.signedOut)}</p>
      ${this.waysToSignIn()}
      ${this.typed ? html`<p>This window keeps what you typed until it is closed or loaded again:</p>${this.typed}` : nothing}
    </div></main>`;
  }

  waysToSignIn() {
    const {signIn, command, provider} = this.signInBy;
    if (signIn === 'oidc' && this.typed) return html`<p><a class="primary" href="/ui/" target="_blank">Sign in in another window</a></p><p>This window then continues by itself.</p>`;
    if (signIn === 'oidc') return html`<p><a class="primary" href=${loginAddress()} @click=${leaveForProvider}>Sign in with ${provider}</a></p>`;
    if (!command) return nothing;
    if (signIn !== 'token') return html`<p>In a terminal, this command prints a new link:</p><p>${shown(command)}</p>${this.typed ? html`<p>Open it in another window, and copy what you typed from here.</p>` : nothing}`;
    return html`<form @submit=${this.signInWithToken}>
        <label class="field"><span>Token of a user or a service account of the cluster</span><input type="password" name="token" required autocomplete="off" spellcheck="false"></label>
        ${problem(this.refusal)}
        <button type="submit" class="primary" ?disabled=${this.busy}>Sign in</button>
      </form>
      <p>In a terminal, this command prints a token of a service account:</p><p>${shown(command)}</p>`;
  }

  who() {
    const {user} = session();
    return html`${user ? html`<span class="user" title=${user}>${user}</span>` : nothing}<button type="button" class="quiet" @click=${this.endSession}>Sign out</button>`;
  }

  frame() {
    return html`
      <a class="skip" href="#main" @click=${(/** @type {Event} */ event) => { event.preventDefault(); document.querySelector('main')?.focus(); }}>Skip to the page</a>
      <header class="bar">
        <a class="brand" aria-label="Goldsmith" href=${href(this.namespace, 'images')}>${logo()}<span>Goldsmith</span></a>
        <label class="namespace"><span>Namespace</span>${this.namespaceChoice()}</label>
        <nav aria-label="Pages">${tabs.map(([name, title]) => html`<a href=${href(this.namespace, name)} aria-current=${this.tab === name ? 'page' : nothing}>${title}</a>`)}</nav>
        <div class="tools">${this.connectionState()}${this.schemeChoice()}<button type="button" class="quiet" @click=${this.toggleHelp} title="Words and keys">?</button>${this.who()}</div>
      </header>
      ${this.loss()}
      ${Math.abs(skew()) > 120_000 ? html`<p class="notice">The clock of this machine differs from the server's by ${duration(Math.abs(skew()))}. Ages are by the clock of the server.</p>` : nothing}
      <main id="main" tabindex="-1">${this.page ? this.page.render() : missing('This page does not exist', 'The address may be that of a newer version.')}</main>
      <div class="unseen" role="status" aria-live="polite">${this.announcement}</div>
      ${this.actions.dialog()}${this.helping ? this.help() : nothing}`;
  }

  namespaceChoice() {
    const names = [...new Set([...this.namespaces, this.namespace])].filter((name) => name !== everywhere).sort();
    const choose = (/** @type {Event} */ event) => this.navigate(href(/** @type {HTMLSelectElement} */ (event.target).value, this.tab) + (location.pathname.endsWith(`/${this.tab}`) && !this.query('edit') && !this.query('like') ? location.search : ''));
    return html`<select @change=${choose}><option value=${everywhere} .selected=${this.namespace === everywhere}>all namespaces</option>
      ${names.map((name) => html`<option value=${name} .selected=${this.namespace === name}>${name}</option>`)}</select>`;
  }

  connectionState() {
    const {state, failure} = connection();
    if (state === 'waiting') return html`<span class="connection" title=${failure?.message ?? ''}>${badge('warning', failure && failure.code >= 400 && failure.code < 500 ? 'Not current' : 'Reconnecting')}</span>`;
    if (state === 'connecting') return html`<span class="connection">${badge('waiting', 'Loading')}</span>`;
    return html`<span class="connection" title="The page shows changes at once">${badge('ok', 'Live')}</span>`;
  }

  /** Tells that the server does not answer, and when the page tries again. */
  loss() {
    const {failure, retryAt} = connection();
    if (!failure?.lost) return nothing;
    const wait = Math.ceil((retryAt - Date.now()) / 1000), {command} = session();
    return html`<div class="notice lost"><p role="alert" title=${failure.message}>${icon('warning')} <strong>${failure.code ? 'The server cannot be reached: it may not be running.' : failure.message}</strong>
        ${failure.code || !command ? 'This page continues by itself when the server is back.' : `A server that is started again prints a new link, and so does ${command}.`}</p>
      <p>${wait > 0 ? `Reconnecting in ${wait}s.` : 'Reconnecting.'}</p><button type="button" class="small" @click=${retryNow}>Try now</button></div>`;
  }

  schemeChoice() {
    const at = Math.max(0, schemes.findIndex(([name]) => name === (localStorage.getItem(schemeKey) ?? '')));
    const [next, title] = schemes[(at + 1) % schemes.length];
    const choose = () => {
      localStorage.setItem(schemeKey, next);
      applyScheme();
      this.update();
    };
    return html`<button type="button" class="quiet" @click=${choose} title=${`Switch to ${title}`}><span class="what">Theme: </span>${schemes[at][1]}</button>`;
  }

  toggleHelp = () => {
    this.helping = !this.helping;
    this.update();
  };

  help() {
    const pages = Object.entries(keys).map(([key, name]) => [['g', key], tabs.find(([tab]) => tab === name)?.[1] ?? 'New image']);
    const rows = [...pages, [['/'], 'Filter'], [['j', '↓'], 'Next row'], [['k', '↑'], 'Previous row'], [['Enter'], 'Open the row'], [['Esc'], 'Close a dialog'], [['?'], 'This help']];
    const boxes = (/** @type {string[]} */ pressed) => pressed.map((key, index) => html`${index ? (pressed[0] === 'g' ? ' then ' : ' or ') : nothing}<kbd>${key}</kbd>`);
    return html`<dialog class="help" aria-labelledby="help-title" @close=${() => { this.helping = false; this.update(); }}>
      <h2 id="help-title" tabindex="-1" autofocus>Help</h2>
      <section><h3>Words</h3><dl>${words.map(([word, meaning]) => html`<div><dt>${word}</dt><dd>${meaning}</dd></div>`)}</dl></section>
      <section class="keys"><h3>Keys</h3><dl>${rows.map(([pressed, meaning]) => html`<div><dt>${boxes(/** @type {string[]} */ (pressed))}</dt><dd>${meaning}</dd></div>`)}</dl></section>
      <footer><button type="button" @click=${this.toggleHelp}>Close</button></footer></dialog>`;
  }

  /** Opens links to pages without loading the frame again. @param {MouseEvent} event */
  onClick(event) {
    const link = /** @type {Element} */ (event.target).closest?.('a[href^="/ui/ns/"]');
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.hasAttribute('download')) return;
    event.preventDefault();
    this.navigate(/** @type {string} */ (link.getAttribute('href')));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea, dialog')) return;
    const before = this.pressed;
    this.pressed = event.key;
    if (before === 'g' && keys[event.key]) {
      this.pressed = '';
      this.navigate(href(this.namespace, keys[event.key]));
    } else if (event.key === '/') {
      const filter = /** @type {HTMLInputElement | null} */ (document.querySelector('input[type=search]'));
      if (!filter) return;
      filter.focus();
      event.preventDefault();
    } else if (event.key === '?') {
      this.toggleHelp();
    } else if ((event.key === 'j' || event.key === 'ArrowDown') && !target.closest('tr')) {
      const link = /** @type {HTMLElement | null} */ (document.querySelector('tbody tr a'));
      if (!link) return;
      link.focus();
      event.preventDefault();
    }
  }
}

/** Decodes a part of an address. A part that is not UTF-8 stays as it is. @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const logo = () => html`<img src="/ui/icon.svg" alt="" width="20" height="20">`;

/** A message of the server as a sentence. @param {string} text */
const sentence = (text) => capital(text) + (/[.:!?]$/.test(text) ? '' : '.');

function applyScheme() {
  document.documentElement.dataset.scheme = localStorage.getItem(schemeKey) ?? '';
}

applyScheme();
new App().start();

// SPDX-License-Identifier: Apache-2.0
// What users can do on a page: buttons that tell why they are disabled, and a dialog with the command that does the same.

import {allowed, failureOf} from './api.js';
import {html, nothing} from './html.js';
import {problem, shown} from './parts.js';

/** @typedef {import('./html.js').Content} Content */
/** @typedef {Record<string, string>} Values */

/**
 * @typedef {object} Field of a dialog
 * @property {string} name
 * @property {string} label
 * @property {boolean} [required]
 * @property {string[]} [options] for a choice
 * @property {(option: string) => string} [title] what the choice shows for an option
 * @property {(values: Values) => boolean} [hidden] whether the dialog has no use for the field
 * @property {string} [value]
 * @property {string} [match] the text that the user has to type
 */

/**
 * @typedef {object} Action
 * @property {string} label of the button, which is also the one that confirms
 * @property {string} title of the dialog
 * @property {Content} text what the action does
 * @property {{verb: string, group?: string, resource: string, subresource?: string, namespace: string, name?: string}} right that the action needs
 * @property {string} [impossible] why the action is impossible now
 * @property {Field[]} [fields]
 * @property {boolean} [danger] whether the action cannot be undone
 * @property {() => Promise<any>} [read] reads what about shows, once the dialog is open
 * @property {(read: any, values: Values) => Content} [about] shows what the action concerns
 * @property {(values: Values) => string} command that does the same
 * @property {(values: Values) => Promise<string | void>} run does it, and returns the address of the page to open, if another
 */

/** The buttons and the dialog of a page. */
export class Actions {
  /** @param {import('./app.js').App} app */
  constructor(app) {
    this.app = app;
    /** What was reviewed, by the right. @type {Map<string, string>} */
    this.refusals = new Map();
    /** @type {Action | undefined} */
    this.open = undefined;
    /** @type {Values} */
    this.values = {};
    /** @type {import('./api.js').APIError | undefined} */
    this.failure = undefined;
    this.busy = false;
    /** What the open action concerns, once it was read. @type {{value?: any, failure?: {message: string}} | undefined} */
    this.concerned = undefined;
  }

  /** Why the user cannot do something, or an empty text. @param {Pick<Action, 'right' | 'impossible'>} action */
  refusal(action) {
    const key = JSON.stringify(action.right);
    const known = this.refusals.get(key);
    if (known === undefined) {
      this.refusals.set(key, 'Asking for permission.');
      allowed(action.right).then(
        (review) => this.refusals.set(key, review.allowed ? '' : review.reason),
        (error) => {
          this.refusals.set(key, error.message);
          setTimeout(() => this.refusals.delete(key), 5000); // to ask again
        },
      ).finally(() => this.app.update());
    }
    return this.refusals.get(key) || action.impossible || '';
  }

  /** @param {Action} action @param {string} style class of the button */
  button(action, style = '') {
    const refusal = this.refusal(action);
    return html`<button type="button" class=${style} aria-disabled=${refusal ? 'true' : nothing} title=${refusal || (typeof action.text === 'string' && action.text) || nothing} @click=${() => this.show(action)}>${action.label}</button>`;
  }

  /** A button that opens a page, such as a form. @param {string} label @param {string} address @param {Action['right']} right @param {string} title */
  link(label, address, right, title = '') {
    const refusal = this.refusal({right});
    return refusal ? html`<button type="button" aria-disabled="true" title=${refusal}>${label}</button>` : html`<a class="button" href=${address} title=${title || nothing}>${label}</a>`;
  }

  /** @param {Action} action */
  show(action) {
    this.open = action;
    this.values = Object.fromEntries((action.fields ?? []).map(({name, value, options}) => [name, value ?? options?.[0] ?? '']));
    this.failure = undefined;
    this.concerned = undefined;
    action.read?.().then((value) => ({value}), (failure) => ({failure})).then((concerned) => {
      if (this.open !== action) return;
      this.concerned = concerned;
      this.app.update();
    });
    this.app.update();
  }

  close = () => {
    this.open = undefined;
    this.app.update();
  };

  /** @param {Event} event */
  confirm = async (event) => {
    event.preventDefault();
    const action = this.open;
    if (!action || this.busy || this.refusal(action) || this.unmatched(action)) return;
    this.busy = true;
    this.failure = undefined;
    this.app.update();
    try {
      const next = await action.run(this.values);
      if (this.open === action) this.close();
      if (next && this.app.actions === this) this.app.navigate(next);
    } catch (error) {
      if (this.open === action) this.failure = failureOf(error);
    } finally {
      this.busy = false;
      this.app.update();
    }
  };

  /** Reports whether the user has not typed yet what an action asks for. @param {Action} action */
  unmatched({fields = []}) {
    return fields.some(({name, match}) => match && this.values[name].trim() !== match);
  }

  /** @param {Field} field */
  field(field) {
    if (field.hidden?.(this.values)) return nothing;
    const set = (/** @type {Event} */ event) => {
      this.values[field.name] = /** @type {HTMLInputElement} */ (event.target).value;
      this.app.update();
    };
    return html`<label class="field"><span>${field.label}</span>${field.options
      ? html`<select name=${field.name} @change=${set}>${field.options.map((option) => html`<option value=${option} ?selected=${this.values[field.name] === option}>${field.title?.(option) ?? option}</option>`)}</select>`
      : html`<input name=${field.name} ?required=${field.required} maxlength="1024" autocomplete="off" @input=${set}>`}</label>`;
  }

  /** @param {Action} action */
  about(action) {
    const {concerned} = this;
    if (!concerned) return html`<p class="loading">Reading what it concerns.</p>`;
    return concerned.failure ? html`<p class="refusal">What it concerns is unknown: ${concerned.failure.message}</p>` : action.about?.(concerned.value, this.values);
  }

  dialog() {
    const action = this.open;
    if (!action) return nothing;
    const refusal = this.refusal(action);
    return html`<dialog aria-labelledby="dialog-title" @close=${this.close}><form @submit=${this.confirm}>
      <h2 id="dialog-title">${action.title}</h2>
      <p>${action.text}</p>
      ${(action.fields ?? []).map((field) => this.field(field))}
      ${action.about ? this.about(action) : nothing}
      ${refusal ? html`<p class="refusal">${refusal}</p>` : nothing}
      ${problem(this.failure)}
      <p class="same">In a terminal: ${shown(action.command(this.values))}</p>
      <footer><button type="button" @click=${this.close}>Close</button><button type="submit" class=${action.danger ? 'danger' : 'primary'} ?disabled=${Boolean(refusal) || this.busy || this.unmatched(action)}>${action.label}</button></footer>
    </form></dialog>`;
  }
}

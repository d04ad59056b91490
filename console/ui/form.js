// SPDX-License-Identifier: Apache-2.0
// A form for the values of a schema of OpenAPI v3. It has no values of its own: fields read and write an object. What has no widget is
// written as JSON, which is YAML, too.

import {encode} from './api.js';
import {html, nothing, typed} from './html.js';
import {withoutPattern} from './parts.js';

/** @typedef {import('./html.js').Content} Content */
/** @typedef {import('./schema.js').Schema} Schema */

/**
 * @typedef {object} Place of a value in the object
 * @property {string} path as the errors of the server have it
 * @property {string} name
 * @property {string} [label] for users, instead of the name
 * @property {boolean} [required]
 * @property {boolean} [kept] whether the value stays when its text is empty: that of an item or an entry, which has a button to remove it
 * @property {() => any} get
 * @property {(value: any) => void} set undefined removes the value
 */

/** @typedef {{field?: string, message?: string}} Cause why the server refuses a field */

// The properties of an object can have any name, such as __proto__: they are read and written as own properties only.
/** @param {any} object @param {string} name */
export const own = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : undefined);

/** @param {any} object @param {string} name @param {any} value undefined removes it */
export const put = (object, name, value) => Object.fromEntries([...Object.entries(object ?? {}).filter(([other]) => other !== name || value !== undefined).map(([other, old]) => [other, other === name ? value : old]),
  ...(value === undefined || Object.hasOwn(object ?? {}, name) ? [] : [[name, value]])]);

const scalars = ['string', 'integer', 'number'];

/** The widget of a schema. @param {Schema} schema */
function widgetOf(schema) {
  const {type, enum: values, items, properties, additionalProperties, named, oneOf, anyOf} = schema;
  if (named) return 'named';
  if (values || type === 'boolean') return 'choice';
  if (type === 'array' && items) return items.type === 'string' && !items.enum ? 'lines' : 'list';
  if (properties) return 'object';
  if (type === 'object' && typeof additionalProperties === 'object') return 'map';
  if (scalars.includes(type) || schema['x-kubernetes-int-or-string'] || (oneOf ?? anyOf)?.every((/** @type {Schema} */ {type}) => scalars.includes(type))) return 'text';
  return 'json';
}

/** Reports whether a widget can show a value. @param {string} widget @param {any} value */
function fits(widget, value) {
  if (value === undefined) return true;
  if (widget === 'lines') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (widget === 'list' || widget === 'named') return Array.isArray(value);
  return (widget === 'object' || widget === 'map') === (typeof value === 'object' && value !== null) && !Array.isArray(value);
}

/** The number that a text stands for, or else the text, which the server explains. @param {string} text @param {Schema} schema */
const numeric = (text, {type}) => (['integer', 'number'].includes(type) && text.trim() !== '' && Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER ? Number(text) : text);

/** Words of names that are no words. @type {Record<string, string>} */
const words = {oci: 'OCI', url: 'URL', uri: 'URI', cpu: 'CPU', id: 'ID', uid: 'UID', json: 'JSON', efi: 'EFI', ttl: 'TTL', cron: 'Cron', ref: ''};

/** A label for the name of a field: onSpecChange is "On spec change". @param {string} name */
export function labelOf(name) {
  const parts = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').split(/[\s_-]+/).map((word) => words[word.toLowerCase()] ?? word.toLowerCase()).filter(Boolean);
  const text = parts.join(' ') || name;
  return text[0].toUpperCase() + text.slice(1);
}

/** One of several: "Targets" is "Target". @param {string} label */
const singular = (label) => label.replace(/(?<=s|x|z|sh|ch)es$|(?<!s)s$/, '').replace(/ie$/, 'y');

/** @param {string} label within a sentence */
const inner = (label) => (/^[A-Z][a-z]/.test(label) ? label[0].toLowerCase() + label.slice(1) : label);

const json = (/** @type {any} */ value) => (value === undefined ? '' : JSON.stringify(value));

/** The fields of an object. */
export class Form {
  /** @param {() => void} changed is called after the user changed a value @param {() => void} update shows the form again @param {(schema: Schema) => Schema} resolve */
  constructor(changed, update, resolve) {
    this.changed = changed;
    this.update = update;
    this.resolve = resolve;
    /** Why the server refuses fields. @type {Cause[]} */
    this.causes = [];
    /** Fields that the user has left, and so shows errors of. @type {Set<string>} */
    this.touched = new Set();
    /** Whether the errors of all fields are shown. */
    this.complete = false;
    /** Whether parts with values are closed at first, because the user did not write them here. */
    this.compact = false;
    /** Parts that the user opened or closed. @type {Map<string, boolean>} */
    this.folds = new Map();
    /** The chosen alternative of objects that have several. @type {Map<string, string>} */
    this.chosen = new Map();
    /** What the user typed, with the JSON of the value that it stands for. @type {Map<string, {text: string, value: string, problem: string}>} */
    this.typed = new Map();
    /** Names that the user types for new entries of maps. @type {Map<string, string>} */
    this.names = new Map();
  }

  /** What the user typed and is no value. @returns {Cause[]} */
  get mistakes() {
    return [...[...this.typed].filter(([, {problem}]) => problem).map(([field, {problem: message}]) => ({field, message})),
      ...[...this.names].filter(([, name]) => name).map(([path, name]) => ({field: `${path}[]`, message: `${name} is not added yet: choose Add, or empty the field.`}))];
  }

  /** The errors of a field, or of a field and all below it. @param {string} path */
  errorsOf(path, below = false) {
    return [...this.mistakes, ...this.causes].filter(({field = ''}) => field === path || below && (field.startsWith(`${path}.`) || field.startsWith(`${path}[`)));
  }

  /** @param {string} path */
  shows(path) {
    return this.complete || this.touched.has(path);
  }

  /** Puts the focus on the field of an error, or the nearest part around it. @param {string} path */
  focus(path) {
    for (const part of around(path)) this.folds.set(part, true);
    this.update();
    requestAnimationFrame(() => requestAnimationFrame(() => around(path).map((part) => document.getElementById(idOf(part))).find(Boolean)?.focus()));
  }

  /** @param {Place} at @param {any} value */
  write(at, value) {
    for (const part of around(at.path)) this.folds.set(part, this.folds.get(part) ?? true); // a part stays open after its last value was removed
    at.set(value);
    this.changed();
  }

  /** Removes what the user typed in fields that are removed. @param {string} path */
  forget(path) {
    for (const kept of [this.typed, this.names]) for (const other of kept.keys()) if (other.startsWith(path)) kept.delete(other);
  }

  /** A value in an object. An optional object without values is left out. @param {Place} parent @param {string} name @param {string[]} required @returns {Place} */
  inside(parent, name, required = []) {
    return {
      path: `${parent.path}.${name}`, name, label: labelOf(name), required: required.includes(name), get: () => own(parent.get(), name),
      set: (value) => {
        const next = put(parent.get(), name, value);
        parent.set(Object.keys(next).length || parent.required ? next : undefined);
      },
    };
  }

  /** @param {Place} parent @param {number} index @returns {Place} */
  item(parent, index) {
    return {path: `${parent.path}[${index}]`, name: '', label: `${singular(labelIn(parent))} ${index + 1}`, required: true, kept: true, get: () => parent.get()?.[index], set: (value) => parent.set(parent.get().with(index, value))};
  }

  /** @param {Schema} given @param {Place} at @returns {Content} */
  field(given, at) {
    const schema = this.resolve(given), widget = widgetOf(schema);
    if (!fits(widget, at.get())) return this.text(schema, at, 'json');
    switch (widget) {
      case 'choice': return schema.folded ? this.group({...schema, description: undefined}, at, () => this.choice(schema, at)) : this.choice(schema, at);
      case 'object': return this.group(schema, at, this.properties(schema, at));
      case 'list': return this.group(schema, at, () => this.list(schema, at));
      case 'map': return this.group(schema, at, () => this.map(schema, at));
      case 'named': return this.group(schema, at, () => this.named(schema.named, at));
      default: return this.text(schema, at, widget);
    }
  }

  /** @param {Schema} schema @param {Place} at @param {Content} control @param {string} note */
  labelled(schema, at, control, note = '') {
    const id = idOf(at.path), errors = this.shows(at.path) ? this.errorsOf(at.path, true) : [];
    return html`<div class="field ${errors.length ? 'wrong' : ''}"><label for=${id}>${titleOf(schema, at)} <span class="muted">${[at.required && !at.kept ? 'required' : '', note].filter(Boolean).join(', ')}</span></label>${control}
      ${errors.length ? html`<div class="refusal" id="${id}-error">${errors.map(({field = '', message}) => html`<p>${field === at.path ? '' : `${field.slice(at.path.length)}: `}${plain(message)}</p>`)}</div>` : nothing}
      ${hint(schema, at, `${id}-hint`)}</div>`;
  }

  /** @param {Schema} schema @param {Place} at */
  described({description}, at) {
    const id = idOf(at.path), wrong = this.shows(at.path) && this.errorsOf(at.path, true).length;
    return {id, wrong: wrong ? 'true' : nothing, by: [wrong ? `${id}-error` : '', description ? `${id}-hint` : ''].filter(Boolean).join(' ') || nothing};
  }

  /** @param {Schema} schema @param {Place} at @param {string} widget text, lines or json */
  text(schema, at, widget) {
    const value = at.get(), known = this.typed.get(at.path), {id, wrong, by} = this.described(schema, at);
    const text = known && (known.problem || known.value === json(value)) ? known.text : widget === 'json' ? json(value) : widget === 'lines' ? (value ?? []).join('\n') : String(value ?? '');
    const read = (/** @type {Event} */ event) => {
      const {value: text} = /** @type {HTMLInputElement} */ (event.target);
      let next, problem = '';
      if (widget === 'text') next = text === '' && !at.kept ? undefined : numeric(text, schema);
      else if (widget === 'lines') next = text.split('\n').filter((line) => line !== '');
      else {
        try {
          next = text.trim() === '' ? undefined : JSON.parse(text);
        } catch (error) {
          next = value;
          problem = `This is not JSON: ${/** @type {Error} */ (error).message}`;
        }
      }
      if (widget === 'lines' && !next.length && !at.kept) next = undefined;
      this.typed.set(at.path, {text, value: json(next), problem});
      this.write(at, next);
    };
    const leave = () => {
      this.touched.add(at.path);
      this.update();
    };
    const hint = schema.default !== undefined && typeof schema.default !== 'object' && schema.default !== '' ? `default: ${schema.default}` : '';
    const long = widget !== 'text' || !['integer', 'number'].includes(schema.type) && !(schema.maxLength <= 255) && !schema.format;
    return this.labelled(schema, at, long
      ? html`<textarea id=${id} rows=${widget === 'json' ? 3 : widget === 'lines' ? 2 : 1} spellcheck="false" autocomplete="off" placeholder=${hint} aria-invalid=${wrong} aria-describedby=${by} .value=${typed(text)} @input=${read} @change=${leave}></textarea>`
      : html`<input id=${id} spellcheck="false" autocomplete="off" placeholder=${hint} aria-invalid=${wrong} aria-describedby=${by} .value=${typed(text)} @input=${read} @change=${leave}>`,
    {lines: 'one on each line', json: 'as JSON'}[widget]);
  }

  /** @param {Schema} schema @param {Place} at */
  choice(schema, at) {
    const values = schema.enum ?? [true, false], value = at.get(), {id, wrong, by} = this.described(schema, at);
    const index = values.findIndex((/** @type {any} */ each) => String(each) === String(value));
    const none = schema.default !== undefined && schema.default !== '' ? `default: ${schema.default}` : at.required ? 'choose' : 'not set';
    const choose = (/** @type {Event} */ event) => {
      const chosen = Number(/** @type {HTMLSelectElement} */ (event.target).value);
      this.touched.add(at.path);
      this.write(at, chosen === -1 ? (at.kept ? '' : undefined) : chosen === -2 ? value : values[chosen]);
    };
    return this.labelled(schema, at, html`<select id=${id} aria-invalid=${wrong} aria-describedby=${by} @change=${choose}>
      <option value="-1" .selected=${value === undefined}>${none}</option>
      ${value !== undefined && index < 0 ? html`<option value="-2" .selected=${true}>${String(value) || 'choose'}</option>` : nothing}
      ${values.map((/** @type {any} */ each, /** @type {number} */ i) => html`<option value=${i} .selected=${i === index}>${String(each)}${schema.titles?.[i] ? `: ${schema.titles[i]}` : ''}</option>`)}</select>`);
  }

  /** A part with fields. Optional parts are closed at first. @param {Schema} schema @param {Place} at @param {() => Content} content */
  group(schema, at, content) {
    const id = `${idOf(at.path)}${schema.folded ? '-part' : ''}`, errors = schema.folded ? [] : this.errorsOf(at.path);
    const inner = () => html`${hint(schema, at)}
      ${this.complete || [...this.touched].some((path) => path.startsWith(at.path)) ? errors.map(({message}) => html`<p class="refusal">${plain(message)}</p>`) : nothing}${content()}`;
    if (at.required) return html`<fieldset id=${id} tabindex="-1"><legend>${titleOf(schema, at)}</legend>${inner()}</fieldset>`;
    const open = this.folds.get(at.path) ?? (schema.open || at.get() !== undefined && !this.compact || this.complete && this.errorsOf(at.path, true).length > 0);
    return html`<details class="part" .open=${open} @toggle=${(/** @type {Event} */ event) => {
      event.stopPropagation();
      const {open: now} = /** @type {HTMLDetailsElement} */ (event.target);
      if (now === open) return;
      this.folds.set(at.path, now);
      this.update();
    }}><summary id=${id}>${titleOf(schema, at)} ${open || at.get() === undefined ? nothing : html`<span class="muted">${preview(at.get())}</span>`}</summary>${open ? html`<div class="parts">${inner()}</div>` : nothing}</details>`;
  }

  /** The fields of an object. Of alternatives, only that which the user chose has fields. @param {Schema} schema @param {Place} at @returns {() => Content} */
  properties({properties = {}, required, oneOf, anyOf}, at) {
    return () => {
      const value = at.get() ?? {};
      /** @type {string[]} */
      const alternatives = (oneOf ?? anyOf ?? []).map((/** @type {Schema} */ {required}) => (required?.length === 1 ? required[0] : undefined));
      const several = alternatives.length > 1 && alternatives.every((name) => name && Object.hasOwn(properties, name));
      const chosen = several ? alternatives.find((name) => own(value, name) !== undefined) ?? this.chosen.get(at.path) ?? (at.required ? alternatives[0] : '') : '';
      const first = several ? [...(required ?? []), chosen] : required ?? [];
      const choose = (/** @type {Event} */ event) => {
        this.chosen.set(at.path, alternatives[Number(/** @type {HTMLSelectElement} */ (event.target).value)] ?? '');
        this.forget(at.path);
        const rest = Object.fromEntries(Object.entries(at.get() ?? {}).filter(([other]) => !alternatives.includes(other)));
        this.write(at, Object.keys(rest).length || at.required ? rest : undefined);
      };
      const entries = Object.entries(/** @type {Record<string, Schema>} */ (properties)).filter(([name]) => !several || !alternatives.includes(name) || name === chosen);
      return html`${several ? html`<div class="field"><label for="${idOf(at.path)}-which">${labelIn(at)} is given by</label><select id="${idOf(at.path)}-which" @change=${choose}>
          ${at.required ? nothing : html`<option value="-1" .selected=${!chosen}>not set</option>`}${alternatives.map((name, index) => html`<option value=${index} .selected=${name === chosen}>${labelOf(name)}</option>`)}</select></div>` : nothing}
        ${entries.sort(([a], [b]) => Number(first.includes(b)) - Number(first.includes(a))).map(([name, schema]) => this.field(schema, this.inside(at, name, first)))}
        ${Object.keys(value).filter((name) => !Object.hasOwn(properties, name)).map((name) => this.entry({}, this.inside(at, name, [name]), `Remove ${name}, which is no field`))}`;
    };
  }

  /** A value that can be removed. @param {Schema} schema @param {Place} at @param {string} label @param {() => void} [remove] */
  entry(schema, at, label, remove = () => this.write(at, undefined)) {
    return html`<div class="entry-field">${this.field(schema, at)}<button type="button" class="small" aria-label=${label} @click=${() => { this.forget(at.path); remove(); }}>${label.includes(',') ? label : 'Remove'}</button></div>`;
  }

  /** @param {Schema} schema @param {Place} at */
  list({items}, at) {
    const values = at.get() ?? [];
    const add = () => {
      this.write(at, [...values, initial(this.resolve(items))]);
      this.focus(`${at.path}[${values.length}]`);
    };
    return html`${values.map((/** @type {any} */ _, /** @type {number} */ index) => this.entry(items, this.item(at, index), `Remove ${inner(labelIn(this.item(at, index)))}`, () => {
      const rest = at.get().toSpliced(index, 1);
      this.forget(at.path);
      this.write(at, rest.length ? rest : undefined);
      this.focus(at.path);
    }))}
      <p><button type="button" @click=${add}>Add ${inner(singular(labelIn(at)))}</button></p>`;
  }

  /** The entries of a map, whose names the user chooses. @param {Schema} schema @param {Place} at */
  map({additionalProperties}, at) {
    return html`${Object.keys(at.get() ?? {}).map((name) => this.entry(additionalProperties, {...this.inside(at, name, [name]), path: `${at.path}[${name}]`, label: name, kept: true}, `Remove ${name}`))}
      ${this.adder(at, (name) => {
        this.write(at, put(at.get(), name, own(at.get(), name) ?? initial(this.resolve(additionalProperties))));
        return `${at.path}[${name}]`;
      })}`;
  }

  /** @param {Place} at @param {(name: string) => string} add returns the path of the new entry @param {[string, Schema][]} known entries that are suggested */
  adder(at, add, known = []) {
    const path = `${at.path}[]`, id = idOf(path), one = inner(singular(labelIn(at)));
    const done = (/** @type {Event} */ event) => {
      const name = this.names.get(at.path);
      event.preventDefault();
      if (!name) return document.getElementById(id)?.focus();
      this.names.delete(at.path);
      this.focus(add(name));
    };
    const errors = this.shows(path) ? this.errorsOf(path) : [];
    return html`<div class="adder"><div class="field ${errors.length ? 'wrong' : ''}"><label for=${id}>Name of a new ${one}</label><input id=${id} autocomplete="off" spellcheck="false" list=${known.length ? `${id}-known` : nothing} .value=${typed(this.names.get(at.path) ?? '')}
      @input=${(/** @type {Event} */ event) => { this.names.set(at.path, /** @type {HTMLInputElement} */ (event.target).value); this.changed(); }}
      @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && done(event)}>${errors.map(({message}) => html`<p class="refusal">${message}</p>`)}</div><button type="button" @click=${done}>Add ${one}</button>
      ${known.length ? html`<datalist id="${id}-known">${known.map(([name, {description}]) => html`<option value=${name}>${description ?? ''}</option>`)}</datalist>` : nothing}</div>`;
  }

  /** The parameters of an Image: a list of names and texts. A builder that takes others than it describes has fields for those that are set, and
   * suggests those that it describes. @param {Schema} schema of the builder @param {Place} at */
  named({properties = {}, required = [], additionalProperties = {type: 'string'}}, at) {
    const values = () => /** @type {{name: string, value?: string}[]} */ (at.get() ?? []);
    const place = (/** @type {string} */ name) => {
      const index = values().findIndex((entry) => entry?.name === name);
      return {
        path: index < 0 ? `${at.path}[${name}]` : `${at.path}[${index}].value`, name, label: Object.hasOwn(properties, name) ? labelOf(name) : name, required: required.includes(name), get: () => (index < 0 ? undefined : values()[index]?.value ?? ''),
        set: (/** @type {any} */ value) => {
          const list = values(), at2 = list.findIndex((entry) => entry?.name === name), text = typeof value === 'object' ? JSON.stringify(value) : String(value);
          const next = value === undefined ? list.filter((entry) => entry?.name !== name) : at2 < 0 ? [...list, {name, value: text}] : list.with(at2, {...list[at2], value: text});
          at.set(next.length ? next : undefined);
        },
      };
    };
    const described = Object.entries(/** @type {Record<string, Schema>} */ (properties));
    const textual = (/** @type {Schema | undefined} */ schema) => (!schema || schema.type === 'boolean' || schema.enum ? schema ?? {type: 'string'} : {...schema, type: 'string', items: undefined, properties: undefined});
    const set = values().map((entry) => entry?.name), fixed = described.filter(([name]) => !additionalProperties || required.includes(name));
    if (!additionalProperties) this.names.delete(at.path);
    return html`${fixed.map(([name, schema]) => this.field(textual(schema), place(name)))}
      ${set.filter((name) => !fixed.some(([other]) => other === name)).map((name) => this.entry(textual(own(properties, name)), {...place(name), required: true, kept: true}, `Remove ${name}`))}
      ${additionalProperties ? this.adder(at, (name) => {
        const schema = own(properties, name);
        if (place(name).get() === undefined) this.write(place(name), schema?.default ?? '');
        return place(name).path;
      }, described.filter(([name]) => !set.includes(name))) : nothing}`;
  }
}

/** The value of a new item or entry. @param {Schema} schema */
const initial = (schema) => /** @type {Record<string, any>} */ ({object: {}, map: {}, list: [], lines: []})[widgetOf(schema)] ?? '';

/** A path, and those of the parts around it, the nearest first. @param {string} path */
function around(path) {
  const parts = [];
  for (let end = path.length; end > 0; end = Math.max(path.lastIndexOf('.', end - 1), path.lastIndexOf('[', end - 1))) parts.push(path.slice(0, end));
  return parts;
}

/** @param {string} path */
export const idOf = (path) => `field-${encode(path)}`;

/** @param {any} value @returns {string} */
const textOf = (value) => (Array.isArray(value) ? value.map(textOf).join(', ') : typeof value !== 'object' || value === null ? String(value) : Object.entries(value).map(([name, item]) => `${labelOf(name)} ${textOf(item)}`).join(', '));

/** What a closed part has. @param {any} value */
function preview(value) {
  const text = textOf(value);
  return text.length > 80 ? `${text.slice(0, 80).replace(/[, ]+\S*$/, '')}, …` : text;
}

/** @param {Place} at */
const labelIn = ({label, name}) => label ?? name;

/** The title of a field, with its name if nobody would guess that from the title. @param {Schema} schema @param {Place} at */
function titleOf({title}, at) {
  const label = title ?? labelIn(at);
  return label.replace(/[\s_-]/g, '').toLowerCase() === at.name.replace(/[\s_-]/g, '').toLowerCase() || !at.name ? label : html`${label} <code class="muted">${at.name}</code>`;
}

/** A message of the server, without the value, which the field shows. @param {string | undefined} message */
export const plain = (message = '') => withoutPattern(message).replace(/^(Required value|Invalid value: ("(\\.|[^"\\])*"|[\w.+-]+)): /, '').replace(/^Required value$/, 'a value is required');

/** A description, without the name that it begins with, and without its list of values. What follows the first sentence of a long text is folded. @param {Schema} schema @param {Place} at @param {string} id */
function hint({description, title = ''}, {name, label}, id = '') {
  if (!description) return nothing;
  let text = description.split('\n\n')[0];
  if (name && text.startsWith(`${name} `)) text = text.slice(name.length + 1).replace(/^is /, '');
  else if (!name) text = text.replace(/^[A-Z]\w+ is /, ''); // the type of an item
  if (/^[a-z]+[ ,:]/.test(text)) text = text[0].toUpperCase() + text.slice(1);
  const told = new Set(`${label ?? name} ${title} a an the of is are selects sets lists number name image`.toLowerCase().match(/\w+/g));
  if (text.toLowerCase().match(/\w+/g)?.every((/** @type {string} */ word) => told.has(word))) return nothing; // it only repeats the label
  const [first] = text.length > 150 ? /^.*?[.!?](?=\s+[^a-z\s])/s.exec(text) ?? [text] : [text];
  return html`<p class="hint" id=${id || nothing}>${first}</p>${first === text ? nothing : html`<details class="hint"><summary>More</summary>${text.slice(first.length).trim()}</details>`}`;
}

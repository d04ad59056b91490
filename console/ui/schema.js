// SPDX-License-Identifier: Apache-2.0
// What users can create: Images with the parameters of their builders, and the kinds of the catalog. The schemas are those of the server.

import {APIError, everywhere, group, path, request} from './api.js';

/** @typedef {Record<string, any>} Schema of OpenAPI v3, with references and with the extensions of form.js */
/** @typedef {Record<string, any>} KubeObject */
/** @typedef {Record<string, any>} Document */

/**
 * @typedef {object} Kind
 * @property {string} resource
 * @property {string} kind
 * @property {string} apiVersion
 * @property {string} group
 * @property {string[]} names of the resource in commands, besides its plural
 * @property {string} description
 * @property {(spec: any) => Schema} schema of spec, which depends on the builder of an Image
 * @property {(schema: Schema) => Schema} resolve follows the reference of a schema
 * @property {(spec: any) => string} state changes with what spec may be
 * @property {(spec: any) => Record<string, Schema>} settings are the fields or parameters that the kind or the builder itself describes
 * @property {KubeObject[]} builders
 */

export const catalogGroup = 'catalog.goldsmith.dev';

/** The documents that were read, by their group and version. @type {Map<string, {address: string, document: Promise<Document>}>} */
const documents = new Map();

/** Reads the OpenAPI document of a version, if it has changed. @param {string} version @param {AbortSignal} [signal] */
async function documentOf(version, signal) {
  const {paths} = await request('/openapi/v3', {signal});
  const address = paths[`apis/${version}`]?.serverRelativeURL; // with a hash
  if (!address) throw new APIError(`The server does not describe ${version} yet. Try again in a minute.`, 404, 'NotFound');
  const known = documents.get(version);
  if (known && known.address === address) return {address, document: await known.document};
  const document = request(`/openapi/v3/apis/${version}`);
  documents.set(version, {address, document});
  document.catch(() => documents.delete(version));
  return {address, document: await document};
}

/** @param {Document} document @returns {(schema: Schema) => Schema} */
const resolver = (document) => /** @type {(schema: Schema) => Schema} */ function resolve(schema) {
  const reference = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0].$ref : undefined);
  if (!reference) return schema;
  const {$ref, allOf, ...own} = schema;
  return {...resolve(document.components.schemas[reference.split('/').pop()] ?? {}), ...own};
};

/** @param {Document} document @param {string} version @param {string} kind @returns {Schema | undefined} */
const schemaOf = (document, version, kind) => Object.values(/** @type {Record<string, Schema>} */ (document.components.schemas)).find((schema) => {
  const kinds = schema['x-kubernetes-group-version-kind'];
  return kinds?.length === 1 && kinds[0].kind === kind && `${kinds[0].group}/${kinds[0].version}` === version;
});

/** Reads the builders that are registered. Users without the right name one. @param {AbortSignal} [signal] @returns {Promise<KubeObject[]>} */
export const readBuilders = async (signal) => (await request(path('builders', everywhere), {signal})).items;

/** Reports whether a builder makes images: that of tests does not. @param {KubeObject} builder */
export const makesImages = ({metadata}) => metadata.name !== 'tester';

/** The values that targets of a builder can have, or undefined for all. @param {KubeObject | undefined} builder @param {'platform' | 'format'} part */
export function targetsOf(builder, part) {
  const values = builder?.targets?.map((/** @type {KubeObject} */ target) => target[part]);
  return values?.length && values.every(Boolean) ? [...new Set(values)] : undefined;
}

/** Reads the kinds of the catalog, which every user can. @param {AbortSignal} [signal] @returns {Promise<Kind[]>} */
export async function readKinds(signal) {
  const {versions} = await request(`/apis/${catalogGroup}`, {signal}).catch((error) => {
    if (error.code === 404) return {versions: []};
    throw error;
  });
  const lists = await Promise.all(versions.map((/** @type {KubeObject} */ {groupVersion}) => request(`/apis/${groupVersion}`, {signal})));
  const served = lists.filter(({resources}) => resources?.length);
  const read = await Promise.all(served.map(async ({groupVersion, resources}) => {
    const {document} = await documentOf(groupVersion, signal);
    return resources.filter((/** @type {KubeObject} */ {name}) => !name.includes('/')).map((/** @type {KubeObject} */ resource) => kindOf(document, groupVersion, resource));
  }));
  return read.flat().sort((a, b) => a.kind.localeCompare(b.kind));
}

/** @param {Document} document @param {string} version @param {KubeObject} resource @returns {Kind} */
function kindOf(document, version, {name, kind, singularName, shortNames = []}) {
  const object = schemaOf(document, version, kind), resolve = resolver(document);
  const schema = resolve(object?.properties?.spec ?? {});
  return {
    resource: name, kind, apiVersion: version, group: catalogGroup, names: [singularName, ...shortNames], description: object?.description ?? '',
    schema: () => schema, resolve, state: () => JSON.stringify(schema), settings: () => schema.properties ?? {}, builders: [],
  };
}

/** Reads what an Image can be. @param {AbortSignal} [signal] @returns {Promise<Kind>} */
export async function readImage(signal) {
  const version = `${group}/v1alpha1`;
  const [{address, document}, builders] = await Promise.all([documentOf(version, signal), readBuilders(signal).then((all) => all.filter(makesImages), () => [])]);
  const resolve = resolver(document);
  const base = resolve(schemaOf(document, version, 'Image')?.properties?.spec ?? {});
  const builderOf = (/** @type {any} */ spec) => builders.find(({metadata}) => metadata.name === spec?.builder?.name);
  return {
    resource: 'images', kind: 'Image', apiVersion: version, group, names: ['image'], description: 'An image with any builder and any settings.', resolve, builders,
    schema: (spec) => imageSchema(base, builderOf(spec), spec?.builder?.image === undefined, builders, resolve),
    state: (spec) => JSON.stringify([address, builderOf(spec)?.parameters, builderOf(spec)?.base, builderOf(spec)?.targets]),
    settings: (spec) => builderOf(spec)?.parameters?.properties ?? {},
  };
}

/**
 * Returns the schema of the spec of an Image: what OpenAPI cannot tell about it, and what its builder takes.
 * @param {Schema} spec
 * @param {KubeObject | undefined} builder
 * @param {boolean} registered whether the builder is one of builders, and so has a command of its own
 * @param {KubeObject[]} builders
 * @param {(schema: Schema) => Schema} resolve
 */
function imageSchema(spec, builder, registered, builders, resolve) {
  const {base, builder: reference, parameters, source, template, suspend, targets, ...others} = spec.properties ?? {};
  if (!base) return spec;
  const oneOf = (/** @type {string[]} */ ...names) => names.map((name) => ({required: [name]}));
  const the = (/** @type {Schema} */ schema, /** @type {string} */ name) => resolve(resolve(schema).properties[name]);
  const {command, ...selectors} = resolve(reference).properties;
  const target = resolve(targets.items), formats = targetsOf(builder, 'format');
  const builderName = {...the(reference, 'name'), ...(builders.length ? {enum: builders.map(({metadata}) => metadata.name), titles: builders.map(({description}) => description)} : {})};
  return {
    ...spec,
    properties: {
      builder: {...resolve(reference), oneOf: oneOf('name', 'image'), properties: {...selectors, name: builderName, ...(registered ? {} : {command})}},
      base: {...resolve(base), oneOf: oneOf('reference', 'imageRef'), properties: {...resolve(base).properties, reference: {...the(base, 'reference'), ...builder?.base}}},
      targets: {...targets, items: {...target, properties: {...target.properties, ...formats ? {format: {...resolve(target.properties.format), enum: formats, description: undefined}} : {}}}},
      parameters: {...resolve(parameters), named: builder?.parameters ?? {additionalProperties: {type: 'string'}}, open: true},
      source: {...resolve(source), oneOf: oneOf('inline', 'configMapRef', 'git', 'oci')},
      ...others, suspend: {...suspend, folded: true}, template,
    },
  };
}

/** Returns the spec that a form begins with. @param {Kind} kind @param {string} builderName */
export function firstSpec(kind, builderName) {
  if (kind.kind !== 'Image') {
    const {properties = {}, required = []} = kind.schema({});
    return Object.fromEntries(required.map((/** @type {string} */ name) => [name, kind.resolve(properties[name]).enum]).filter((/** @type {[string, any]} */ [, values]) => values?.length === 1).map((/** @type {[string, any]} */ [name, values]) => [name, values[0]]));
  }
  const {metadata, targets, base} = kind.builders.find(({metadata}) => metadata.name === builderName) ?? {};
  const [{platform = 'linux/amd64', format = 'raw'} = {}] = targets ?? [];
  return {...(metadata ? {builder: {name: metadata.name}} : {}), ...(base?.enum ? {base: {reference: base.enum[0]}} : {}), targets: [{platform, format}]};
}

// SPDX-License-Identifier: Apache-2.0
// Which builds are based on a build, as the server finds them when it revokes one.

import {path, request} from './api.js';
import {html, nothing} from './html.js';
import {href, inEffect, plural} from './parts.js';

/** @typedef {Record<string, any>} KubeObject */

/** Reads the builds of a namespace. @param {string} namespace @returns {Promise<KubeObject[]>} */
export const readBuilds = async (namespace) => (await request(path('imagebuilds', namespace))).items;

/** The digests of the files of a build, and of their manifests in a registry. @param {KubeObject} build @returns {string[]} */
const digestsOf = ({spec, status = {}}) => (spec.retests?.artifacts ?? status.artifacts ?? []).flatMap((/** @type {KubeObject} */ {digest, location = ''}) => [digest, ...(location.match(/@(sha256:.*)$/)?.slice(1) ?? [])]);

/** Reports whether a build is based on another: it names it, and its artifacts. @param {KubeObject} build @param {KubeObject} base */
function isBasedOn({spec, status = {}}, base) {
  const named = status.resolved ? status.resolved.base : spec.pinned?.base, made = digestsOf(base);
  return named?.name === base.metadata.name && (named.artifacts ?? []).every((/** @type {KubeObject} */ {digest}) => made.includes(digest));
}

/**
 * Finds the builds that can still be used and are based on a build, directly or through others, and those that share an artifact with one of them.
 * @param {KubeObject[]} builds
 * @param {string} name
 * @returns {{same: KubeObject[], based: KubeObject[]}} same are those that share an artifact with the build itself
 */
export function descendantsOf(builds, name) {
  const find = (/** @type {boolean} */ based) => {
    const found = builds.filter(({metadata}) => metadata.name === name);
    for (const next of found) {
      const digests = digestsOf(next);
      found.push(...builds.filter((build) => !found.includes(build) && (digestsOf(build).some((digest) => digests.includes(digest)) || based && isBasedOn(build, next))));
    }
    return found.slice(1);
  };
  const usable = (/** @type {KubeObject} */ {status = {}}) => !['Failed', 'Cancelled'].includes(status.phase) || status.artifacts?.length;
  const same = find(false);
  return {same: same.filter(usable), based: find(true).filter((build) => !same.includes(build) && usable(build))};
}

/**
 * Lists builds with their images.
 * @param {string} title
 * @param {KubeObject[]} builds
 */
export const listed = (title, builds) => (builds.length ? html`<div class="overflow tall"><p>${title}</p><ul>${builds.map(({metadata, spec, status}) => html`<li><a href=${href(metadata.namespace, 'builds', metadata.name)}>${metadata.name}</a>${spec.imageRef ? ` of image ${spec.imageRef.name}` : ''}${inEffect(status?.revoked) ? ', revoked' : ''}</li>`)}</ul></div>` : nothing);

/** Tells what else a revocation concerns. @param {KubeObject[]} builds @param {string} name @param {boolean} descendants */
export function concerned(builds, name, descendants) {
  if (!builds.some(({metadata}) => metadata.name === name)) return nothing;
  const {same, based} = descendantsOf(builds, name);
  if (!same.length && !based.length) return html`<p>No other build is based on it.</p>`;
  return html`${listed(same.length ? `${plural(same.length, 'build')} with the same artifacts: revoked, too` : '', same)}
    ${listed(`${plural(based.length, 'build')} based on it: ${descendants ? 'revoked, too' : 'not revoked'}`, based)}`;
}

// SPDX-License-Identifier: Apache-2.0
// What users can do to images and builds.

import {APIError, encode, everywhere, path, request} from './api.js';
import {concerned, readBuilds} from './descendants.js';
import {command, href} from './parts.js';
import {catalogGroup} from './schema.js';

/** @typedef {import('./actions.js').Action} Action */
/** @typedef {Record<string, any>} KubeObject */

const version = 'images.goldsmith.dev/v1alpha1';

/** An ID makes a request that is sent again return the first one's build. */
const requestID = () => crypto.randomUUID();

/** @param {string} namespace @param {string} image @param {string} label @returns {Action} */
export const buildAction = (namespace, image, label = 'Build') => ({
  label, title: `Build ${image}`, text: 'Starts a build with the inputs that the image has now, even if they have not changed.',
  right: {verb: 'create', resource: 'images', subresource: 'instantiate', namespace},
  fields: [{name: 'message', label: 'Reason (optional)'}],
  command: ({message}) => command(namespace, 'build', image, ...(message ? ['--message', message] : []), '--follow'),
  run: async ({message}) => {
    const build = await request(path('images', namespace, image, 'instantiate'), {method: 'POST', body: {apiVersion: version, kind: 'BuildRequest', requestID: requestID(), message: message || undefined}});
    return href(namespace, 'builds', build.metadata.name);
  },
});

/** @param {string} namespace @param {string} build @param {string} impossible @returns {Action} */
export const rerunAction = (namespace, build, impossible) => ({
  label: 'Rerun these inputs', title: `Rerun ${build}`, text: 'Starts a build with exactly the inputs of this build, even if the image has others now.', impossible,
  right: {verb: 'create', resource: 'imagebuilds', subresource: 'rerun', namespace},
  fields: [{name: 'message', label: 'Reason (optional)'}],
  command: ({message}) => command(namespace, 'rerun', build, ...(message ? ['--message', message] : []), '--follow'),
  run: async ({message}) => {
    const next = await request(path('imagebuilds', namespace, build, 'rerun'), {method: 'POST', body: {apiVersion: version, kind: 'RerunRequest', requestID: requestID(), message: message || undefined}});
    return href(namespace, 'builds', next.metadata.name);
  },
});

/** @param {string} namespace @param {string} build @param {string} impossible @returns {Action} */
export const cancelAction = (namespace, build, impossible) => ({
  label: 'Cancel build', title: `Cancel ${build}`, text: 'Stops the build. What it has made so far is discarded, and its log stays.', impossible,
  right: {verb: 'create', resource: 'imagebuilds', subresource: 'cancel', namespace},
  fields: [{name: 'reason', label: 'Reason (optional)'}],
  command: ({reason}) => command(namespace, 'cancel', build, ...(reason ? ['--reason', reason] : [])),
  run: async ({reason}) => {
    await request(path('imagebuilds', namespace, build, 'cancel'), {method: 'POST', body: {apiVersion: version, kind: 'CancelRequest', reason: reason || undefined}});
  },
});

/** The address of the form that edits an image, or makes one like it. @param {string} namespace @param {KubeObject} metadata of the image @param {'edit' | 'like'} how */
export function formOf(namespace, {name, labels}, how) {
  const kind = labels?.[`${catalogGroup}/kind`];
  return `${href(namespace, 'new')}?${kind ? `kind=${encode(kind)}&` : ''}${how}=${encode(name)}`;
}

/** The right to change an image, or an object of a kind that the image was made from. @param {string} namespace @param {KubeObject} metadata of the image @param {string} verb */
export function rightTo(namespace, {name, labels}, verb) {
  const kind = labels?.[`${catalogGroup}/kind`];
  return {verb, namespace, ...(kind ? {group: catalogGroup, resource: kind} : {resource: 'images'}), ...(verb === 'create' ? {} : {name})};
}

/** What a choice of channels has for a new one: no channel has spaces in its name. */
const newChannel = 'a new channel';

/**
 * Changes a channel, if it still has the build that the user saw.
 * @param {string} namespace
 * @param {string} image
 * @param {string} channel
 * @param {string | undefined} seen
 * @param {string | undefined} build undefined removes the channel
 */
async function setChannel(namespace, image, channel, seen, build) {
  const where = path('images', namespace, image, 'channels'), current = await request(where), all = current.channels ?? [];
  const now = all.find((/** @type {KubeObject} */ {name}) => name === channel)?.build;
  if (now !== seen) throw new APIError(`Channel ${channel} was moved to ${now ?? 'no build'} in the meantime. Look at it, and ${build ? 'promote' : 'remove it'} again.`, 0);
  const others = all.filter((/** @type {KubeObject} */ {name}) => name !== channel);
  await request(where, {method: 'PUT', body: {...current, channels: [...others, ...(build ? [{name: channel, build}] : [])]}});
}

/**
 * Moves a channel to a build.
 * @param {string} namespace
 * @param {string} image
 * @param {string[]} builds that the user can choose from
 * @param {KubeObject[]} channels of the image's status
 * @param {string[]} names of all channels
 * @param {string} impossible
 * @returns {Action}
 */
export function promoteAction(namespace, image, builds, channels, names, impossible) {
  const buildOf = (/** @type {string} */ channel) => channels.find(({name}) => name === channel)?.build;
  const chosen = (/** @type {import('./actions.js').Values} */ {channel, name}) => (!channel || channel === newChannel ? name : channel);
  return {
    label: 'Promote', title: `Promote ${builds.length > 1 ? `a build of ${image}` : builds[0]}`, impossible,
    text: 'Points a channel at a build. Images that are based on the channel are then built again.',
    right: {verb: 'update', resource: 'images', subresource: 'channels', namespace},
    fields: [
      ...(builds.length > 1 ? [{name: 'build', label: 'Build', options: builds}] : []),
      ...(names.length ? [{name: 'channel', label: 'Channel', options: [...names, newChannel], value: names.find((name) => buildOf(name) !== builds[0]) ?? newChannel, title: (/** @type {string} */ name) => (name === newChannel ? name : `${name}, now ${buildOf(name) ?? 'without a build'}`)}] : []),
      {name: 'name', label: 'Name of the new channel, such as stable', required: true, hidden: ({channel}) => Boolean(channel) && channel !== newChannel},
    ],
    command: (values) => command(namespace, 'promote', values.build || builds[0], chosen(values) || 'CHANNEL'),
    run: (values) => setChannel(namespace, image, chosen(values), buildOf(chosen(values)), values.build || builds[0]),
  };
}

/** Removes a channel. @param {string} namespace @param {string} image @param {string} channel @param {string} build that it has @returns {Action} */
export const removeChannelAction = (namespace, image, channel, build) => {
  const where = path('images', namespace, image, 'channels');
  return {
    label: 'Remove', title: `Remove channel ${channel}`, danger: true,
    text: 'Removes the channel. Its build stays until the history of the image deletes it. Images that are based on the channel cannot be built until a build is promoted to it again.',
    right: {verb: 'update', resource: 'images', subresource: 'channels', namespace},
    command: () => `${command('', 'kubectl', 'get', '--raw', where)} | jq 'del(.channels[] | select(.name == "${channel}"))' | ${command('', 'kubectl', 'replace', '--raw', where, '-f', '-')}`,
    run: () => setChannel(namespace, image, channel, build, undefined),
  };
};

/** @param {string} namespace @param {string} image @param {boolean} suspended @returns {Action} */
export const suspendAction = (namespace, image, suspended) => ({
  label: suspended ? 'Resume' : 'Suspend', title: `${suspended ? 'Resume' : 'Suspend'} ${image}`,
  text: suspended ? 'Lets triggers start builds of the image again.' : 'Stops all triggers of the image. Builds that exist continue, and users can still request builds.',
  right: {verb: 'patch', resource: 'images', namespace, name: image},
  command: () => command(namespace, suspended ? 'resume' : 'suspend', image),
  run: async () => {
    await request(path('images', namespace, image), {method: 'PATCH', type: 'application/merge-patch+json', body: {spec: {suspend: !suspended}}});
  },
});

/**
 * Deletes an image, if it is still the one that the user saw.
 * @param {string} namespace
 * @param {KubeObject} metadata of the image
 * @param {number} builds
 * @returns {Action}
 */
export const deleteAction = (namespace, {name, uid}, builds) => ({
  label: 'Delete', title: `Delete ${name}`, danger: true,
  text: `Deletes the image with its ${builds > 1 ? `${builds} builds` : builds ? 'build' : 'builds'}, their logs, the artifacts that no other image needs, its channels and its schedule. Builds that run are stopped. Archived logs and records stay for their retention, and registries keep what was published. Images that are based on it keep their builds, but cannot be built again.`,
  right: {verb: 'delete', resource: 'images', namespace, name},
  fields: [{name: 'confirmation', label: `Type ${name} to confirm`, required: true, match: name}],
  command: () => command(namespace, 'kubectl', 'delete', 'image', name),
  run: async () => {
    await request(path('images', namespace, name), {method: 'DELETE', body: {apiVersion: 'v1', kind: 'DeleteOptions', preconditions: {uid}, propagationPolicy: 'Background'}});
    return href(namespace, 'images');
  },
});

/** @param {string} namespace @param {KubeObject} metadata of the build @param {string} image that it belongs to, or an empty text @returns {Action} */
export const deleteBuildAction = (namespace, {name, uid}, image) => ({
  label: 'Delete', title: `Delete ${name}`, danger: true,
  text: 'Deletes the build with its log, and its artifacts unless it is the latest success, a channel names it, or an image is based on it. A build that runs is cancelled first. Its archived log and its record stay for their retention, and registries keep what was published.',
  right: {verb: 'delete', resource: 'imagebuilds', namespace, name},
  command: () => command(namespace, 'kubectl', 'delete', 'imagebuild', name),
  run: async () => {
    await request(path('imagebuilds', namespace, name), {method: 'DELETE', body: {apiVersion: 'v1', kind: 'DeleteOptions', preconditions: {uid}, propagationPolicy: 'Background'}});
    return image ? href(namespace, 'images', image) : href(namespace, 'builds');
  },
});

/** @param {string} namespace @param {string} image @param {() => Promise<void>} added @returns {Action} */
export const noteAction = (namespace, image, added) => ({
  label: 'Add note', title: `Add a note to ${image}`, text: 'A note tells everybody who reads the history of the image what figures do not.',
  right: {verb: 'create', resource: 'images', subresource: 'notes', namespace},
  fields: [{name: 'text', label: 'Note', required: true}],
  command: ({text}) => command(namespace, 'notes', image, text || 'TEXT'),
  run: async ({text}) => {
    await request(path('images', namespace, image, 'notes'), {method: 'POST', body: {apiVersion: version, kind: 'ImageNote', text}});
    await added();
  },
});

/** @param {string} namespace @param {string} build empty to let the user name it @param {string} [impossible] @returns {Action} */
export const revokeAction = (namespace, build, impossible) => ({
  label: 'Revoke', title: build ? `Revoke ${build}` : 'Revoke a build', impossible, danger: true,
  text: 'Recalls the build: channels and other builds use its artifacts no more, and clients refuse them. The artifacts are not deleted, and Restore takes it back.',
  right: {verb: 'create', resource: 'imagebuilds', subresource: 'revoke', namespace: namespace === everywhere ? '' : namespace},
  fields: [...(build ? [] : [{name: 'build', label: 'Build', required: true}]), {name: 'reason', label: 'Reason', required: true}, {name: 'descendants', label: 'Also the builds that are based on it', options: ['no', 'yes']}],
  read: () => readBuilds(namespace),
  about: (builds, {build: named, descendants}) => concerned(builds, build || named, descendants === 'yes'),
  command: ({build: named, reason, descendants}) => command(namespace, 'revoke', build || named || 'BUILD', '--reason', reason || 'TEXT', ...(descendants === 'yes' ? ['--descendants'] : [])),
  run: async ({build: named, reason, descendants}) => {
    await request(path('imagebuilds', namespace, build || named, 'revoke'), {method: 'POST', body: {apiVersion: version, kind: 'RevokeRequest', reason, descendants: descendants === 'yes'}});
  },
});

/** @param {string} namespace @param {string} build @returns {Action} */
export const restoreAction = (namespace, build) => ({
  label: 'Restore', title: `Restore ${build}`, text: 'Takes the revocation back. A build that was cancelled by it stays cancelled.',
  right: {verb: 'create', resource: 'imagebuilds', subresource: 'restore', namespace},
  fields: [{name: 'reason', label: 'Reason (optional)'}, {name: 'descendants', label: 'Also the builds that were revoked together with it', options: ['no', 'yes']}],
  command: ({reason, descendants}) => command(namespace, 'unrevoke', build, ...(reason ? ['--reason', reason] : []), ...(descendants === 'yes' ? ['--descendants'] : [])),
  run: async ({reason, descendants}) => {
    await request(path('imagebuilds', namespace, build, 'restore'), {method: 'POST', body: {apiVersion: version, kind: 'RestoreRequest', reason: reason || undefined, descendants: descendants === 'yes'}});
  },
});

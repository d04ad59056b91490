// SPDX-License-Identifier: Apache-2.0
// The workers of the pages: scripts that compute beside the page, so that the page stays responsive.

/** The workers, by name. Only their addresses pass the policy. @type {Record<string, string>} */
const addresses = {graph: '/ui/graph-worker.js', log: '/ui/log-worker.js'};

/** A browser without Trusted Types takes the address as it is. The document can create a policy only once. */
const policy = window.trustedTypes?.createPolicy('goldsmith', {
  createScriptURL: (address) => {
    if (Object.values(addresses).includes(address)) return address;
    throw new TypeError(`${address} is not a worker of the console`);
  },
});

/**
 * Starts a worker. The caller terminates it.
 * @param {'graph' | 'log'} name
 */
export function startWorker(name) {
  const address = addresses[name];
  return new Worker(policy ? /** @type {string} */ (/** @type {unknown} */ (policy.createScriptURL(address))) : address, {type: 'module'});
}

// SPDX-License-Identifier: Apache-2.0

// Package subresource makes the subresources of stored resources: an Action does something when a request is POSTed to it,
// and a View answers a GET with options. Neither stores anything itself.
package subresource

// SPDX-License-Identifier: Apache-2.0

// Package subresource creates the subresources of stored resources: an Action handles a POST of a request, and a View answers
// a GET with options. Neither stores objects itself.
package subresource

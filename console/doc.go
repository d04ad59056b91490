// SPDX-License-Identifier: Apache-2.0

// Package console serves the web pages of Goldsmith. The pages speak the Kubernetes API as the user who signed in. This package
// serves their files, signs users in, and forwards their requests. It has no API of its own, and no rights.
//
// The pages are in ui: ES modules without a build step. ui/libraries has the libraries, byte by byte as their npm packages.
package console

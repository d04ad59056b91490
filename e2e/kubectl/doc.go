// SPDX-License-Identifier: Apache-2.0

// Package kubectl says that kubectl works with images and builds as with what comes with Kubernetes. Every spec types
// what a user would, and looks at what a user sees.
package kubectl

// SPDX-License-Identifier: Apache-2.0

// Package validate finds violations of the conventions of Kubernetes APIs, in packages of API types.
//
// Each rule is an analyzer of golang.org/x/tools/go/analysis, in a file of its own. Its message names the next step; a
// mechanical step comes with a fix. The rules are those of
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md, and only
// those that can be decided by reading the types.
//
// sigs.k8s.io/kube-api-linter does not replace the analyzers: its module requires golangci-lint and all that golangci-lint
// requires. It has no counterpart of typemeta, objectmeta, specstatus, lists, deepcopy and enums.
//
// The types of an API are found without configuration: the object kinds of a package, the types of their fields, and the
// other types with JSON tags beside them. A hub (the package of a group's internal version) is not checked.
package validate

// SPDX-License-Identifier: Apache-2.0

// Package api says what a Kubernetes API does, and that images and builds do it: requests, answers, watches and
// encodings as the API conventions have them. Every spec works with what a user has, and holds for every server that
// serves Goldsmith's API, whatever is in front of it and wherever it stores its objects.
package api

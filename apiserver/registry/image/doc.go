// SPDX-License-Identifier: Apache-2.0

// Package image serves the resource images and its subresources status, instantiate and channels, and the subresources rerun and
// tests of builds. Package history serves the subresources history, stats, changes and notes of images, and package imageplan plan.
//
// A created ImageBuild with an imageRef and without a name is a request for a build of that Image: requested.go answers it.
//
// It is the only place that gives numbers to builds, once per request. It never decides that a build is due: the controller or a
// user does.
package image

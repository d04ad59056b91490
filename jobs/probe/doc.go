// SPDX-License-Identifier: Apache-2.0

// Package probe knows how archives are asked for newer versions of the packages of images. Contents of builds are read from their locks. Demands are what
// contents ask of each archive. Answers of builders become the status of an Archive, and the updates of an Archive become trigger.Candidates of
// an Image. The controller and goldsmith plan share it: each reads locks, and runs builders, in its own way.
package probe

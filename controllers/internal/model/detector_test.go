// SPDX-License-Identifier: Apache-2.0

//go:build race

package model_test

// slowdown is by how much fewer schedules are played.
const slowdown = 10

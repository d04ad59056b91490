// SPDX-License-Identifier: Apache-2.0

// Package records keeps the history of builds in a SQLite or PostgreSQL database, where it outlives the objects: builds with their
// cause, user and outcome, the locks of their artifacts, changes of Images, and notes.
//
// Controllers write the database and API servers read it, any number of both at the same time. Builds never depend on it: no
// decision needs the records, and every write can be repeated. PutBuilds and UndeletedUIDs make up for changes that were missed
// while the database was unavailable.
//
// A Store is an open database. A Connection is a database that may be unavailable: it opens in the background, and reports
// whether the database answers.
//
// Times are stored in microseconds, in UTC. Durations are never negative, even if a clock jumps. NUL and invalid UTF-8, which a
// database refuses, are stored as U+FFFD. Specs and statuses are stored as JSON and keep their NULs.
package records

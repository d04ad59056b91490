// SPDX-License-Identifier: Apache-2.0

// Package records keeps the history of builds in a database, SQLite or PostgreSQL, where it outlives the objects: what was
// built, why and by whom, what came of it, what was changed and what people noted.
//
// It is written by a controller and read by the API server, by any number of both at the same time. Builds never depend on
// it: nothing here is needed to decide what to do next, every write can be repeated, and what was missed while the database
// was unavailable is made up for with PutBuilds and Undeleted.
//
// A Store is an open database. A Connection is a database that may be unavailable: it opens in the background, and reports
// whether the database answers.
//
// Times are kept in microseconds, UTC. Clocks may jump: no duration is less than zero. Text that a database refuses, which
// is NUL and invalid UTF-8, is stored as U+FFFD; specs and statuses are stored as JSON and keep their NULs.
package records

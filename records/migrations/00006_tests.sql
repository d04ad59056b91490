-- SPDX-License-Identifier: Apache-2.0

-- Tests of builds that have ended.
CREATE TABLE tests (
    build_uid TEXT   NOT NULL REFERENCES builds (uid) ON DELETE CASCADE,
    name      TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    gates     BIGINT NOT NULL, -- 1: the build can succeed only if the test passes
    duration  BIGINT NOT NULL, -- microseconds, all runs together, 0: unknown
    PRIMARY KEY (build_uid, name)
);

ALTER TABLE builds ADD COLUMN revocation TEXT NOT NULL DEFAULT ''; -- JSON; empty: the build is not revoked
UPDATE builds SET resource_version = 0 WHERE deleted IS NULL; -- existing builds are recorded again, with their tests

-- SPDX-License-Identifier: Apache-2.0

-- Builds that were the first of their Image to have a newer version of a package, and channels that have them.
CREATE TABLE fixes (
    image_uid TEXT   NOT NULL REFERENCES images (uid) ON DELETE CASCADE,
    number    BIGINT NOT NULL, -- of the build
    reached   TEXT   NOT NULL, -- the channel; empty: the build has succeeded
    since     BIGINT NOT NULL, -- the date of the release file of the archive
    until     BIGINT NOT NULL,
    PRIMARY KEY (image_uid, number, reached)
);
CREATE INDEX fixes_by_time ON fixes (image_uid, until);

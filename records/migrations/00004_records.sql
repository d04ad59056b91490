-- SPDX-License-Identifier: Apache-2.0

-- The tables of version 0.1.0. Later versions add files with higher numbers.

-- Images, as far as records need them: what builds, notes, changes and outcomes belong to.
CREATE TABLE images (
    uid              TEXT   NOT NULL PRIMARY KEY,
    namespace        TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    generation       BIGINT NOT NULL DEFAULT 0,
    resource_version BIGINT NOT NULL DEFAULT 0,
    created          BIGINT NOT NULL DEFAULT 0, -- times are microseconds since 1970, UTC
    hold             BIGINT NOT NULL DEFAULT 0, -- 1: under legal hold
    keep_succeeded   BIGINT NOT NULL DEFAULT 0, -- how long records are kept once the object is gone, microseconds, 0: forever
    keep_failed      BIGINT NOT NULL DEFAULT 0,
    keep_files       BIGINT NOT NULL DEFAULT 0, -- microseconds, 0: the default
    namespace_uid    TEXT   NOT NULL DEFAULT '', -- a later namespace of the same name has another UID; empty: unknown
    deleted          BIGINT                     -- when the object was seen to be gone
);
CREATE INDEX images_by_name ON images (namespace, name, uid);

-- One row for each build. It is small, because statistics read many; the documents are beside it.
CREATE TABLE builds (
    uid              TEXT   NOT NULL PRIMARY KEY,
    namespace        TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    image_uid        TEXT   NOT NULL, -- empty: a build of its own
    image_name       TEXT   NOT NULL,
    number           BIGINT NOT NULL,
    trigger_reason   TEXT   NOT NULL,
    trigger_message  TEXT   NOT NULL,
    requested_by     TEXT   NOT NULL,
    phase            TEXT   NOT NULL,
    class            TEXT   NOT NULL,
    reason           TEXT   NOT NULL,
    message          TEXT   NOT NULL,
    attempts         BIGINT NOT NULL,
    created          BIGINT NOT NULL,
    queued           BIGINT,
    started          BIGINT,
    completed        BIGINT,
    duration         BIGINT, -- microseconds from started to completed
    queue_time       BIGINT, -- microseconds from queued, or else created, to started
    hold             BIGINT NOT NULL,
    finished         BIGINT NOT NULL,
    resource_version BIGINT NOT NULL,
    one_off          BIGINT NOT NULL DEFAULT 0, -- 1: the build does not count for its image
    contents         BIGINT NOT NULL DEFAULT 1, -- 1: the documents have the contents of files, 0: no files, or summaries of them
    namespace_uid    TEXT   NOT NULL DEFAULT '', -- of a build of its own; empty: unknown, or that of the image
    deleted          BIGINT
);
CREATE INDEX builds_with_contents ON builds (image_uid, uid) WHERE contents = 1;
CREATE INDEX builds_by_age ON builds (created, number, uid);
CREATE INDEX builds_by_namespace ON builds (namespace, created, number, uid);
CREATE INDEX builds_by_image_name ON builds (namespace, image_name, created, number, uid);
CREATE INDEX builds_by_image ON builds (image_uid, created, number, uid);
CREATE INDEX builds_by_user ON builds (requested_by, created, number, uid);
CREATE INDEX builds_by_name ON builds (namespace, name, created);
CREATE INDEX builds_by_end ON builds (completed);
CREATE INDEX builds_by_image_end ON builds (image_uid, completed);
CREATE INDEX builds_undeleted ON builds (uid) WHERE deleted IS NULL;

CREATE TABLE documents (
    build_uid TEXT NOT NULL PRIMARY KEY REFERENCES builds (uid) ON DELETE CASCADE,
    spec      TEXT NOT NULL, -- JSON
    status    TEXT NOT NULL  -- JSON
);

CREATE TABLE attempts (
    build_uid TEXT   NOT NULL REFERENCES builds (uid) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    job_name  TEXT   NOT NULL,
    pod_name  TEXT   NOT NULL,
    node_name TEXT   NOT NULL,
    started   BIGINT,
    completed BIGINT,
    duration  BIGINT,
    outcome   TEXT   NOT NULL,
    class     TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    message   TEXT   NOT NULL,
    exit_code BIGINT,
    PRIMARY KEY (build_uid, number)
);
CREATE INDEX attempts_by_node ON attempts (node_name, build_uid);

CREATE TABLE artifacts (
    build_uid  TEXT   NOT NULL REFERENCES builds (uid) ON DELETE CASCADE,
    target     TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    size_bytes BIGINT NOT NULL,
    media_type TEXT   NOT NULL,
    PRIMARY KEY (build_uid, target)
);
CREATE INDEX artifacts_by_digest ON artifacts (digest, build_uid);

CREATE TABLE changes (
    image_uid  TEXT   NOT NULL REFERENCES images (uid) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    path       TEXT   NOT NULL,
    changed    BIGINT NOT NULL,
    changed_by TEXT   NOT NULL,
    value_from TEXT   NOT NULL,
    value_to   TEXT   NOT NULL,
    PRIMARY KEY (image_uid, generation, path)
);

CREATE TABLE notes (
    image_uid TEXT   NOT NULL REFERENCES images (uid) ON DELETE CASCADE,
    id        TEXT   NOT NULL,
    written   BIGINT NOT NULL,
    author    TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (image_uid, id)
);
CREATE INDEX notes_by_age ON notes (image_uid, written, id);

CREATE TABLE outcomes (
    image_uid TEXT   NOT NULL REFERENCES images (uid) ON DELETE CASCADE,
    position  BIGINT NOT NULL, -- in the order of writing, from 1: clocks may jump
    seen      BIGINT NOT NULL,
    reason    TEXT   NOT NULL,
    message   TEXT   NOT NULL,
    PRIMARY KEY (image_uid, position)
);

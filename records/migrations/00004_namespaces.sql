-- SPDX-License-Identifier: Apache-2.0

-- The UID of the namespace that an image, or a build of its own, belongs to: a later namespace of the same name has another UID. Builds
-- of an image have the UID of the image. Empty: unknown. The database cannot know the UIDs of recorded objects: the controller adds
-- those of the objects that exist.
ALTER TABLE images ADD COLUMN namespace_uid TEXT NOT NULL DEFAULT '';
ALTER TABLE builds ADD COLUMN namespace_uid TEXT NOT NULL DEFAULT '';

-- The index of a store. Everything in it is derived from the files and made again when in doubt.
-- Digests are 32 bytes, times are nanoseconds since 1970, counts are bytes.

-- One row for each manifest.
CREATE TABLE artifact (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    kind TEXT NOT NULL,
    stage TEXT NOT NULL,
    created INTEGER NOT NULL,
    logicalBytes INTEGER NOT NULL,
    manifestBytes INTEGER NOT NULL
) STRICT;

CREATE INDEX artifactByKind ON artifact (kind, created);

-- One row for each blob that lies in the store or is named by a manifest. storedBytes is NULL while no file is known.
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    plainBytes INTEGER,
    storedBytes INTEGER,
    codec TEXT,
    changed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Which artifact names which blob.
CREATE TABLE artifactBlob (
    artifact INTEGER NOT NULL REFERENCES artifact (id) ON DELETE CASCADE,
    blob INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (artifact, blob)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifactByBlob ON artifactBlob (blob);

-- Which artifact was made from which.
CREATE TABLE input (
    artifact INTEGER NOT NULL REFERENCES artifact (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (artifact, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX inputByDigest ON input (digest);

-- One row for each reference.
CREATE TABLE reference (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX referenceByDigest ON reference (digest);

-- What references stood for before.
CREATE TABLE earlier (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    created INTEGER NOT NULL,
    PRIMARY KEY (kind, name, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX earlierByDigest ON earlier (digest);

-- The state in which each folder was last read. A folder whose time differs is read again.
CREATE TABLE folder (
    path TEXT PRIMARY KEY,
    changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

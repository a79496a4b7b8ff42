"""Written by ``python -m modelyard.adapters.metadata.statements``: do not edit."""

# fmt: off
# ruff: noqa: E501, S105

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = 5

DDL: Final = (
    "CREATE TABLE blobs ( digest TEXT NOT NULL, size BIGINT NOT NULL, state TEXT NOT NULL, touched BIGINT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_blobs PRIMARY KEY (digest) ) WITHOUT ROWID",
    "CREATE TABLE events ( position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, model_key TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, subjects TEXT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT uq_events_model_key_sequence UNIQUE (model_key, sequence) )",
    "CREATE INDEX ix_events_model_key_sequence_subjects ON events (model_key, sequence, subjects)",
    "CREATE TABLE experiments ( experiment_id TEXT NOT NULL, model_key TEXT NOT NULL, identity TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_experiments PRIMARY KEY (experiment_id), CONSTRAINT uq_experiments_identity UNIQUE (identity) )",
    "CREATE INDEX ix_experiments_model_key_experiment_id ON experiments (model_key, experiment_id)",
    "CREATE TABLE exposures ( experiment_id TEXT NOT NULL, writer TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_exposures PRIMARY KEY (experiment_id, writer) ) WITHOUT ROWID",
    """CREATE TABLE models ( id INTEGER NOT NULL, "key" TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, search TEXT NOT NULL, single_stages TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_models PRIMARY KEY (id), CONSTRAINT uq_models_key UNIQUE ("key"), CONSTRAINT uq_models_slug UNIQUE (slug) )""",
    """CREATE INDEX ix_models_name_key ON models (name, "key")""",
    "CREATE TABLE moves ( model_key TEXT NOT NULL, pointer TEXT NOT NULL, at BIGINT NOT NULL, sequence BIGINT NOT NULL, number BIGINT, CONSTRAINT pk_moves PRIMARY KEY (model_key, pointer, at, sequence) ) WITHOUT ROWID",
    "CREATE TABLE outcome_values ( experiment_id TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT NOT NULL, draw TEXT NOT NULL, variant TEXT NOT NULL, value DOUBLE NOT NULL, late BIGINT NOT NULL, CONSTRAINT pk_outcome_values PRIMARY KEY (experiment_id, metric, unit, draw) ) WITHOUT ROWID",
    "CREATE TABLE outcomes ( experiment_id TEXT NOT NULL, unit TEXT NOT NULL, draw TEXT NOT NULL, variant TEXT NOT NULL, value DOUBLE NOT NULL, late BIGINT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_outcomes PRIMARY KEY (experiment_id, unit, draw) ) WITHOUT ROWID",
    """CREATE TABLE receipts ( "key" TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_receipts PRIMARY KEY ("key") )""",
    "CREATE TABLE registry ( id INTEGER NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_registry PRIMARY KEY (id) )",
    "CREATE TABLE sessions ( session_id TEXT NOT NULL, digest TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_sessions PRIMARY KEY (session_id), CONSTRAINT uq_sessions_digest UNIQUE (digest) ) WITHOUT ROWID",
    "CREATE TABLE sources ( kind TEXT NOT NULL, target TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_sources PRIMARY KEY (kind, target) ) WITHOUT ROWID",
    "CREATE TABLE tokens ( token_id TEXT NOT NULL, digest TEXT NOT NULL, revision BIGINT NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_tokens PRIMARY KEY (token_id), CONSTRAINT uq_tokens_digest UNIQUE (digest) ) WITHOUT ROWID",
    "CREATE TABLE versions ( id INTEGER NOT NULL, model_id TEXT NOT NULL, model_key TEXT NOT NULL, name TEXT NOT NULL, number BIGINT NOT NULL, label TEXT NOT NULL, label_key TEXT NOT NULL, label_rank TEXT NOT NULL, stage TEXT NOT NULL, framework TEXT NOT NULL, algorithm TEXT NOT NULL, created_by TEXT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, size BIGINT NOT NULL, digest TEXT NOT NULL, scan TEXT NOT NULL, deleted BIGINT NOT NULL, holder_key TEXT, revision BIGINT NOT NULL, CONSTRAINT pk_versions PRIMARY KEY (id), CONSTRAINT uq_versions_model_id UNIQUE (model_id), CONSTRAINT uq_versions_model_key_number UNIQUE (model_key, number), CONSTRAINT uq_versions_model_key_label_key UNIQUE (model_key, label_key), CONSTRAINT uq_versions_holder_key UNIQUE (holder_key) )",
    "CREATE INDEX ix_versions_deleted_created_model_id ON versions (deleted, created, model_id)",
    "CREATE INDEX ix_versions_digest ON versions (digest)",
    "CREATE INDEX ix_versions_model_key_created_model_id ON versions (model_key, created, model_id)",
    "CREATE INDEX ix_versions_stage_created_model_id ON versions (stage, created, model_id)",
    "CREATE TABLE version_docs ( id INTEGER NOT NULL, doc TEXT NOT NULL, row_digest BLOB NOT NULL, CONSTRAINT pk_version_docs PRIMARY KEY (id), CONSTRAINT fk_version_docs_id FOREIGN KEY(id) REFERENCES versions (id) )",
    "CREATE TABLE version_edges ( version INTEGER NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, CONSTRAINT pk_version_edges PRIMARY KEY (version, kind, target), CONSTRAINT fk_version_edges_version FOREIGN KEY(version) REFERENCES versions (id) ) WITHOUT ROWID",
    "CREATE INDEX ix_version_edges_target ON version_edges (target)",
    "CREATE TABLE version_files ( version INTEGER NOT NULL, digest TEXT NOT NULL, CONSTRAINT pk_version_files PRIMARY KEY (version, digest), CONSTRAINT fk_version_files_version FOREIGN KEY(version) REFERENCES versions (id) ) WITHOUT ROWID",
    "CREATE INDEX ix_version_files_digest ON version_files (digest)",
    "CREATE TABLE version_terms ( version INTEGER NOT NULL, field TEXT NOT NULL, ordinal INTEGER NOT NULL, type TEXT NOT NULL, num NUMERIC, text TEXT, created BIGINT NOT NULL, CONSTRAINT pk_version_terms PRIMARY KEY (version, field, ordinal), CONSTRAINT fk_version_terms_version FOREIGN KEY(version) REFERENCES versions (id) ) WITHOUT ROWID",
    "CREATE INDEX ix_version_terms_num ON version_terms (field, type, num) WHERE num IS NOT NULL",
    "CREATE INDEX ix_version_terms_text ON version_terms (field, text, created) WHERE text IS NOT NULL",
    "CREATE TABLE version_texts ( id INTEGER NOT NULL, search TEXT NOT NULL, CONSTRAINT pk_version_texts PRIMARY KEY (id), CONSTRAINT fk_version_texts_id FOREIGN KEY(id) REFERENCES versions (id) )",
)

GET_EXPERIMENT: Final = "SELECT experiments.experiment_id, experiments.model_key, experiments.identity, experiments.revision, experiments.doc, experiments.row_digest FROM experiments WHERE experiments.experiment_id = :experiment_id"
REVISION_EXPERIMENT: Final = "SELECT experiments.revision FROM experiments WHERE experiments.experiment_id = :experiment_id"
GET_IDENTITY: Final = "SELECT experiments.experiment_id, experiments.model_key, experiments.identity, experiments.revision, experiments.doc, experiments.row_digest FROM experiments WHERE experiments.identity = :identity"
REVISION_IDENTITY: Final = "SELECT experiments.revision FROM experiments WHERE experiments.identity = :identity"
GET_OUTCOME: Final = "SELECT outcomes.experiment_id, outcomes.unit, outcomes.draw, outcomes.variant, outcomes.value, outcomes.late, outcomes.revision, outcomes.doc, outcomes.row_digest FROM outcomes WHERE outcomes.experiment_id = :experiment_id AND outcomes.unit = :unit AND outcomes.draw = :draw"
REVISION_OUTCOME: Final = "SELECT outcomes.revision FROM outcomes WHERE outcomes.experiment_id = :experiment_id AND outcomes.unit = :unit AND outcomes.draw = :draw"
GET_EXPOSURE: Final = "SELECT exposures.experiment_id, exposures.writer, exposures.revision, exposures.doc, exposures.row_digest FROM exposures WHERE exposures.experiment_id = :experiment_id AND exposures.writer = :writer"
REVISION_EXPOSURE: Final = "SELECT exposures.revision FROM exposures WHERE exposures.experiment_id = :experiment_id AND exposures.writer = :writer"
INSERT_EXPERIMENT: Final = "INSERT INTO experiments (experiment_id, model_key, identity, revision, doc, row_digest) VALUES (:experiment_id, :model_key, :identity, :revision, :doc, :row_digest)"
UPDATE_EXPERIMENT: Final = "UPDATE experiments SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE experiments.experiment_id = :the_experiment_id AND experiments.revision = :expected"
INSERT_OUTCOME: Final = "INSERT INTO outcomes (experiment_id, unit, draw, variant, value, late, revision, doc, row_digest) VALUES (:experiment_id, :unit, :draw, :variant, :value, :late, :revision, :doc, :row_digest)"
INSERT_VALUE: Final = "INSERT INTO outcome_values (experiment_id, metric, unit, draw, variant, value, late) VALUES (:experiment_id, :metric, :unit, :draw, :variant, :value, :late)"
INSERT_EXPOSURE: Final = "INSERT INTO exposures (experiment_id, writer, revision, doc, row_digest) VALUES (:experiment_id, :writer, :revision, :doc, :row_digest)"
UPDATE_EXPOSURE: Final = "UPDATE exposures SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE exposures.experiment_id = :experiment_id AND exposures.writer = :writer AND exposures.revision = :expected"
EXPERIMENTS: Final = "SELECT experiments.experiment_id, experiments.model_key, experiments.identity, experiments.revision, experiments.doc, experiments.row_digest FROM experiments WHERE experiments.experiment_id > :after ORDER BY experiments.experiment_id LIMIT :limit"
MODEL_EXPERIMENTS: Final = "SELECT experiments.experiment_id, experiments.model_key, experiments.identity, experiments.revision, experiments.doc, experiments.row_digest FROM experiments WHERE experiments.model_key = :model_key AND experiments.experiment_id > :after ORDER BY experiments.experiment_id LIMIT :limit"
EXPOSURES: Final = "SELECT exposures.experiment_id, exposures.writer, exposures.revision, exposures.doc, exposures.row_digest FROM exposures WHERE exposures.experiment_id = :experiment_id AND exposures.writer > :after ORDER BY exposures.writer LIMIT :limit"
OUTCOMES: Final = "SELECT outcomes.experiment_id, outcomes.unit, outcomes.draw, outcomes.variant, outcomes.value, outcomes.late, outcomes.revision, outcomes.doc, outcomes.row_digest FROM outcomes WHERE outcomes.experiment_id = :experiment_id AND (outcomes.unit > :unit OR outcomes.unit = :unit AND outcomes.draw > :draw) ORDER BY outcomes.unit, outcomes.draw LIMIT :limit"
TALLY_OUTCOMES: Final = "WITH units AS (SELECT outcomes.variant AS variant, count(*) AS outcomes, avg(outcomes.value) AS mean FROM outcomes WHERE outcomes.experiment_id = :experiment_id AND outcomes.late = 0 GROUP BY outcomes.unit, outcomes.variant), means AS (SELECT units.variant AS variant, avg(units.mean) AS centre FROM units GROUP BY units.variant) SELECT units.variant, sum(units.outcomes) AS sum_1, count(*) AS count_1, min(means.centre) AS min_1, sum((units.mean - means.centre) * (units.mean - means.centre)) AS sum_2 FROM units JOIN means ON means.variant = units.variant GROUP BY units.variant ORDER BY units.variant"
TALLY_VALUES: Final = "WITH units AS (SELECT outcome_values.variant AS variant, count(*) AS outcomes, avg(outcome_values.value) AS mean FROM outcome_values WHERE outcome_values.experiment_id = :experiment_id AND outcome_values.late = 0 AND outcome_values.metric = :metric GROUP BY outcome_values.unit, outcome_values.variant), means AS (SELECT units.variant AS variant, avg(units.mean) AS centre FROM units GROUP BY units.variant) SELECT units.variant, sum(units.outcomes) AS sum_1, count(*) AS count_1, min(means.centre) AS min_1, sum((units.mean - means.centre) * (units.mean - means.centre)) AS sum_2 FROM units JOIN means ON means.variant = units.variant GROUP BY units.variant ORDER BY units.variant"
GET_TOKEN: Final = "SELECT tokens.token_id, tokens.digest, tokens.revision, tokens.doc, tokens.row_digest FROM tokens WHERE tokens.token_id = :token_id"
REVISION_TOKEN: Final = "SELECT tokens.revision FROM tokens WHERE tokens.token_id = :token_id"
GET_SECRET: Final = "SELECT tokens.token_id, tokens.digest, tokens.revision, tokens.doc, tokens.row_digest FROM tokens WHERE tokens.digest = :digest"
REVISION_SECRET: Final = "SELECT tokens.revision FROM tokens WHERE tokens.digest = :digest"
INSERT_TOKEN: Final = "INSERT INTO tokens (token_id, digest, revision, doc, row_digest) VALUES (:token_id, :digest, :revision, :doc, :row_digest)"
UPDATE_TOKEN: Final = "UPDATE tokens SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE tokens.token_id = :the_token_id AND tokens.revision = :expected"
DELETE_TOKEN: Final = "DELETE FROM tokens WHERE tokens.token_id = :token_id AND tokens.revision = :expected"
TOKENS: Final = "SELECT tokens.token_id, tokens.digest, tokens.revision, tokens.doc, tokens.row_digest FROM tokens WHERE tokens.token_id > :after ORDER BY tokens.token_id LIMIT :limit"
GET_SESSION: Final = "SELECT sessions.session_id, sessions.digest, sessions.revision, sessions.doc, sessions.row_digest FROM sessions WHERE sessions.session_id = :session_id"
REVISION_SESSION: Final = "SELECT sessions.revision FROM sessions WHERE sessions.session_id = :session_id"
GET_SESSION_SECRET: Final = "SELECT sessions.session_id, sessions.digest, sessions.revision, sessions.doc, sessions.row_digest FROM sessions WHERE sessions.digest = :digest"
REVISION_SESSION_SECRET: Final = "SELECT sessions.revision FROM sessions WHERE sessions.digest = :digest"
INSERT_SESSION: Final = "INSERT INTO sessions (session_id, digest, revision, doc, row_digest) VALUES (:session_id, :digest, :revision, :doc, :row_digest)"
UPDATE_SESSION: Final = "UPDATE sessions SET digest=:digest, revision=:revision, doc=:doc, row_digest=:row_digest WHERE sessions.session_id = :the_session_id AND sessions.revision = :expected"
DELETE_SESSION: Final = "DELETE FROM sessions WHERE sessions.session_id = :session_id AND sessions.revision = :expected"
SESSIONS: Final = "SELECT sessions.session_id, sessions.digest, sessions.revision, sessions.doc, sessions.row_digest FROM sessions WHERE sessions.session_id > :after ORDER BY sessions.session_id LIMIT :limit"
GET_REGISTRY: Final = "SELECT registry.revision, registry.doc, registry.row_digest FROM registry"
GET_MODEL: Final = """SELECT models."key", models.slug, models.revision, models.doc, models.row_digest FROM models WHERE models."key" = :key"""
GET_SLUG: Final = """SELECT models."key", models.slug, models.revision, models.doc, models.row_digest FROM models WHERE models.slug = :slug"""
GET_VERSION: Final = "SELECT versions.model_id, versions.model_key, versions.number, versions.label_key, versions.revision, version_docs.doc, version_docs.row_digest FROM versions JOIN version_docs ON version_docs.id = versions.id WHERE versions.model_id = :model_id"
GET_NUMBER: Final = "SELECT versions.model_id, versions.model_key, versions.number, versions.label_key, versions.revision, version_docs.doc, version_docs.row_digest FROM versions JOIN version_docs ON version_docs.id = versions.id WHERE versions.model_key = :model_key AND versions.number = :number"
GET_LABEL: Final = "SELECT versions.model_id, versions.model_key, versions.number, versions.label_key, versions.revision, version_docs.doc, version_docs.row_digest FROM versions JOIN version_docs ON version_docs.id = versions.id WHERE versions.model_key = :model_key AND versions.label_key = :label_key"
GET_BLOB: Final = "SELECT blobs.digest, blobs.revision, blobs.doc, blobs.row_digest FROM blobs WHERE blobs.digest = :digest"
GET_SOURCE: Final = "SELECT sources.kind, sources.target, sources.revision, sources.doc, sources.row_digest FROM sources WHERE sources.kind = :kind AND sources.target = :target"
GET_RECEIPT: Final = """SELECT receipts."key", receipts.revision, receipts.doc, receipts.row_digest FROM receipts WHERE receipts."key" = :key"""
REVISION_REGISTRY: Final = "SELECT registry.revision FROM registry"
REVISION_MODEL: Final = """SELECT models.revision FROM models WHERE models."key" = :key"""
REVISION_SLUG: Final = "SELECT models.revision FROM models WHERE models.slug = :slug"
REVISION_VERSION: Final = "SELECT versions.revision FROM versions WHERE versions.model_id = :model_id"
REVISION_NUMBER: Final = "SELECT versions.revision FROM versions WHERE versions.model_key = :model_key AND versions.number = :number"
REVISION_LABEL: Final = "SELECT versions.revision FROM versions WHERE versions.model_key = :model_key AND versions.label_key = :label_key"
REVISION_BLOB: Final = "SELECT blobs.revision FROM blobs WHERE blobs.digest = :digest"
REVISION_SOURCE: Final = "SELECT sources.revision FROM sources WHERE sources.kind = :kind AND sources.target = :target"
REVISION_RECEIPT: Final = """SELECT receipts.revision FROM receipts WHERE receipts."key" = :key"""
INSERT_REGISTRY: Final = "INSERT INTO registry (id, revision, doc, row_digest) VALUES (:id, :revision, :doc, :row_digest)"
UPDATE_REGISTRY: Final = "UPDATE registry SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE registry.id = :the_id AND registry.revision = :expected"
INSERT_MODEL: Final = """INSERT INTO models ("key", slug, name, search, single_stages, revision, doc, row_digest) VALUES (:key, :slug, :name, :search, :single_stages, :revision, :doc, :row_digest)"""
UPDATE_MODEL: Final = """UPDATE models SET search=:search, single_stages=:single_stages, revision=:revision, doc=:doc, row_digest=:row_digest WHERE models."key" = :the_key AND models.revision = :expected"""
SINGLE_STAGES: Final = """SELECT models.single_stages FROM models WHERE models."key" = :key"""
INSERT_VERSION: Final = "INSERT INTO versions (model_id, model_key, name, number, label, label_key, label_rank, stage, framework, algorithm, created_by, created, updated, size, digest, scan, deleted, holder_key, revision) VALUES (:model_id, :model_key, :name, :number, :label, :label_key, :label_rank, :stage, :framework, :algorithm, :created_by, :created, :updated, :size, :digest, :scan, :deleted, :holder_key, :revision)"
UPDATE_VERSION: Final = "UPDATE versions SET stage=:stage, updated=:updated, scan=:scan, deleted=:deleted, holder_key=:holder_key, revision=:revision WHERE versions.id = :the_id AND versions.revision = :expected"
VERSION_ID: Final = "SELECT versions.id, versions.revision FROM versions WHERE versions.model_id = :model_id"
CLEAR_HOLDERS: Final = "UPDATE versions SET holder_key=NULL WHERE versions.model_key = :model_key"
SET_HOLDERS: Final = "UPDATE versions SET holder_key=:the_holder WHERE versions.model_key = :model_key AND versions.stage = :stage AND versions.deleted = 0"
INSERT_DOC: Final = "INSERT INTO version_docs (id, doc, row_digest) VALUES (:id, :doc, :row_digest)"
UPDATE_DOC: Final = "UPDATE version_docs SET doc=:doc, row_digest=:row_digest WHERE version_docs.id = :the_id"
INSERT_TEXT: Final = "INSERT INTO version_texts (id, search) VALUES (:id, :search)"
UPDATE_TEXT: Final = "UPDATE version_texts SET search=:search WHERE version_texts.id = :the_id"
GET_TEXT: Final = "SELECT version_texts.search FROM version_texts WHERE version_texts.id = :id"
GET_FILES: Final = "SELECT version_files.digest FROM version_files WHERE version_files.version = :version"
INSERT_FILE: Final = "INSERT INTO version_files (version, digest) VALUES (:version, :digest)"
DELETE_FILE: Final = "DELETE FROM version_files WHERE version_files.version = :version AND version_files.digest = :digest"
GET_EDGES: Final = "SELECT version_edges.kind, version_edges.target FROM version_edges WHERE version_edges.version = :version"
INSERT_EDGE: Final = "INSERT INTO version_edges (version, kind, target) VALUES (:version, :kind, :target)"
DELETE_EDGE: Final = "DELETE FROM version_edges WHERE version_edges.version = :version AND version_edges.kind = :kind AND version_edges.target = :target"
GET_TERMS: Final = "SELECT version_terms.field, version_terms.ordinal, version_terms.type, version_terms.num, version_terms.text FROM version_terms WHERE version_terms.version = :version"
INSERT_TERM: Final = "INSERT INTO version_terms (version, field, ordinal, type, num, text, created) VALUES (:version, :field, :ordinal, :type, :num, :text, :created)"
DELETE_TERM: Final = "DELETE FROM version_terms WHERE version_terms.version = :version AND version_terms.field = :field AND version_terms.ordinal = :ordinal"
INSERT_BLOB: Final = "INSERT INTO blobs (digest, size, state, touched, revision, doc, row_digest) VALUES (:digest, :size, :state, :touched, :revision, :doc, :row_digest)"
UPDATE_BLOB: Final = "UPDATE blobs SET size=:size, state=:state, touched=:touched, revision=:revision, doc=:doc, row_digest=:row_digest WHERE blobs.digest = :the_digest AND blobs.revision = :expected"
DELETE_BLOB: Final = "DELETE FROM blobs WHERE blobs.digest = :digest AND blobs.revision = :expected"
INSERT_SOURCE: Final = "INSERT INTO sources (kind, target, revision, doc, row_digest) VALUES (:kind, :target, :revision, :doc, :row_digest)"
UPDATE_SOURCE: Final = "UPDATE sources SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE sources.kind = :kind AND sources.target = :target AND sources.revision = :expected"
INSERT_RECEIPT: Final = """INSERT INTO receipts ("key", revision, doc, row_digest) VALUES (:key, :revision, :doc, :row_digest)"""
UPDATE_RECEIPT: Final = """UPDATE receipts SET revision=:revision, doc=:doc, row_digest=:row_digest WHERE receipts."key" = :the_key AND receipts.revision = :expected"""
DELETE_RECEIPT: Final = """DELETE FROM receipts WHERE receipts."key" = :key AND receipts.revision = :expected"""
RECEIPTS: Final = """SELECT receipts."key", receipts.revision, receipts.doc, receipts.row_digest FROM receipts WHERE receipts."key" > :after ORDER BY receipts."key" LIMIT :limit"""
INSERT_EVENT: Final = "INSERT INTO events (model_key, sequence, at, subjects, doc, row_digest) VALUES (:model_key, :sequence, :at, :subjects, :doc, :row_digest)"
INSERT_EVENT_AT: Final = "INSERT INTO events (position, model_key, sequence, at, subjects, doc, row_digest) VALUES (:position, :model_key, :sequence, :at, :subjects, :doc, :row_digest)"
INSERT_MOVE: Final = "INSERT INTO moves (model_key, pointer, at, sequence, number) VALUES (:model_key, :pointer, :at, :sequence, :number)"
EVENTS: Final = "SELECT events.position, events.model_key, events.sequence, events.doc, events.row_digest FROM events WHERE events.position > :after ORDER BY events.position LIMIT :limit"
MOVES: Final = "SELECT moves.at, moves.sequence, moves.number, events.position, events.model_key, events.sequence AS sequence_1, events.doc, events.row_digest FROM moves LEFT OUTER JOIN events ON events.model_key = moves.model_key AND events.sequence = moves.sequence WHERE moves.model_key = :model_key AND moves.pointer = :pointer AND (moves.at < :at OR moves.at = :at AND moves.sequence < :sequence) ORDER BY moves.at DESC, moves.sequence DESC LIMIT :limit"
COUNT_EVENTS: Final = "SELECT count(events.position) AS count_1, coalesce(max(events.position), 0) AS coalesce_1 FROM events"

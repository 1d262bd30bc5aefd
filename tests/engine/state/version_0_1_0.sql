-- What LUPoM 0.1.0 wrote when it asked one call, as SQLite dumps it; dates and ids are made equal,
-- and what is known of the endpoint does not get too old.
CREATE TABLE batches (
    token VARCHAR NOT NULL,
    batch_id VARCHAR,
    endpoint VARCHAR NOT NULL,
    alias VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    calls JSON,
    tokens INTEGER NOT NULL,
    money FLOAT NOT NULL,
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    PRIMARY KEY (token)
);
INSERT INTO "batches" VALUES('token',NULL,'e','default','notes','20260101T000000-aaaaaa','submitting','[{"key": "b"}]',5,0.5,'2026-01-01T00:00:00.000+00:00','2026-01-01T00:00:00.000+00:00');
CREATE TABLE calls (
    "key" VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    alias VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    messages_hash VARCHAR NOT NULL,
    schema_hash VARCHAR NOT NULL,
    parameters VARCHAR NOT NULL,
    draw INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    answer VARCHAR,
    probabilities VARCHAR,
    missing_mass FLOAT,
    history VARCHAR NOT NULL,
    tokens_in INTEGER,
    tokens_out INTEGER,
    tokens_cached INTEGER NOT NULL,
    tokens_written INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    cost FLOAT,
    latency FLOAT NOT NULL,
    attempts INTEGER NOT NULL,
    error VARCHAR,
    repaired BOOLEAN NOT NULL,
    counted_tokens INTEGER,
    counted_cost FLOAT,
    created_at VARCHAR NOT NULL,
    updated_at VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);
INSERT INTO "calls" VALUES('3f966fd4dccbf7a99923f9b1fc6dfc0bbd0872692f9a0953ff8b3644959a4f2c',1,'openai','model','default','notes','20260101T000000-aaaaaa','097773329f96f7ab8e4f98a6c3f59527b78d427370c7250a5d69f79d2228566c','878dc1a2e9431b375aa662bd968dc47d56ff2754f198b2837e9b34c6f9c49b9a','{"max_tokens":2048,"temperature":0.0}',0,'ok','{"text": "kept"}',NULL,NULL,'[]',2,4,0,0,8,NULL,0.5,1,NULL,0,NULL,NULL,'2026-01-01T00:00:00.000+00:00','2026-01-01T00:00:00.000+00:00');
CREATE TABLE embeddings (
    "key" VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    vector BLOB NOT NULL,
    tokens INTEGER,
    cost FLOAT,
    counted_tokens INTEGER,
    counted_cost FLOAT,
    created_at VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);
INSERT INTO "embeddings" VALUES('e','openai','m',X'0000803F',5,0.25,NULL,NULL,'2026-01-01T00:00:00.000+00:00');
CREATE TABLE manners (
    endpoint VARCHAR NOT NULL,
    manner JSON,
    updated_at VARCHAR NOT NULL,
    PRIMARY KEY (endpoint)
);
INSERT INTO "manners" VALUES('{"base_url": "http://127.0.0.1:9/v1", "mode": "auto", "model": "model", "provider": "openai"}','{"mode": "json_schema", "json_object": true, "choice": "tool", "lengths": true, "limits": true, "logprobs": true, "seed": true, "temperature": true, "system": true, "cache": true, "turns": true, "alternatives": 20, "limit": "max_tokens", "held": true}','2100-01-01T00:00:00.000+00:00');
CREATE TABLE nodes (
    id INTEGER NOT NULL,
    run_id VARCHAR NOT NULL,
    node VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    rows INTEGER,
    seconds FLOAT NOT NULL,
    fingerprint VARCHAR,
    content_hash VARCHAR,
    calls INTEGER,
    cached INTEGER,
    asked INTEGER,
    invalid INTEGER,
    tokens_in INTEGER,
    tokens_out INTEGER,
    cost FLOAT,
    tokens_low INTEGER,
    tokens_high INTEGER,
    cost_low FLOAT,
    cost_high FLOAT,
    requests INTEGER,
    tokens_cached INTEGER,
    finished_at VARCHAR NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO "nodes" VALUES(1,'20260101T000000-aaaaaa','notes','llm','success','','',1,0.0,NULL,NULL,1,NULL,1,NULL,3,2,NULL,NULL,NULL,NULL,NULL,1,NULL,'2026-01-01T00:00:00.000+00:00');
CREATE TABLE runs (
    run_id VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    target VARCHAR,
    version VARCHAR,
    arguments JSON,
    status VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    started_at VARCHAR NOT NULL,
    finished_at VARCHAR,
    seconds FLOAT,
    PRIMARY KEY (run_id)
);
INSERT INTO "runs" VALUES('20260101T000000-aaaaaa','run','dev','0.1.0','{"threads": 2}','success','','2026-01-01T00:00:00.000+00:00','2026-01-01T00:00:00.000+00:00',0.5);
CREATE INDEX ix_nodes_run_id ON nodes (run_id);
CREATE INDEX ix_calls_seq ON calls (seq);
CREATE INDEX ix_calls_node ON calls (node);
CREATE INDEX ix_batches_endpoint ON batches (endpoint);
pragma user_version = 5;

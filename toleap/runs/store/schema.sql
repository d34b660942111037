CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS benchmarks (
    name TEXT PRIMARY KEY, title TEXT NOT NULL, tasks_total INTEGER NOT NULL, revision TEXT NOT NULL,
    scorer TEXT NOT NULL, breakdown TEXT NOT NULL, ord INTEGER NOT NULL, judged_by TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- What a table says of a benchmark beside the average. Runs made before there was such a table have none.
CREATE TABLE IF NOT EXISTS reports (
    benchmark TEXT PRIMARY KEY, measures TEXT NOT NULL DEFAULT '[]', judge_official INTEGER NOT NULL DEFAULT 0,
    second TEXT NOT NULL DEFAULT '', second_by TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS tasks (
    benchmark TEXT NOT NULL, task TEXT NOT NULL, ord INTEGER NOT NULL, metadata TEXT NOT NULL,
    PRIMARY KEY (benchmark, task)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS attempts (
    benchmark TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL,
    ending TEXT, forced INTEGER NOT NULL DEFAULT 0, answer TEXT,
    faults INTEGER NOT NULL DEFAULT 0, fault TEXT, quarantined INTEGER NOT NULL DEFAULT 0,
    turns INTEGER NOT NULL DEFAULT 0, tool_calls INTEGER NOT NULL DEFAULT 0, bad_calls INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, opening BLOB, version TEXT, ended TEXT,
    restarts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (benchmark, task, attempt)
) WITHOUT ROWID;

-- What the turns of an ended attempt hold. Attempts that ended before there was such a table have none.
CREATE TABLE IF NOT EXISTS conduct (
    benchmark TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, version TEXT NOT NULL, figures TEXT NOT NULL,
    PRIMARY KEY (benchmark, task, attempt)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS turns (
    benchmark TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, idx INTEGER NOT NULL, blob BLOB NOT NULL,
    UNIQUE (benchmark, task, attempt, idx)
);

CREATE TABLE IF NOT EXISTS verdicts (
    benchmark TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL, scorer TEXT NOT NULL,
    status TEXT NOT NULL, reason TEXT NOT NULL, extracted TEXT, raw TEXT, judged TEXT NOT NULL,
    PRIMARY KEY (benchmark, task, attempt, scorer)
) WITHOUT ROWID;

-- What the models have cost over all starts of the run, in tokens.
CREATE TABLE IF NOT EXISTS spending (
    role TEXT PRIMARY KEY, prompt INTEGER NOT NULL, cached INTEGER NOT NULL, written INTEGER NOT NULL
) WITHOUT ROWID;

-- Checksums of rows of the tables above. Rows written before there were seals have none.
CREATE TABLE IF NOT EXISTS seals (
    of TEXT NOT NULL, key TEXT NOT NULL, seal INTEGER NOT NULL, PRIMARY KEY (of, key)
) WITHOUT ROWID;

-- Of nothing: there were seals from the beginning, so that every row has one.
INSERT OR IGNORE INTO seals SELECT '', '', 0 WHERE NOT EXISTS (SELECT 1 FROM meta) AND NOT EXISTS (SELECT 1 FROM attempts);

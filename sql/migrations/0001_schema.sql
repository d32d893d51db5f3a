-- The schema, what a tweet becomes in it, and the record of migrations itself.
-- Every choice of distribution, sort key and encoding has its reason beside it; docs/data-model.md gathers them.

-- An administrator may have made the schema beforehand, so that the app needs no CREATE on the database.
CREATE SCHEMA IF NOT EXISTS disaster;

-- Which migrations have been applied. Written in the transaction of each, so that it can't say what didn't happen.
-- No IF NOT EXISTS: of two first setups at once, the second fails here and finds the work done.
CREATE TABLE disaster.migration (
    version INTEGER ENCODE RAW NOT NULL, -- the number its file's name begins with
    name VARCHAR(128) ENCODE ZSTD NOT NULL, -- the rest of the file's name
    checksum CHAR(64) ENCODE ZSTD NOT NULL, -- SHA-256 of the file, to refuse one that was changed afterwards
    applied_at TIMESTAMP DEFAULT GETDATE() ENCODE AZ64 NOT NULL, -- UTC
    PRIMARY KEY (version)
)
DISTSTYLE ALL -- a handful of rows
SORTKEY (version);

-- The dimension: kinds of disaster, a copy of chalicelib/classifier/taxonomy.py (a test compares the two).
CREATE TABLE disaster.disaster_kind (
    code VARCHAR(32) ENCODE RAW NOT NULL, -- a value of disaster_label
    name VARCHAR(64) ENCODE RAW NOT NULL, -- for people
    disaster_group VARCHAR(32) ENCODE RAW, -- EM-DAT's; null where EM-DAT has no place for it
    disaster_subgroup VARCHAR(32) ENCODE RAW, -- EM-DAT's
    glide_code CHAR(2) ENCODE RAW, -- hazard code of glidenumber.net, null where there is none
    original_label VARCHAR(32) ENCODE RAW NOT NULL, -- the nearest label of the proof of concept
    PRIMARY KEY (code)
)
DISTSTYLE ALL -- joined to everything: a copy on every node, so that no join moves rows
SORTKEY (code); -- 23 rows fill one block a column however they are encoded

-- The fact: one row a line of a tweet file. Append-only but for repairs, which replace all rows of a file.
-- No primary key although tweet_key looks like one: Redshift doesn't enforce keys but plans by them, and deliveries
-- are at-least-once: a declared key would make DISTINCT and joins wrong just when they matter. Hence the view tweet.
CREATE TABLE disaster.disaster_tweets (
    original_text VARCHAR(65535) ENCODE ZSTD, -- text: zstd packs short repetitive strings best
    cleaning_text VARCHAR(65535) ENCODE ZSTD,
    disaster_label VARCHAR(32) ENCODE ZSTD REFERENCES disaster.disaster_kind (code), -- BYTEDICT is not for VARCHAR
    classifier_score DOUBLE PRECISION ENCODE ZSTD, -- az64 doesn't take floating point
    arrived_datetime_from_kinesis BIGINT ENCODE AZ64, -- ms since the epoch; neighbours differ little
    processing_time DOUBLE PRECISION ENCODE ZSTD, -- seconds
    relevance_label VARCHAR(16) ENCODE ZSTD, -- two values
    relevance_score DOUBLE PRECISION ENCODE ZSTD,
    tweet_key CHAR(32) ENCODE ZSTD NOT NULL, -- hexadecimal: 16 of 256 byte values, zstd halves it
    tweet_id VARCHAR(64) ENCODE ZSTD, -- digits
    user_id VARCHAR(64) ENCODE ZSTD,
    created_at TIMESTAMP ENCODE AZ64, -- UTC
    location VARCHAR(512) ENCODE ZSTD, -- free text
    lang VARCHAR(16) ENCODE ZSTD, -- a few dozen values
    source_keyword VARCHAR(256) ENCODE ZSTD,
    keywords SUPER ENCODE ZSTD, -- [{prefix, word, suffix, theme}]
    classifier_version VARCHAR(128) ENCODE ZSTD, -- a few values
    s3_key VARCHAR(256) ENCODE ZSTD NOT NULL, -- long, and the same for all rows of a file
    s3_line INTEGER ENCODE AZ64 NOT NULL, -- 1-based
    truncated BOOLEAN ENCODE ZSTD, -- nearly always false
    arrived_at TIMESTAMP ENCODE RAW NOT NULL, -- the sort key stays raw: which rows to read is told fast
    -- Not in the tweet files: COPY leaves it to the default, so every load is timed, Firehose's included.
    loaded_at TIMESTAMP DEFAULT GETDATE() ENCODE AZ64 NOT NULL -- UTC
)
DISTKEY (tweet_key) -- a hash: even slices, and all copies of a tweet on one: the view tweet moves no rows
SORTKEY (arrived_at); -- questions are about a time: blocks are skipped; rows arrive in its order: no VACUUM

INSERT INTO disaster.disaster_kind (code, name, disaster_group, disaster_subgroup, glide_code, original_label) VALUES
('earthquake', 'Earthquake', 'Natural', 'Geophysical', 'EQ', 'disaster with earth'),
('tsunami', 'Tsunami', 'Natural', 'Geophysical', 'TS', 'disaster with water'),
('volcano', 'Volcanic activity', 'Natural', 'Geophysical', 'VO', 'disaster with fire'),
('landslide', 'Landslide, mudslide, avalanche', 'Natural', 'Hydrological', 'LS', 'disaster with earth'),
('flood', 'Flood', 'Natural', 'Hydrological', 'FL', 'disaster with water'),
('storm', 'Storm: cyclone, tornado, lightning', 'Natural', 'Meteorological', 'ST', 'disaster with wind'),
('wildfire', 'Wildfire', 'Natural', 'Climatological', 'WF', 'disaster with fire'),
('drought', 'Drought', 'Natural', 'Climatological', 'DR', 'disaster with earth'),
('heat_wave', 'Heat wave', 'Natural', 'Meteorological', 'HT', 'disaster with fire'),
('cold_wave', 'Cold wave, snow, ice', 'Natural', 'Meteorological', 'CW', 'disaster with wind'),
('epidemic', 'Epidemic', 'Natural', 'Biological', 'EP', 'Don''t defined'),
('fire', 'Fire of buildings or goods', 'Technological', 'Miscellaneous accident', 'FR', 'disaster with fire'),
('explosion', 'Explosion, accidental', 'Technological', 'Industrial accident', 'AC', 'disaster with fire'),
('transport_accident', 'Accident on road, rail, water, in the air', 'Technological', 'Transport', 'AC', 'Don''t defined'), -- noqa: LT05
('building_collapse', 'Collapse of a building', 'Technological', 'Miscellaneous accident', 'AC', 'disaster with earth'),
('industrial_accident', 'Industrial accident, spill', 'Technological', 'Industrial accident', 'AC', 'disaster with fire'), -- noqa: LT05
('haze', 'Haze, smog', 'Technological', 'Industrial accident', 'OT', 'disaster with fire'),
('attack', 'Attack: bombing, shooting, terror', 'Societal', 'Violence', NULL, 'disaster with weapons'),
('conflict', 'Armed conflict, unrest', 'Societal', 'Conflict', 'CE', 'disaster with weapons'),
('meteorite', 'Meteorite', 'Natural', 'Extra-terrestrial', 'OT', 'disaster with fire'),
('other_disaster', 'Another kind of disaster', NULL, NULL, 'OT', 'Don''t defined'),
('unspecified', 'A disaster whose kind the text doesn''t tell', NULL, NULL, NULL, 'Don''t defined'),
('not_disaster', 'Speaks of no disaster', NULL, NULL, NULL, 'Don''t defined');
